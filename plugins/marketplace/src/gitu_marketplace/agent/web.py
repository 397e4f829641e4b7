"""A server at an address: every request of the library goes through the host, which knows where it may go and fills in
the secrets."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import httpx2

from gitu_core.contracts import HttpRequest
from gitu_core.errors import GituError

if TYPE_CHECKING:
    from gitu_core import Host

SECONDS = 110.0
"""How long a request may take."""

_OURS = frozenset(("host", "connection", "content-length", "accept-encoding", "user-agent"))
_THEIRS = frozenset(("transfer-encoding", "content-length", "content-encoding", "connection"))


class Through(httpx2.AsyncBaseTransport):
    """Sends what the client of the library wants to send through the host's ``http``. *headers* stand behind what the
    protocol needs. `failed` is the last error of the host."""

    def __init__(self, host: Host, headers: dict[str, str]) -> None:
        self._host, self._headers = host, headers
        self.failed: GituError | None = None

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Sends one request. A stream that stays open is not offered: answers come whole."""
        self.failed = None
        if request.method == "GET":
            return httpx2.Response(405, request=request)
        own: dict[str, Any] = {name: value for name, value in request.headers.items() if name.lower() not in _OURS}
        headers = {**self._headers, **own}
        try:
            answer = await self._host.http.request(
                HttpRequest(str(request.url), request.method, headers, await request.aread(), SECONDS)
            )
        except GituError as error:
            self.failed = error
            raise httpx2.ConnectError(error.message, request=request) from error
        kept = [(name, value) for name, value in answer.headers.items() if name.lower() not in _THEIRS]
        return httpx2.Response(answer.status, headers=kept, content=answer.body, request=request)
