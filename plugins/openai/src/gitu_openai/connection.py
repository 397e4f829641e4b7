"""The pooled connections to one server. aiohttp is imported with the first request, not before."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

if TYPE_CHECKING:
    from aiohttp import ClientSession


class Pool:
    """One session an event loop: each belongs to the loop that made it, and an embedder may use several."""

    def __init__(self, connections: int) -> None:
        self._connections = connections
        self._sessions: WeakKeyDictionary[asyncio.AbstractEventLoop, ClientSession] = WeakKeyDictionary()

    def session(self) -> ClientSession:
        """The session of the running loop."""
        loop = asyncio.get_running_loop()
        found = self._sessions.get(loop)
        if found is None or found.closed:
            found = self._sessions[loop] = self._open()
        return found

    def _open(self) -> ClientSession:
        from aiohttp import ClientSession, DummyCookieJar, TCPConnector

        connector = TCPConnector(limit=self._connections, keepalive_timeout=30, ttl_dns_cache=300)
        return ClientSession(
            connector=connector, cookie_jar=DummyCookieJar(), auto_decompress=True, read_bufsize=1 << 18
        )

    async def close(self) -> None:
        """Closes the running loop's session; loops that are gone have no connections left to close."""
        session = self._sessions.pop(asyncio.get_running_loop(), None)
        if session is not None:
            await session.close()
