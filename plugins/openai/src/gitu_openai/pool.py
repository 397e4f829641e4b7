"""The connections to the server: made when they are needed, kept for the next request."""

from __future__ import annotations

import asyncio
import ssl
from collections import deque
from typing import Any
from urllib.parse import quote, urlsplit
from weakref import WeakKeyDictionary

from gitu_openai.connection import Connection

CONNECT_TIMEOUT = 15.0
"""Seconds to reach the server."""

SPACE = 1 << 16
"""Bytes that are read at once."""


class Server:
    """The connections of one event loop to a server. At most *limit* at once: who comes then waits."""

    def __init__(self, host: str, port: int, tls: ssl.SSLContext | None, limit: int) -> None:
        self._host, self._port, self._tls = host, port, tls
        self._room = asyncio.Semaphore(limit)
        self._idle: deque[Connection] = deque()
        self._space = bytearray(SPACE)

    async def ask(self, request: bytes, timeout: float) -> Connection:
        """Sends *request*; gives the connection on which its answer begins. Hand it to `done`."""
        await self._room.acquire()
        connection = None
        try:
            connection = self._kept() or await self._connected()
            connection.send(request, timeout)
            await connection.begun()
        except BaseException:  # whatever it is, cancellation too: its place is free again
            if connection is None:
                self._room.release()
            else:
                self.done(connection)  # its answer may have come whole in that moment: then it is kept
            raise
        return connection

    def done(self, connection: Connection) -> None:
        """Takes a connection back. One whose answer was read in full is used again; any other is closed."""
        self._room.release()
        if connection.over():
            self._idle.append(connection)
        while self._idle and self._idle[0].stale:
            self._idle.popleft().abort()

    def close(self) -> None:
        """Closes what is kept."""
        while self._idle:
            self._idle.pop().abort()

    def _kept(self) -> Connection | None:
        while self._idle:
            connection = self._idle.pop()
            if connection.fit and not connection.stale:
                return connection
            connection.abort()
        return None

    async def _connected(self) -> Connection:
        loop = asyncio.get_running_loop()
        # Other event loops than the standard library's do not know how to try two addresses at once.
        more: Any = {"happy_eyeballs_delay": 0.25} if isinstance(loop, asyncio.BaseEventLoop) else {}
        async with asyncio.timeout(CONNECT_TIMEOUT):
            _, connection = await loop.create_connection(
                lambda: Connection(self._space), self._host, self._port, ssl=self._tls, **more
            )
        return connection

    @property
    def idle(self) -> int:
        """How many connections are kept."""
        return len(self._idle)


class Pool:
    """Connections to the server at *address*. Those of each event loop are its own: an embedder may use several.
    `ValueError` if it is no address."""

    def __init__(self, address: str, headers: dict[str, str], limit: int) -> None:
        url = urlsplit(address)
        if url.scheme not in ("http", "https") or not url.hostname:
            raise ValueError("it is not https://host/path")
        self._host, self._port = url.hostname, url.port or (443 if url.scheme == "https" else 80)
        self._tls, self._limit = url.scheme == "https", limit
        self._servers: WeakKeyDictionary[asyncio.AbstractEventLoop, Server] = WeakKeyDictionary()
        self._context: ssl.SSLContext | None = None
        host = url.hostname.encode("idna").decode() if ":" not in url.hostname else f"[{url.hostname}]"
        lines = [
            f"POST {quote(url.path, safe='/%:@!$&()*+,;=~')} HTTP/1.1",
            f"Host: {host}" + (f":{url.port}" if url.port else ""),
            "Accept-Encoding: identity",
            *(f"{name}: {value}" for name, value in headers.items()),
        ]
        if not all(line.isascii() and line.isprintable() for line in lines):
            raise ValueError("a header holds characters that no header has")
        self._head = "\r\n".join([*lines, ""])

    async def post(self, secret: str, body: bytes, timeout: float) -> tuple[Server, Connection]:
        """Sends a request; gives the connection on which its answer begins, to be handed back to the server."""
        head = f"{self._head}Authorization: Bearer {secret}\r\nContent-Length: {len(body)}\r\n\r\n"
        server = self.server()
        return server, await server.ask(head.encode("ascii") + body, timeout)

    def server(self) -> Server:
        """The connections of the running loop."""
        loop = asyncio.get_running_loop()
        found = self._servers.get(loop)
        if found is None:
            if self._tls and self._context is None:
                self._context = ssl.create_default_context()
                self._context.set_alpn_protocols(["http/1.1"])
            found = self._servers[loop] = Server(self._host, self._port, self._context, self._limit)
        return found

    def close(self) -> None:
        """Closes the running loop's connections; loops that are gone have none left to close."""
        server = self._servers.pop(asyncio.get_running_loop(), None)
        if server is not None:
            server.close()
