"""Serves the site until cancelled: within the task that asks for it, without touching signals."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from typing import Any

import anyio
import uvicorn
from starlette.types import ASGIApp

from gitu_core.errors import ConfigError, NotReady
from gitu_web.connections import HEAD, Patient, Sockets
from gitu_web.protocol import LARGEST
from gitu_web.settings import Settings

log = logging.getLogger("gitu.plugins.web")

IDLE, DRAIN = 30, 5
"""Seconds that a connection without a request is kept, and that requests may take when the server ends."""

PING, PONG = 30.0, 30.0
"""Seconds between two signs of life on a WebSocket, and within which the answer has to come."""


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.ending = asyncio.Event()

    async def main_loop(self) -> None:
        """Once a second, and at once when it has to end."""
        while not await self.on_tick(0):
            with suppress(TimeoutError):
                await asyncio.wait_for(self.ending.wait(), 1.0)

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
        server.ending.set()
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
