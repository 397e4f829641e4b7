"""The sending half of a connection: frames queue here and leave together, as many as wait when the writer
runs."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

import anyio

from gitu_core.border.frames import Frame, Transport, write

BATCH = 256 << 10
"""Frames are joined up to this many bytes a chunk; a larger frame travels alone."""

HIGH_WATER = 4 << 20
"""Above this many queued bytes, calls and answers wait before they add to the queue."""


@dataclass(eq=False, slots=True)
class Ticket:
    """One queued frame whose sender wants to know whether it has left."""

    sent: bool = False
    withdrawn: bool = False


class Outbox:
    """Frames on their way out. `post` never waits, so that it can be used while cancelled; `room` does."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        # A transport inside this process takes a chunk at once, which saves waking the writer.
        self._now: Callable[[bytes], bool] | None = getattr(transport, "send_nowait", None)
        self._queue: deque[tuple[bytes, Ticket | None]] = deque()
        self._bytes = 0
        self._work = anyio.Event()
        self._room: anyio.Event | None = None
        self._idle = True
        self._waiting = False
        self.closed = False

    def post(self, frame: Frame, ticket: Ticket | None = None) -> None:
        """Queues a frame; does nothing once the connection is closed."""
        if self.closed:
            return
        data = write(frame)
        if self._now is not None and self._idle and not self._queue and self._now(data):
            if ticket is not None:
                ticket.sent = True
            return
        self._queue.append((data, ticket))
        self._bytes += len(data)
        if self._waiting:
            self._waiting = False
            self._work.set()

    async def room(self) -> None:
        """Waits while too much is queued: the other side reads too slowly."""
        while self._bytes > HIGH_WATER and not self.closed:
            await self._change()

    async def drained(self) -> None:
        """Waits until everything that was posted has left."""
        while not (self.closed or (self._idle and not self._queue)):
            await self._change()

    async def run(self) -> None:
        """Sends what is posted until cancelled. Errors of the transport are the caller's."""
        while True:
            if not self._queue:
                self._idle = True
                self._wake_waiters()
                self._work = anyio.Event()
                self._waiting = True
                await self._work.wait()
            self._idle = False
            if chunk := self._take():
                await self._transport.send(chunk)
            if self._bytes <= HIGH_WATER:
                self._wake_waiters()

    def close(self) -> None:
        """Nothing leaves any more; whoever waits goes on."""
        self.closed = True
        self._queue.clear()
        self._bytes = 0
        self._wake_waiters()

    def _take(self) -> bytes:
        batch: list[bytes] = []
        size = 0
        while self._queue and (not batch or size + len(self._queue[0][0]) <= BATCH):
            data, ticket = self._queue.popleft()
            self._bytes -= len(data)
            if ticket is not None:
                if ticket.withdrawn:
                    continue
                ticket.sent = True
            batch.append(data)
            size += len(data) + 1
        return b"\n".join(batch)

    async def _change(self) -> None:
        if self._room is None:
            self._room = anyio.Event()
        await self._room.wait()

    def _wake_waiters(self) -> None:
        if self._room is not None:
            self._room.set()
            self._room = None
