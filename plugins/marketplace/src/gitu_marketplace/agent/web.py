"""A server at an address: every request of the library goes through the host, which knows where it may go and fills in
the secrets."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import httpx2
import msgspec
from mcp_types import INTERNAL_ERROR, INVALID_REQUEST, PARSE_ERROR

from gitu_core.contracts import HttpRequest, HttpResponse
from gitu_core.errors import GituError

if TYPE_CHECKING:
    from gitu_core import Host

SECONDS = 110.0
"""How long a request may take."""

_OURS = frozenset(("host", "connection", "content-length", "accept-encoding", "user-agent"))
_THEIRS = frozenset(("transfer-encoding", "content-length", "content-encoding", "connection"))


class Through(httpx2.AsyncBaseTransport):
    """Sends what the client of the library wants to send through the host's ``http``. *headers* stand behind what the
    protocol needs. `failed` is the last error of the host, `gone` that the server forgot the session."""

    def __init__(self, host: Host, headers: dict[str, str]) -> None:
        self._host, self._headers = host, headers
        self.failed: GituError | None = None
        self.gone = self._odd = False

    def unread(self, code: int) -> bool:
        """True if an error with this code may hide that the server did what it was asked for: the library says by these
        that an answer is no message of the protocol."""
        return code == PARSE_ERROR or (self._odd and code in (INVALID_REQUEST, INTERNAL_ERROR))

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Sends one request. A stream that stays open is not offered: answers come whole."""
        self.failed = None
        if request.method == "GET":
            return httpx2.Response(405, request=request)
        own: dict[str, Any] = {name: value for name, value in request.headers.items() if name.lower() not in _OURS}
        headers, body = {**self._headers, **own}, await request.aread()
        try:
            answer = await self._host.http.request(
                HttpRequest(str(request.url), request.method, headers, body, SECONDS)
            )
        except GituError as error:
            self.failed = error
            raise httpx2.ConnectError(error.message, request=request) from error
        if body and "id" in msgspec.json.decode(body):  # no notice: it waits for an answer
            self._odd = self._odd or not (_refuses(answer) or _speaks(answer))
            self.gone = self.gone or (answer.status == 404 and "mcp-session-id" in request.headers)
        kept = [(name, value) for name, value in answer.headers.items() if name.lower() not in _THEIRS]
        return httpx2.Response(answer.status, headers=kept, content=answer.body, request=request)


def _refuses(answer: HttpResponse) -> bool:
    """True if the server says by its status that it did nothing."""
    return 400 <= answer.status < 500


def _speaks(answer: HttpResponse) -> bool:
    """True if it may be a message of the protocol."""
    kind = next((value for name, value in answer.headers.items() if name.lower() == "content-type"), "").lower()
    return answer.status == 200 and kind.startswith(("application/json", "text/event-stream"))
