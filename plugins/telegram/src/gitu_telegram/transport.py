"""How requests get to Telegram: through the host where the plugin runs apart from it, else through the library's own
client. Neither says the token, which stands in every address."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import httpx
from telegram import Bot
from telegram.error import NetworkError, TelegramError, TimedOut
from telegram.request import BaseRequest, HTTPXRequest, RequestData

from gitu_core.contracts import HttpRequest
from gitu_core.errors import Denied, GituError, NotReady

if TYPE_CHECKING:
    from gitu_core.contracts import Host

SECONDS = 20.0
"""Within which Telegram has to answer, beside the time that a poll waits there."""

PIECE = 4 << 20
"""Bytes of a file that are asked for at once."""

LARGEST = 12 << 20
"""Bytes of a request that can be handed to the host."""


class Client(Bot):
    """The library's bot, which also gives updates as they came: one that it cannot read must not hold up the others."""

    async def polled(self, offset: int | None, seconds: int, kinds: Sequence[str]) -> list[Any]:
        """What happened, as soon as anything did, or nothing after some *seconds*."""
        found = await self._post(
            "getUpdates", {"offset": offset, "timeout": seconds, "allowed_updates": list(kinds)},
            read_timeout=SECONDS + seconds,
        )  # fmt: skip
        return found if isinstance(found, list) else []


class NeverLeft(NetworkError):
    """The request did not reach Telegram: nobody saw anything."""


class TooLarge(TelegramError):
    """A file has more bytes than were asked for, or than can be sent."""


class HostRequest(BaseRequest):
    """Requests through `host.http`."""

    def __init__(self, host: Host, token: str) -> None:
        self._host, self._token = host, token

    @property
    def read_timeout(self) -> float:
        """Seconds to wait for an answer."""
        return SECONDS

    async def initialize(self) -> None:
        """Nothing has to be opened."""

    async def shutdown(self) -> None:
        """Nothing is open."""

    @staticmethod
    def parse_json_payload(payload: bytes) -> dict[str, Any]:
        """The answer, none of which stands in an error or a log."""
        return parsed(payload)

    async def do_request(
        self, url: str, method: str, request_data: RequestData | None = None, read_timeout: Any = None,
        write_timeout: Any = None, connect_timeout: Any = None, pool_timeout: Any = None,
    ) -> tuple[int, bytes]:  # fmt: skip
        """Sends a request; gives the status and the body of the answer."""
        seconds = read_timeout if isinstance(read_timeout, int | float) else SECONDS
        built = httpx.Request(
            method, url, data=request_data.json_parameters if request_data else None,
            files=request_data.multipart_data if request_data and request_data.contains_files else None,
        )  # fmt: skip
        body = built.read()
        if len(body) > LARGEST:
            raise TooLarge(f"it has more than {LARGEST >> 20} MiB")
        headers = {name: value for name, value in built.headers.items() if name == "content-type"}
        return await self._asked(HttpRequest(url, method, headers, body, float(seconds)))

    async def _asked(self, request: HttpRequest) -> tuple[int, bytes]:
        try:
            answer = await self._host.http.request(request)
        except (NotReady, Denied) as error:
            raise NeverLeft(self._without(error)) from None
        except GituError as error:
            raise TimedOut(self._without(error)) from None
        return answer.status, answer.body

    def _without(self, error: GituError) -> str:
        return error.message.replace(self._token, "TOKEN")

    async def piece(self, url: str, start: int) -> tuple[int, bytes]:
        """A part of a file, and the status."""
        headers = {"Range": f"bytes={start}-{start + PIECE - 1}"}
        return await self._asked(HttpRequest(url, headers=headers, timeout=60.0))


class DirectRequest(HTTPXRequest):
    """Requests through the library's own client."""

    @staticmethod
    def parse_json_payload(payload: bytes) -> dict[str, Any]:
        """The answer, none of which stands in an error or a log."""
        return parsed(payload)

    async def do_request(self, *args: Any, **kwargs: Any) -> tuple[int, bytes]:
        """Sends a request; tells apart what never left."""
        try:
            return await super().do_request(*args, **kwargs)
        except NetworkError as error:
            if isinstance(error.__cause__, httpx.ConnectError | httpx.ConnectTimeout | httpx.PoolTimeout):
                raise NeverLeft(f"the server cannot be reached: {type(error.__cause__).__name__}") from None
            raise TimedOut(f"no answer: {type(error.__cause__ or error).__name__}") from None

    async def piece(self, url: str, start: int) -> tuple[int, bytes]:
        """A part of a file, and the status."""
        try:
            answer = await self._client.get(url, headers={"Range": f"bytes={start}-{start + PIECE - 1}"}, timeout=60.0)
        except httpx.HTTPError as error:
            raise NeverLeft(f"the file cannot be fetched: {type(error).__name__}") from None
        return answer.status_code, answer.content


def parsed(payload: bytes) -> dict[str, Any]:
    """An answer of the server."""
    import msgspec

    try:
        found = msgspec.json.decode(payload)
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise TelegramError("the server sent no JSON") from None
    if not isinstance(found, dict):
        raise TelegramError("the server sent something else than an object")
    return found
