"""The border over a pair of byte streams, for instance a child's standard input and output: frames with a
length."""

from __future__ import annotations

import struct

import anyio
from anyio.abc import ByteReceiveStream, ByteSendStream
from anyio.streams.buffered import BufferedByteReceiveStream

from gitu_core.border.codec import FRAME_LIMIT
from gitu_core.border.peer import HEADER
from gitu_core.errors import BorderError

_LENGTH = struct.Struct(">I")


class PipeTransport:
    """Chunks over byte streams: each begins with its length, four bytes, big-endian.

    *limit* is the longest value that may come in, in bytes: a longer announcement is refused before it is
    read. Sending is not safe to cancel half-way; a peer cancels it only when the connection ends.
    """

    def __init__(self, receive: ByteReceiveStream, send: ByteSendStream, limit: int = FRAME_LIMIT) -> None:
        self._receive = BufferedByteReceiveStream(receive)
        self._send = send
        self._limit = limit + HEADER

    async def send(self, item: bytes, /) -> None:
        """Writes one chunk."""
        await self._send.send(_LENGTH.pack(len(item)) + item)

    async def receive(self) -> bytes:
        """The next chunk; `anyio.EndOfStream` where the other side ended, also in the middle of one."""
        try:
            (length,) = _LENGTH.unpack(await self._receive.receive_exactly(_LENGTH.size))
            if length > self._limit:
                what = f"a chunk of {length} bytes is announced, {self._limit} are allowed"
                raise BorderError(what, hint="only Gitu may write to this connection")
            return await self._receive.receive_exactly(length) if length else b""
        except anyio.IncompleteRead:
            raise anyio.EndOfStream from None

    async def aclose(self) -> None:
        """Closes both directions."""
        await self._send.aclose()
        await self._receive.aclose()
