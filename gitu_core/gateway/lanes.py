"""The default dispatcher: lanes inside this process. One lane is worked off by one task at a time; many run at once."""

from __future__ import annotations

import asyncio
import logging
from collections import deque

import anyio

from gitu_core.contracts import Handler, Health

log = logging.getLogger("gitu.gateway")


class LocalDispatcher:
    """Keeps the laws of `contracts.dispatcher`. At most *limit* lanes are handled at once; the others wait, notices
    never do."""

    name = "local"

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._awake: dict[str, bool] = {}  # lane -> woken again while it was handled
        self._running = 0
        self._waiting: deque[str] = deque()
        # Tasks of their own, not a task group's: one is made for every message, and a group takes five times as long.
        self._tasks: set[asyncio.Task[None]] = set()
        self._handler: Handler | None = None
        self._closed = anyio.Event()
        self._idle = anyio.Event()

    async def run(self, handler: Handler) -> None:
        """Hands woken lanes to *handler* until cancelled or closed."""
        self._handler = handler
        for lane in self._awake:
            self._start(lane)
        try:
            await self._closed.wait()
        finally:
            self._closed.set()
            for task in self._tasks:
                task.cancel()
            with anyio.CancelScope(shield=True):
                await asyncio.gather(*self._tasks, return_exceptions=True)

    async def wake(self, lane: str) -> None:
        """There is work in *lane*, or everybody is to hear a notice (``@…``)."""
        self.wake_now(lane)

    def wake_now(self, lane: str) -> None:
        """The same, for those who cannot wait."""
        if lane in self._awake:
            self._awake[lane] = True
            return
        self._awake[lane] = False
        if self._handler is not None and not self._closed.is_set():
            self._start(lane)

    def _start(self, lane: str) -> None:
        if not lane.startswith("@"):
            if self._running >= self._limit:
                self._waiting.append(lane)
                return
            self._running += 1
        task = asyncio.get_running_loop().create_task(self._handle(lane))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _handle(self, lane: str) -> None:
        assert self._handler is not None
        try:
            again = True
            while again:
                self._awake[lane] = False
                try:
                    await self._handler(lane)
                except Exception:  # one lane's defect must not take the other lanes down with it
                    log.exception("lane %s failed", lane)
                again = self._awake[lane]
        finally:
            self._awake.pop(lane, None)
            self._idle.set()
            self._running -= not lane.startswith("@")
            if self._waiting and not self._closed.is_set():
                self._start(self._waiting.popleft())

    async def health(self) -> Health:
        """There is nothing between a wake-up and its handler."""
        return Health()

    async def close(self, grace: float) -> None:
        """No new work; waits at most *grace* seconds for what runs, then cancels it."""
        if self._handler is not None:
            with anyio.move_on_after(grace):
                while self._awake:
                    self._idle = anyio.Event()
                    await self._idle.wait()
        self._closed.set()  # before `run` began, too: it then ends at once
