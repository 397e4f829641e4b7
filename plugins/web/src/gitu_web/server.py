"""Serves the site until cancelled: within the task that asks for it, without touching signals."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any

import anyio
import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from gitu_core.errors import ConfigError, NotReady
from gitu_web.protocol import LARGEST
from gitu_web.settings import Settings

log = logging.getLogger("gitu.plugins.web")

HEAD, HEAD_SECONDS = 32 << 10, 10.0
"""Bytes that the head of a request may have, and seconds in which it has to come."""

IDLE, DRAIN = 30, 5
"""Seconds that a connection without a request is kept, and that requests may take when the server ends."""

PING, PONG = 30.0, 30.0
"""Seconds between two signs of life on a WebSocket, and within which the answer has to come."""


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


class Sockets(WebSocketsSansIOProtocol):
    """WebSockets that can be cut off where the other side does not read any more."""

    async def run_asgi(self) -> None:
        """One connection."""
        self.scope["gitu.abort"] = self.transport.abort  # type: ignore[typeddict-unknown-key]
        await super().run_asgi()

    def keepalive_timeout(self) -> None:
        """Nobody answers."""
        super().keepalive_timeout()
        self.transport.abort()


class _Server(uvicorn.Server):
    @contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """Signals are the host's."""
        yield


async def serve(app: ASGIApp, settings: Settings, ending: Callable[[], None]) -> None:
    """Serves until cancelled; then *ending* is called, nothing new is taken, and what runs gets a moment. `NotReady`
    where the address is taken, `ConfigError` where there is no such address."""
    listener = bound(settings)
    config = uvicorn.Config(
        app, http=Patient, ws=Sockets, ws_max_size=4 * LARGEST, ws_ping_interval=PING, ws_ping_timeout=PONG,
        ws_per_message_deflate=False, lifespan="off", log_config=None, access_log=False, server_header=False,
        proxy_headers=bool(settings.proxies), forwarded_allow_ips=list(settings.proxies), backlog=1024,
        limit_concurrency=settings.connections, timeout_keep_alive=IDLE, timeout_graceful_shutdown=DRAIN,
        h11_max_incomplete_event_size=HEAD,
    )  # fmt: skip
    server = _Server(config)
    running: asyncio.Task[Any] = asyncio.ensure_future(server.serve([listener]))
    try:
        await asyncio.shield(running)
    finally:
        ending()
        server.should_exit = True
        with anyio.CancelScope(shield=True):
            await asyncio.wait([running])
        listener.close()
    raise NotReady("the server ended", hint="the log says why")


def bound(settings: Settings) -> socket.socket:
    """A listening socket at the address of the settings."""
    where = f"{settings.host}:{settings.port}"
    try:
        found = socket.getaddrinfo(settings.host, settings.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, UnicodeError) as error:
        hint = "set host in [plugins.web] to an address of this machine"
        raise ConfigError(f"there is no address {settings.host!r}: {error}", hint=hint, field="host") from error
    family, kind, protocol, _, address = found[0]
    listener = socket.socket(family, kind, protocol)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
    except OSError as error:
        listener.close()
        raise NotReady(f"cannot listen on {where}: {error.strerror}",
                       hint="end what listens there, or set another port in [plugins.web]") from error  # fmt: skip
    listener.setblocking(False)
    return listener
