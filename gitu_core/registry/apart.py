"""An isolated plugin as the host holds it: objects that stay the same while the processes behind them come and go."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import aclosing, contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Any

import anyio

from gitu_core.border.plans import Args, Kwargs, Method, Plan, plan_of
from gitu_core.border.proxies import member_of
from gitu_core.contracts.base import SEAMS
from gitu_core.contracts.scope import CURRENT_CALL
from gitu_core.errors import GituError, ManifestError, NotReady, Unknown
from gitu_core.hookspecs import HOOKS
from gitu_core.manifest import FILE_NAME, Manifest
from gitu_core.registry.describe import compare
from gitu_core.registry.fence import Fence, outermost
from gitu_core.registry.hooks import Implementation, arguments_of
from gitu_core.registry.scan import Found
from gitu_core.registry.treaty import Hooks, Task
from gitu_core.registry.worker import Run

IDLE = 300.0
"""Seconds after which a worker that nobody needed is ended; it is started again when somebody does."""

FIRST_WAIT, LONGEST_WAIT, STEADY = 0.2, 60.0, 60.0
"""Seconds before a worker that died is started again, at most so many, and after how many it counts as steady."""

PATIENT = 1.0
"""Seconds that a call waits for a worker that is about to be started again; where it is longer, it is told so."""

Blame = Callable[[str, bool], None]
"""Told how a worker ended, and whether it was ended for what it did."""


class Apart:
    """Keeps a worker for one plugin: started when it is needed, started again with growing waits when it dies, ended
    when nobody needed it for long."""

    def __init__(
        self, found: Found, manifest: Manifest, home: Path, host: Any, blame: Blame, *, seconds: float, debug: bool,
        memory: int,
    ) -> None:  # fmt: skip
        self._found, self.manifest, self._home, self._host, self._blame = found, manifest, home, host, blame
        programs = manifest.capabilities.subprocess
        roots = tuple(map(str, outermost(manifest.capabilities.files))) if programs else ()
        fence = Fence(memory=memory, programs=programs, write=roots)
        self._task = Task(found.name, found.value, manifest, fence, seconds, debug)
        self._lock = anyio.Lock()
        self._run: Run | None = None
        self._tasks = set[asyncio.Task[None]]()
        self._deaths, self._again = 0, 0.0
        self.begun = self.closed = self._opened = False
        self.walls: tuple[str, ...] = ()

    async def open(self) -> None:
        """Starts the worker and compares what it says of itself with its manifest."""
        await self._running()

    def close(self) -> None:
        """Ends the worker; it is not started again."""
        self.closed = True
        if self._run is not None:
            self._run.end()

    async def ended(self) -> None:
        """Waits until nothing is left of the worker."""
        if self._run is not None:
            await self._run.over.wait()

    @property
    def lasts(self) -> bool:
        """True if the worker must run all the time: it speaks a channel, listens, or says so."""
        listens = any(HOOKS[hook].mode in ("observe", "filter", "guard") for hook in self.manifest.hooks)
        return listens or bool(self.manifest.of("adapter")) or self.manifest.start == "eager"

    async def object(self, seam: str, name: str) -> tuple[Run, Any]:
        """The running worker and the proxy of one of its objects; ``hooks`` is a seam here."""
        run = self._run
        if run is None or not run.alive:
            run = await self._running()
        proxy = run.proxies.get((seam, name))
        if proxy is None:
            guest: Any = run.guest
            proxy = await (guest.hooks() if seam == "hooks" else getattr(guest, seam)(name))
            run.proxies[seam, name] = proxy
        return run, proxy

    async def _running(self) -> Run:
        async with self._lock:
            run = self._run
            if run is not None and run.alive:
                return run
            if run is not None:
                await run.over.wait()
                self._account(run)
            if self.closed:
                raise NotReady(f"the plugin {self.manifest.id} was ended", hint="see: gitu plugins")
            wait = self._again - time.monotonic()
            if 0 < wait <= PATIENT:
                await anyio.sleep(wait)
            elif wait > 0:
                what = f"the process of the plugin {self.manifest.id} ended and is started again in {wait:.1f} s"
                raise NotReady(what, hint="try again then")
            run = Run(self._found, self.manifest.id, self._home, self._host, debug=self._task.debug)
            try:
                await self._begin(run)
            except BaseException as error:  # also when cancelled: what has not begun whole does not stay
                run.stop()
                if self._opened and isinstance(error, GituError):  # the first time whoever asked for it is told
                    self._account(run, error.message)
                raise
            self._run, self._opened = run, True
            task = asyncio.get_running_loop().create_task(self._attend(run))
            self._tasks.add(task)  # a task that nobody holds may vanish
            task.add_done_callback(self._tasks.discard)
            return run

    async def _begin(self, run: Run) -> None:
        """Starts a worker, and has it begin where the plugin had begun before."""
        await run.start(self._task)
        self.walls = run.walls
        if differences := compare(self.manifest, run.loaded.manifest):
            raise ManifestError(f"{FILE_NAME} disagrees with the code: {'; '.join(differences)}",
                                hint=f"run: gitu manifest {self.manifest.id} --write")  # fmt: skip
        if self.begun and "gitu_start" in self.manifest.hooks:
            hooks: Any = await run.guest.hooks()
            await hooks.gitu_start()

    async def _attend(self, run: Run) -> None:
        """Waits for the end of a worker, and says so where nobody wanted it."""
        while not run.over.is_set():
            with anyio.move_on_after(IDLE / 10):
                await run.over.wait()
            if not (run.open or self.lasts or run.over.is_set()) and time.monotonic() - run.used > IDLE:
                await self._rest(run)
        self._account(run)

    def _account(self, run: Run, why: str = "") -> None:
        """A worker ended that nobody wanted to end: the next one waits longer, and its plugin is told of, once."""
        if not run.wanted and not self.closed:
            run.wanted = True
            self._deaths = 1 if time.monotonic() - run.born > STEADY else self._deaths + 1
            self._again = time.monotonic() + min(FIRST_WAIT * 2 ** (self._deaths - 1), LONGEST_WAIT)
            self._blame(run.why or why, run.offence)

    async def _rest(self, run: Run) -> None:
        if "gitu_stop" in self.manifest.hooks:
            hooks: Any = await run.guest.hooks()
            with suppress(GituError):
                await hooks.gitu_stop()
        if not run.open:
            run.end()

    # ---- what the rest of the host holds ---------------------------------------------------------

    async def stand_ins(self) -> dict[tuple[str, str], Any]:
        """An object for each contribution."""
        found: dict[tuple[str, str], Any] = {}
        for each in self.manifest.contributes:
            _, proxy = await self.object(each.seam, each.name)
            plan = plan_of(SEAMS[each.seam].protocol)
            data = {name: getattr(proxy, name) for name in plan.data}
            found[each.seam, each.name] = _stand_in(plan)(self, each.seam, each.name, data)
        return found

    def implementations(self) -> dict[str, Implementation]:
        """The plugin's hooks, those that hand over objects left out."""
        hooks, found = _stand_in(plan_of(Hooks))(self, "hooks", "", {}), {}
        for name, order in self.manifest.hooks.items():
            if (meta := HOOKS[name]).mode != "provide":
                given, hook = tuple(each for each in arguments_of(name) if each != "host"), getattr(hooks, name)
                found[name] = Implementation(self.manifest.id, meta, hook, given, order, meta.timeout, False, True)
        return found

    async def call(self, ref: tuple[str, str], method: Method, args: Args, kwargs: Kwargs) -> Any:
        """Calls a method of an object in the worker: *ref* is its seam and its name."""
        run, proxy = await self.object(*ref)
        with self._used(run, args, kwargs):
            try:
                return await getattr(proxy, method.name)(*args, **kwargs)
            except Unknown as error:
                if method.name != "receive":
                    raise
                raise NotReady(error.message, hint=error.hint) from error  # nothing was done that could be in doubt

    async def stream(self, ref: tuple[str, str], method: Method, args: Args, kwargs: Kwargs) -> AsyncIterator[Any]:
        """Streams from an object in the worker."""
        run, proxy = await self.object(*ref)
        with self._used(run, args, kwargs):
            async with aclosing(getattr(proxy, method.name)(*args, **kwargs)) as items:
                async for item in items:
                    yield item

    @contextmanager
    def _used(self, run: Run, args: Args, kwargs: Kwargs) -> Iterator[None]:
        """Somebody waits for the worker inside. Whatever it is handed, it may say when nobody asked it."""
        for each in (CURRENT_CALL.get(), *args, *kwargs.values()):
            label = getattr(each, "label", None)
            if label is not None and label is not run.taint:
                run.taint = run.taint.join(label)
        run.open += 1
        try:
            yield
        except GituError as error:
            if error.details.get("raised") == "MemoryError":
                run.offend(f"it wanted more than {self._task.fence.memory >> 20} MiB of memory")
            raise
        finally:
            run.open -= 1
            run.used = time.monotonic()


class StandIn:
    """Stands for an object of a worker. Its data is what the object said when it was first handed over."""

    def __init__(self, apart: Apart, seam: str, name: str, data: dict[str, Any]) -> None:
        self.gitu_calls, self.gitu_ref = apart, (seam, name)
        self.__dict__.update(data)


@cache
def _stand_in(plan: Plan) -> type[StandIn]:
    members: dict[str, Any] = {name: member_of(method) for name, method in plan.methods.items()}
    return type(f"Isolated{plan.protocol.__name__}", (StandIn,), {**members, "__doc__": plan.protocol.__doc__})
