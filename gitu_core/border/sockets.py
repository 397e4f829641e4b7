"""The border over a connected socket: what waits leaves at once, and what came together is read together.

It stands directly on the event loop's transport, because a round trip through streams costs more than the call.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from collections import deque

import anyio

from gitu_core.border.codec import FRAME_LIMIT
from gitu_core.border.peer import HEADER
from gitu_core.errors import BorderError

_LENGTH = struct.Struct(">I")

READ_AHEAD = 4 << 20
"""Above this many bytes that nobody took yet, nothing more is read."""


class SocketTransport(asyncio.Protocol):
    """Chunks over a stream socket: each begins with its length, four bytes, big-endian. Get one from `open_socket`.

    *limit* is the longest value that may come in, in bytes: a longer announcement is refused before it is read.
    """

    def __init__(self, limit: int = FRAME_LIMIT) -> None:
        self._limit = limit + HEADER
        self._transport: asyncio.Transport
        self._loop = asyncio.get_running_loop()
        self._rest = bytearray()
        self._chunks: deque[bytes] = deque()
        self._waiting = 0
        self._reader: asyncio.Future[None] | None = None
        self._writable = asyncio.Event()
        self._writable.set()
        self._wrote = self._held = False
        self._end: BaseException | None = None

    # ---- what a peer uses ------------------------------------------------------------------------

    def send_nowait(self, item: bytes) -> bool:
        """Writes a chunk at once; False if it is better to wait: others were written in this round of the loop, and
        the next ones can leave together."""
        if self._wrote or not self._writable.is_set() or self._end is not None:
            return False
        self._wrote = True
        self._loop.call_soon(self._again)
        self._transport.write(_LENGTH.pack(len(item)) + item)
        return True

    async def send(self, item: bytes, /) -> None:
        """Writes one chunk, and waits while the other side reads too slowly."""
        if self._end is not None:
            raise anyio.BrokenResourceError
        self._transport.write(_LENGTH.pack(len(item)) + item)
        if not self._writable.is_set():
            await self._writable.wait()

    async def receive(self) -> bytes:
        """The next chunk; `anyio.EndOfStream` where the other side ended, also in the middle of one."""
        while not self._chunks:
            if self._end is not None:
                raise self._end
            self._reader = self._loop.create_future()
            await self._reader
        chunk = self._chunks.popleft()
        self._waiting -= len(chunk)
        if self._held and self._waiting < READ_AHEAD:
            self._held = False
            self._transport.resume_reading()
        return chunk

    async def aclose(self) -> None:
        """Closes both directions."""
        self._transport.close()
        self._stop(anyio.ClosedResourceError())

    # ---- what the event loop calls ---------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The socket is ready."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Takes whole chunks out of what came."""
        rest = self._rest
        rest += data
        start = 0
        while len(rest) - start >= _LENGTH.size:
            (length,) = _LENGTH.unpack_from(rest, start)
            if length > self._limit:
                what = f"a chunk of {length} bytes is announced, {self._limit} are allowed"
                self._stop(BorderError(what, hint="only Gitu may write to this connection"))
                self._transport.close()
                return
            if len(rest) - start < _LENGTH.size + length:
                break
            start += _LENGTH.size
            self._chunks.append(bytes(rest[start : start + length]))
            start += length
            self._waiting += length
        if start:
            del rest[:start]
            self._wake()
        if self._waiting > READ_AHEAD and not self._held:
            self._held = True
            self._transport.pause_reading()

    def eof_received(self) -> None:
        """The other side writes no more: a connection with one direction is of no use."""
        self._stop(anyio.EndOfStream())

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing comes any more and nothing leaves."""
        self._stop(anyio.EndOfStream())

    def pause_writing(self) -> None:
        """The other side reads too slowly."""
        self._writable.clear()

    def resume_writing(self) -> None:
        """It goes on."""
        self._writable.set()

    def _again(self) -> None:
        self._wrote = False

    def _stop(self, end: BaseException) -> None:
        self._end = self._end or end
        self._writable.set()
        self._wake()

    def _wake(self) -> None:
        if self._reader is not None and not self._reader.done():
            self._reader.set_result(None)


async def open_socket(connected: socket.socket, limit: int = FRAME_LIMIT) -> SocketTransport:
    """A transport over a socket that is connected already."""
    connected.setblocking(False)
    loop = asyncio.get_running_loop()
    _, transport = await loop.create_connection(lambda: SocketTransport(limit), sock=connected)
    return transport
