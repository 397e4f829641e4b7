"""What the tests of timers share: plugins that note what they are handed, clocks that jump, and waiting."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import anyio

from gitu_core.contracts.timers import Timer
from gitu_core.store import Store
from gitu_core.testing import FakeClock
from gitu_core.timers import Timers
from tests.app.around import until

Handler = Callable[[str, Any, int], Awaitable[None]]


class JumpingClock(FakeClock):
    """Its wall clock may be set, in both directions; the other one goes on as it does."""

    wrong = 0.0

    def now(self) -> float:
        """Seconds since 1970, as far as this clock knows."""
        return super().now() + self.wrong


class Plugins:
    """Stands for the registry: plugins *names*, which note what they are handed as (plugin, key, data, attempt)."""

    def __init__(self, *names: str, handler: Handler | None = None) -> None:
        self.names = list(names or ("shop",))
        self.handler = handler
        self.seen: list[tuple[str, str, Any, int]] = []

    def having(self, hook: str) -> list[str]:
        """The plugins that take timers."""
        assert hook == "gitu_timer"
        return self.names

    async def call(self, id: str, hook: str, *, key: str, data: Any, attempt: int) -> None:
        """Hands a timer over."""
        self.seen.append((id, key, data, attempt))
        if self.handler is not None:
            await self.handler(key, data, attempt)

    @property
    def keys(self) -> list[str]:
        """The keys of what was handed over, in order."""
        return [key for _, key, _, _ in self.seen]


@asynccontextmanager
async def running(store: Store, plugins: Any, clock: Any, patience: float = 5.0) -> AsyncIterator[Timers]:
    """Timers at work on a store. A test that waits in vain fails."""
    timers = Timers(store, plugins, clock, patience)
    with anyio.fail_after(60):
        async with anyio.create_task_group() as group:
            group.start_soon(timers.run)
            yield timers
            group.cancel_scope.cancel()


async def pass_by(clock: FakeClock, timers: Timers, seconds: float = 1.0) -> None:
    """Moves time on, and waits until everything that was due is done with."""
    await clock.until_asleep()
    clock.jump(seconds)
    await clock.until_asleep()
    await until(lambda: not timers._running)


async def rows(store: Store, owner: str = "shop") -> list[tuple[str, str, int]]:
    """The timers on disk: key, state, attempt."""
    found = await store._read(store._script_of("timers_of", store.tenant, owner))
    return [(row[1], row[3], row[5]) for row in found]


def timer(key: str, due_at: float, owner: str = "shop", data: Any = None, **more: Any) -> Timer:
    """A timer whose data is its key unless told otherwise."""
    return Timer(owner, key, due_at, {"key": key} if data is None else data, **more)
