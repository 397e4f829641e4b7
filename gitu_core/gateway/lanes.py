"""The default dispatcher: lanes inside this process. One lane is worked off by one task at a time; many run at once."""

from __future__ import annotations

import logging
from contextlib import nullcontext

import anyio
from anyio.abc import TaskGroup

from gitu_core.contracts import Handler, Health

log = logging.getLogger("gitu.gateway")


class LocalDispatcher:
    """Keeps the laws of `contracts.dispatcher`. At most *limit* lanes are handled at once; the others wait, notices
    never do."""

    name = "local"

    def __init__(self, limit: int) -> None:
        self._limiter = anyio.CapacityLimiter(limit)
        self._awake: dict[str, bool] = {}  # lane -> woken again while it was handled
        self._group: TaskGroup | None = None
        self._handler: Handler | None = None
        self._closed = anyio.Event()
        self._idle = anyio.Event()

    async def run(self, handler: Handler) -> None:
        """Hands woken lanes to *handler* until cancelled or closed."""
        self._handler = handler
        async with anyio.create_task_group() as group:
            self._group = group
            for lane in self._awake:
                group.start_soon(self._handle, lane)
            await self._closed.wait()

    async def wake(self, lane: str) -> None:
        """There is work in *lane*, or everybody is to hear a notice (``@…``)."""
        if lane in self._awake:
            self._awake[lane] = True
            return
        self._awake[lane] = False
        if self._group is not None and not self._closed.is_set():
            self._group.start_soon(self._handle, lane)

    async def _handle(self, lane: str) -> None:
        assert self._handler is not None
        try:
            async with nullcontext() if lane.startswith("@") else self._limiter:
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

    async def health(self) -> Health:
        """There is nothing between a wake-up and its handler."""
        return Health()

    async def close(self, grace: float) -> None:
        """No new work; waits at most *grace* seconds for what runs, then cancels it."""
        if self._group is not None:
            with anyio.move_on_after(grace):
                while self._awake:
                    self._idle = anyio.Event()
                    await self._idle.wait()
        self._closed.set()  # before `run` began, too: it then ends at once
        if self._group is not None:
            self._group.cancel_scope.cancel()
