"""HTTP/1.1 as this provider needs it: one POST after the other to one server, answers read as they come.

A general client spends more on such a request than the rest of the turn does, and half a second on being imported.
"""

from __future__ import annotations

import asyncio
from typing import Any

from gitu_openai.answer import Answer, Broken

IDLE = 30.0
"""Seconds after which a connection that nobody used is not used again."""


class Connection(asyncio.BufferedProtocol):
    """A connection to the server. `answer` is the one that is read now, or was last."""

    def __init__(self, space: bytearray) -> None:
        self._space = memoryview(space)
        self._transport: Any = None
        self._waiter: asyncio.Future[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._error: Exception | None = None
        self._closed = self._paused = False
        self._timeout = self._heard = 0.0
        self.answer = Answer()
        self.answer.done = True

    # ---- for whoever asks ---------------------------------------------------------------------------------------

    def send(self, request: bytes, timeout: float) -> None:
        """Sends a request. *timeout*: seconds that the server may be silent."""
        self.answer = Answer()
        loop = asyncio.get_running_loop()
        self._timeout, self._heard = timeout, loop.time()
        self._timer = loop.call_at(self._heard + timeout, self._look)
        self._transport.write(request)

    async def begun(self) -> Answer:
        """The answer, as soon as its status and headers are there."""
        while not self.answer.status:
            await self._news()
        return self.answer

    async def read(self) -> bytes:
        """What came of the body meanwhile; waits where nothing did. Empty at the end."""
        while not (data := self.answer.take()) and not self.answer.done:
            await self._news()
        if self._paused and not self._closed:
            self._paused = False
            self._transport.resume_reading()
        return data

    def over(self) -> bool:
        """Nobody reads on; True if another request may be sent."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self.fit:
            self._heard = asyncio.get_running_loop().time()
            return True
        self.abort()
        return False

    def abort(self) -> None:
        """Closes it at once."""
        self._closed = True
        if self._transport is not None:
            self._transport.abort()

    @property
    def fit(self) -> bool:
        """True while another request may be sent."""
        return self.answer.done and self.answer.keeps and not self._closed

    @property
    def stale(self) -> bool:
        """True if nobody used it for long."""
        return asyncio.get_running_loop().time() - self._heard > IDLE

    async def _news(self) -> None:
        if self._error is not None:
            raise self._error
        self._waiter = asyncio.get_running_loop().create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None

    # ---- for the event loop -------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The server took the call."""
        self._transport = transport

    def get_buffer(self, sizehint: int) -> memoryview:
        """Where the next bytes go."""
        return self._space

    def buffer_updated(self, nbytes: int) -> None:
        """Bytes came."""
        self._heard = asyncio.get_running_loop().time()
        try:
            self.answer.feed(bytes(self._space[:nbytes]))
        except ValueError as error:
            self._fail(Broken(str(error)))
            return
        if self.answer.full and not self._paused:
            self._paused = True
            self._transport.pause_reading()
        self._wake()

    def eof_received(self) -> None:
        """The server says no more."""
        return None

    def connection_lost(self, error: Exception | None) -> None:
        """It is over, well or not."""
        self._closed = True
        if not self.answer.ended():
            self._fail(Broken("the connection was closed") if error is None else error)
        self._wake()

    def _look(self) -> None:
        loop = asyncio.get_running_loop()
        due = self._heard + self._timeout
        if due > loop.time() or self._paused:
            self._timer = loop.call_at(max(due, loop.time() + 0.1), self._look)
        else:
            self._fail(TimeoutError("the server is silent"))

    def _fail(self, error: Exception) -> None:
        self._error = self._error or error
        self.abort()
        self._wake()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)
