"""Both ends of a connection in one process: any object, seen through the codec and two peers.

Every contract test runs over it a second time, which proves that the contract works for an isolated plugin
as well.
"""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, TypeVar

import anyio

from gitu_core.border.peer import Peer

T = TypeVar("T")


class MemoryTransport:
    """One end of a connection inside this process. Holds at most *size* chunks that the other end has not
    read.

    It does what anyio's memory streams do, without their yield to the event loop on every chunk, which
    would make up a third of a call.
    """

    def __init__(self, size: int = 8) -> None:
        self._size = size
        self._chunks: deque[bytes] = deque()
        self._arrived: anyio.Event | None = None
        self._taken: anyio.Event | None = None
        self._closed = False
        self.other: MemoryTransport = self

    async def send(self, item: bytes, /) -> None:
        """Hands a chunk over; waits while the other end is full. `anyio.BrokenResourceError` once either is
        closed."""
        while not self.send_nowait(item):
            if self._closed or self.other._closed:
                raise anyio.BrokenResourceError
            self.other._taken = anyio.Event()
            await self.other._taken.wait()

    def send_nowait(self, item: bytes) -> bool:
        """Hands a chunk over without waiting; False, and nothing is done, where `send` would wait or fail."""
        other = self.other
        if self._closed or other._closed or len(other._chunks) >= other._size:
            return False
        other._chunks.append(item)
        other._wake()
        return True

    async def receive(self) -> bytes:
        """The next chunk. `anyio.EndOfStream` when all was read and either end is closed."""
        while not self._chunks:
            if self._closed or self.other._closed:
                raise anyio.EndOfStream
            self._arrived = anyio.Event()
            await self._arrived.wait()
        if self._taken is not None:
            self._taken.set()
            self._taken = None
        return self._chunks.popleft()

    async def aclose(self) -> None:
        """Closes this end; the other one reads what was sent and then the end."""
        self._closed = True
        for end in (self, self.other):
            end._wake()
            if end._taken is not None:
                end._taken.set()

    def _wake(self) -> None:
        if self._arrived is not None:
            self._arrived.set()
            self._arrived = None


def memory_transports() -> tuple[MemoryTransport, MemoryTransport]:
    """The two ends of a connection inside this process."""
    near, far = MemoryTransport(), MemoryTransport()
    near.other, far.other = far, near
    return near, far


@asynccontextmanager
async def peers(offer: object, protocol: type, **options: Any) -> AsyncIterator[tuple[Peer, Peer]]:
    """Two connected peers; the second offers *offer*. *options* are those of `Peer`, for both."""
    near, far = memory_transports()
    here, there = Peer(near, **options), Peer(far, offer=offer, protocol=protocol, **options)
    async with AsyncExitStack() as stack:
        for peer in (there, here):
            stack.push_async_exit(peer)
            await peer.begin()
        await here.meet()
        await there.meet()
        yield here, there


@asynccontextmanager
async def loopback(obj: T, protocol: type[Any], **options: Any) -> AsyncIterator[T]:
    """*obj* as the other side of a process border sees it. *options* are those of `Peer`.

    async with loopback(MyTool(), Tool) as tool:
        result = await tool.run(call, context)
    """
    async with peers(obj, protocol, **options) as (here, _):
        remote: T = here.remote(protocol)
        yield remote
