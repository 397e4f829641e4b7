"""Connections that take little: little time from whoever is slow, little memory for whoever is quiet."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

log = logging.getLogger("gitu.plugins.web")

HEAD, HEAD_SECONDS = 32 << 10, 10.0
"""Bytes that the head of a request may have, and seconds in which it has to come."""


class Patient(H11Protocol):
    """HTTP, but the head of a request has to come soon: whoever sends it bit by bit holds no connection for long."""

    _head: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Somebody connected."""
        super().connection_made(transport)
        self._expect()

    def data_received(self, data: bytes) -> None:
        """Something came; a head that is not complete has no more time for that."""
        waits = self.timeout_keep_alive_task is not None
        before = self.cycle
        super().data_received(data)
        if self.cycle is not before or self.transport.get_protocol() is not self:
            self._unexpect()
        elif waits:
            self._expect()

    def connection_lost(self, exc: Exception | None) -> None:
        """It is gone."""
        self._unexpect()
        super().connection_lost(exc)

    def _expect(self) -> None:
        if self._head is None:
            self._head = self.loop.call_later(HEAD_SECONDS, self._overdue)

    def _unexpect(self) -> None:
        if self._head is not None:
            self._head.cancel()
            self._head = None

    def _overdue(self) -> None:
        self._head = None
        log.info("a connection was closed: no request came within %g s", HEAD_SECONDS)
        self.transport.close()


class Line:
    """What a WebSocket brings, for its one reader. (A queue of the standard library takes three kilobytes more.)"""

    __slots__ = ("_held", "_reader")

    def __init__(self) -> None:
        self._held: list[Any] = []
        self._reader: asyncio.Future[None] | None = None

    def put_nowait(self, item: Any) -> None:
        """Something came."""
        self._held.append(item)
        if self._reader is not None and not self._reader.done():
            self._reader.set_result(None)

    def empty(self) -> bool:
        """True if nothing waits."""
        return not self._held

    async def get(self) -> Any:
        """What came first; waits for it."""
        while not self._held:
            self._reader = asyncio.get_running_loop().create_future()
            try:
                await self._reader
            finally:
                self._reader = None
        return self._held.pop(0)


class Gate:
    """Open, or waited at. (An event of the standard library takes most of a kilobyte more.)"""

    __slots__ = ("_closed", "_waiting")

    def __init__(self) -> None:
        self._closed, self._waiting = False, set[asyncio.Future[None]]()

    def set(self) -> None:
        """It opens."""
        self._closed = False
        for each in self._waiting:
            if not each.done():
                each.set_result(None)

    def clear(self) -> None:
        """It closes."""
        self._closed = True

    async def wait(self) -> None:
        """Waits until it is open."""
        while self._closed:
            waiting: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiting.add(waiting)
            try:
                await waiting
            finally:
                self._waiting.discard(waiting)


class Sockets(WebSocketsSansIOProtocol):
    """WebSockets that can be cut off where the other side does not read any more, and that forget their greeting."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.queue = Line()  # type: ignore[assignment]
        self.writable = Gate()  # type: ignore[assignment]

    async def run_asgi(self) -> None:
        """One connection. The application finds `cut_off` and `forget` in its scope."""
        more: dict[str, Callable[[], None]] = {"gitu.cut_off": self.transport.abort, "gitu.forget": self._forget}
        self.scope.update(more)  # type: ignore[typeddict-item]
        await super().run_asgi()

    async def send(self, message: Any) -> None:
        """Sends it. A refusal is an answer, which the base class takes for none, and reports."""
        await super().send(message)
        if message["type"] == "websocket.http.response.body" and self.close_sent:
            self.handshake_complete = True

    def keepalive_timeout(self) -> None:
        """Nobody answers."""
        super().keepalive_timeout()
        self.transport.abort()

    def _forget(self) -> None:
        """What was said at the greeting is not needed any more."""
        self.request.headers.clear()
        self.response.headers.clear()
        self.scope["headers"] = []
