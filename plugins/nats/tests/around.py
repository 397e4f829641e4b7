"""Dispatchers that run as in a host, and what became of what they were woken for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Any

import anyio
from anyio.abc import TaskGroup

from gitu_core.contracts import Handler
from gitu_core.errors import AuthFailed
from gitu_nats.dispatcher import NatsDispatcher


class Secrets:
    """The secrets that are set."""

    def __init__(self, **known: str) -> None:
        self.known = known

    async def reveal(self, name: str) -> str:
        """One of them."""
        if name not in self.known:
            raise AuthFailed(f"the secret {name} is not set", hint=f"set {name}")
        return self.known[name]


class HostHere:
    """The part of the host that the plugin uses."""

    def __init__(self, config: dict[str, Any], secrets: Secrets) -> None:
        self.plugin = "nats"
        self.config = config
        self.secrets = secrets


class Worker:
    """One dispatcher with a handler that counts. `work` is what it does with a lane; nothing by default."""

    def __init__(self, dispatcher: NatsDispatcher, work: Handler | None = None) -> None:
        self.dispatcher = dispatcher
        self.work = work
        self.began: Counter[str] = Counter()
        self.done: Counter[str] = Counter()
        self.at_once: Counter[str] = Counter()
        self.most = 0  # handlings of one lane at once
        self.widest = 0  # handlings at once
        self._scope = anyio.CancelScope()

    async def run(self) -> None:
        """Runs until closed or killed."""
        with self._scope:
            await self.dispatcher.run(self.handle)

    async def handle(self, lane: str) -> None:
        """Handles a lane."""
        self.began[lane] += 1
        self.at_once[lane] += 1
        self.most = max(self.most, self.at_once[lane])
        self.widest = max(self.widest, sum(self.at_once.values()))
        try:
            if self.work is not None:
                await self.work(lane)
            self.done[lane] += 1
        finally:
            self.at_once[lane] -= 1

    def cancel(self) -> None:
        """Cancels `run` from outside."""
        self._scope.cancel()

    async def up(self, seconds: float = 15.0) -> None:
        """Waits until it is connected."""
        await until(self._ok, seconds)

    async def _ok(self) -> bool:
        return (await self.dispatcher.health()).state == "ok"


class Crew:
    """Several workers in one event loop."""

    def __init__(self) -> None:
        self.workers: list[Worker] = []
        self._group: TaskGroup

    async def __aenter__(self) -> Crew:
        self._group = anyio.create_task_group()
        await self._group.__aenter__()
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None,
                        traceback: TracebackType | None) -> bool | None:  # fmt: skip
        with anyio.CancelScope(shield=True):
            for worker in self.workers:
                await worker.dispatcher.close(0)
        self._group.cancel_scope.cancel()
        return await self._group.__aexit__(kind, error, traceback)

    async def worker(self, *urls: str, work: Handler | None = None, up: bool = True, secrets: Secrets | None = None,
                     **config: Any) -> Worker:  # fmt: skip
        """One more, connected unless *up* is False."""
        host = HostHere({"servers": list(urls), **config}, secrets or Secrets())
        worker = Worker(NatsDispatcher(host), work)  # type: ignore[arg-type]
        self.workers.append(worker)
        self._group.start_soon(worker.run)
        if up:
            await worker.up()
        return worker

    def done(self, lane: str) -> int:
        """How often a lane was handled, by all together."""
        return sum(worker.done[lane] for worker in self.workers)


async def until(true: Callable[[], Any | Awaitable[Any]], seconds: float = 10.0) -> None:
    """Waits until *true* gives something true."""
    with anyio.fail_after(seconds):
        while not (await found if hasattr(found := true(), "__await__") else found):  # noqa: ASYNC110 - no event
            await anyio.sleep(0.01)
