"""One run of a worker: the process of an isolated plugin, the connection to it, and the watch over both."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import socket
import sys
import time
from collections.abc import Callable
from contextvars import Context, copy_context
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import msgspec
from anyio.abc import TaskGroup

from gitu_core.border.peer import Peer
from gitu_core.border.sockets import open_socket
from gitu_core.contracts.scope import CURRENT_CALL
from gitu_core.errors import BorderError, GituError, LoadError
from gitu_core.model import UNLABELLED, CallInfo, Label
from gitu_core.model import plugin as plugin_principal
from gitu_core.registry.process import CROWD, enclosed, folder_for, how, lent, packages, places, readable, size_of, use
from gitu_core.registry.scan import Found
from gitu_core.registry.seal import broken
from gitu_core.registry.treaty import BOOT, GRACE, Desk, Guest, Loaded, Task

LOOK = 1.0
"""Seconds between two looks at a worker."""

DEAF = 10.0
"""Seconds that its event loop may stand still while somebody waits for it."""

BUSY, SHARE = 30.0, 0.9
"""Seconds in which it may take so much of a processor without anybody having asked it for anything."""

DISK = 512 << 20
"""Bytes that it may keep in the folder which it may write to."""

RATE = 2_000.0
"""Calls of the host that it may make a second."""

LINE, LINES = 2_000, 200
"""Characters of a line that it prints, and lines a minute, which reach the log."""


class Behind:
    """The desk that one worker is offered (`Desk`)."""

    def __init__(self, host: Any, offend: Callable[[str], None]) -> None:
        self.host, self._offend = host, offend

    async def breach(self, what: str) -> None:
        """Ends the worker."""
        self._offend(f"it {what[:300]}, which its manifest does not declare")


class Run:
    """A worker from its start to its end. `over` is set when it has ended, `why` then says how, and `offence` whether
    it was ended for what it did."""

    def __init__(self, found: Found, id: str, home: Path, host: Any, *, debug: bool) -> None:
        self._found, self._id, self._home, self._host, self._debug = found, id, home, host, debug
        self.over = anyio.Event()
        self.why, self.offence, self.wanted = "", False, False
        self._asked = self._stopped = False
        self.open, self.used, self.taint = 0, time.monotonic(), UNLABELLED
        self.born = self.used
        self.proxies: dict[tuple[str, str], Any] = {}
        self.loaded: Loaded
        self.guest: Guest
        self.pid = 0
        self._group: Path | None = None
        self._programs = False
        self._met, self._lost = anyio.Event(), anyio.Event()
        self._failed: BaseException | None = None
        self._task: asyncio.Task[None] | None = None

    async def start(self, task: Task) -> None:
        """Starts the process and has it load its plugin. A `PluginError` says why it could not."""
        if sys.platform == "win32":
            raise LoadError("it would run in a process of its own, which Windows cannot give it",
                            hint=f"to trust it, set trusted = true in [plugins.{self._id}]")  # fmt: skip
        if wrong := await broken(self._found, self._home):  # also before a worker that takes the place of a dead one
            self.why, self.offence = wrong, True
            raise LoadError(wrong, hint=f"install it again, or run: gitu plugins remove {self._id}")
        self._task = asyncio.get_running_loop().create_task(self._live())
        try:
            await self._met.wait()
            if self._failed is not None or self.over.is_set():
                raise LoadError(f"its process could not be started: {self._failed or self.why}", hint="see the log")
            await self._loading(task)
        except BaseException:  # also when cancelled: nothing that was not loaded stays
            self.stop()
            raise

    async def _loading(self, task: Task) -> None:
        try:
            with anyio.fail_after(task.seconds + LOOK):
                fence = msgspec.structs.replace(
                    task.fence, read=readable(self._found, self._home), write=(*task.fence.write, self._folder)
                )
                self._programs = fence.programs
                self.loaded = await self.guest.load(msgspec.structs.replace(task, fence=fence))
        except TimeoutError:
            late = f"its import did not end within {task.seconds:g} s"
            raise LoadError(late, hint="see what its module does when it is imported") from None
        except GituError as error:
            if self.offence or isinstance(error, LoadError):
                raise LoadError(self.why or error.message, hint=error.hint) from None
            with anyio.move_on_after(GRACE):
                await self.over.wait()
            raise LoadError(f"its process ended while it was loaded: {self.why or error.message}",
                            hint="see the log, and what its module does when it is imported") from error  # fmt: skip

    @property
    def alive(self) -> bool:
        """False from the moment that the connection is lost; `over` is set when nothing is left of it."""
        return not (self._lost.is_set() or self.over.is_set())

    @property
    def walls(self) -> tuple[str, ...]:
        """What stands around it, as far as the system has it."""
        seen = "" if self._group is not None else f", counted every {LOOK:g} s"
        return (*self.loaded.walls, f"at most {CROWD} threads and processes{seen}") if self.loaded.walls else ()

    def end(self) -> None:
        """Ends the process at once, because it is no longer wanted."""
        self.wanted = True
        self.stop()

    def offend(self, what: str) -> None:
        """Ends the process for what it did."""
        if not self.over.is_set() and not self.offence:
            self.why, self.offence = what, True
            self.stop()

    def stop(self) -> None:
        """Ends the process at once. Once: what clears up behind it must not be cancelled in its turn."""
        if self._task is not None and not self._stopped:
            self._stopped = True
            self._task.cancel()

    # ---- the life of the process -----------------------------------------------------------------

    async def _live(self) -> None:
        ours, theirs = socket.socketpair()
        try:
            async with folder_for(self._home, self._id) as self._folder:
                with theirs:  # held by the worker alone from then on, so that its end is noticed
                    process = await self._spawn(theirs)
                self.pid = process.pid
                await self._connected(process, ours)
        except OSError as error:
            self._failed = error
        finally:
            ours.close()
            theirs.close()
            self.over.set()
            self._met.set()

    async def _spawn(self, theirs: socket.socket) -> asyncio.subprocess.Process:
        names = lent(self._found)
        roots = sorted({os.path.dirname(each) for each in packages(names)})
        task = {"path": places(self._found), "runtime": roots, "names": names, "socket": theirs.fileno()}
        keep = {name: os.environ[name] for name in ("PATH", "LANG", "TZ", "LC_ALL") if name in os.environ}
        own = {"HOME": self._folder, "TMPDIR": self._folder, "PYTHONHASHSEED": "random"}
        quiet = None if self._debug else asyncio.subprocess.DEVNULL
        # From this thread: the child dies with the thread that started it.
        return await asyncio.create_subprocess_exec(
            sys.executable, "-I", "-B", "-S", "-c", BOOT, msgspec.json.encode(task).decode(), stdin=quiet,
            stdout=quiet, stderr=None if self._debug else asyncio.subprocess.PIPE, env=keep | own,
            cwd=self._folder, pass_fds=(theirs.fileno(),), start_new_session=not self._debug, limit=LINE * 4,
        )  # fmt: skip

    async def _connected(self, process: asyncio.subprocess.Process, ours: socket.socket) -> None:
        reason: GituError | None = None
        try:
            self._group = await anyio.to_thread.run_sync(enclosed, self.pid)
            transport = await open_socket(ours)
            desk = Behind(self._host, self.offend)
            async with Peer(
                transport, offer=desk, protocol=Desk, grace=GRACE, rate=RATE, max_calls=1_000,
                context=self._context, stuck=self._stuck,
            ) as peer:  # fmt: skip
                self._lost = peer.closed
                self.guest = peer.remote(Guest)
                self._met.set()
                async with anyio.create_task_group() as group:
                    group.start_soon(self._listen, process)
                    group.start_soon(self._watch, group)
                    await peer.closed.wait()
                    reason = peer.reason
                    group.cancel_scope.cancel()
        except GituError as error:
            reason = error
        finally:
            with anyio.CancelScope(shield=True):
                await self._bury(process, reason)

    async def _bury(self, process: asyncio.subprocess.Process, reason: GituError | None) -> None:
        """Kills whatever is left, and finds out how it ended."""
        if isinstance(reason, BorderError) and not self.offence:
            self.why, self.offence = f"it broke the protocol: {reason.message}", True
        try:
            with anyio.move_on_after(0.5 if reason else 0):  # it ends by itself: its own word about how is better
                while process.returncode is None:  # noqa: ASYNC110 - `wait` also waits for pipes that nobody reads
                    await anyio.sleep(0.01)
        finally:
            died = process.returncode
            with contextlib.suppress(ProcessLookupError, PermissionError):  # nobody is left
                (os.kill if self._debug else os.killpg)(process.pid, signal.SIGKILL)
        with anyio.move_on_after(GRACE):
            while process.returncode is None:  # noqa: ASYNC110 - as above
                await anyio.sleep(0.005)
        process._transport.close()  # type: ignore[attr-defined]  # the pipe, which nobody reads any more
        await process.wait()
        with contextlib.suppress(OSError):  # what was killed may take a moment; the next one to start removes it then
            if self._group is not None:
                self._group.rmdir()
        if not self.why:
            self.why = how(died)

    # ---- the watch ---------------------------------------------------------------------------------

    async def _watch(self, group: TaskGroup) -> None:
        """Asks the worker for a sign of life while somebody waits for it, and looks at what it costs otherwise."""
        burnt, before, at = 0.0, 0.0, time.monotonic()
        while not self._debug:
            await anyio.sleep(LOOK)
            used, tasks, nameless = await anyio.to_thread.run_sync(use, self.pid, self._programs)
            now = time.monotonic()
            greedy = used - before > SHARE * (now - at)
            burnt = burnt + now - at if greedy and not self.open else 0.0
            before, at = used, now
            if tasks > CROWD:
                self.offend(f"it was more than {CROWD} threads and processes at once")
            elif nameless + await anyio.to_thread.run_sync(size_of, self._folder) > DISK:
                self.offend(f"it wrote more than {DISK >> 20} MiB, or too many files, into its own folder")
            elif burnt > BUSY:
                self.offend(f"it kept a processor busy for {BUSY:g} s without having been asked for anything")
            elif (self.open or greedy) and not self._asked:
                group.start_soon(self._ping)  # who does not answer is looked at all the same

    async def _ping(self) -> None:
        self._asked = True
        with anyio.move_on_after(DEAF), contextlib.suppress(GituError):
            await self.guest.ping()
        self._asked = False

    def _stuck(self) -> None:
        late = f"went on for {GRACE:g} s after it was cancelled"
        self.offend(f"it {f'blocked its event loop for {DEAF:g} s' if self._asked else late}")

    async def _listen(self, process: asyncio.subprocess.Process) -> None:
        """What it prints, in the log."""
        log, left, minute = logging.getLogger(f"gitu.plugins.{self._id}"), LINES, 0
        while process.stderr is not None:
            try:
                line = await process.stderr.readline()
            except ValueError:  # longer than anybody would read
                continue
            if not line:
                return
            if minute != (minute := int(time.monotonic() / 60)):
                left = LINES
            left -= 1
            if left >= 0:
                log.info("%s", line.decode("utf-8", "replace").rstrip()[:LINE])
            else:
                await anyio.sleep(LOOK / 10)  # it waits until somebody reads

    def _context(self, known: Context | None) -> Context:
        """In which the worker calls the host. Of its own accord, or for a call without a label of its own (a hook, a
        channel that listens: it lasts, and others fall into it), with all that it was ever handed."""
        if known is not None and known.get(CURRENT_CALL) is not None:
            return known
        context, me = known or copy_context(), plugin_principal(self._id)
        label = self.taint.join(Label(origins=frozenset((me,))))
        context.run(CURRENT_CALL.set, CallInfo("", "", principal=me if known is None else "", label=label))
        return context
