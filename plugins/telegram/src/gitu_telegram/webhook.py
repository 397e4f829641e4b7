"""Listens for updates that Telegram sends by itself. Whoever does not know the secret gets nothing."""

from __future__ import annotations

import hashlib
import hmac
import json
import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import anyio
import h11
from anyio.abc import SocketStream

from gitu_core.errors import ConfigError, GituError, NotReady
from gitu_telegram.settings import UPDATES

if TYPE_CHECKING:
    from gitu_telegram.desk import Desk
    from gitu_telegram.settings import Settings
    from gitu_telegram.transport import Client

log = logging.getLogger("gitu.plugins.telegram")

SECRET = b"x-telegram-bot-api-secret-token"
LARGEST, HEAD = 1 << 20, 16 << 10
"""Bytes that an update, and the head of its request, may have."""

SECONDS, HANDING = 10.0, 50.0
"""Within which a whole request has to come, and the message has to be taken: then Telegram gives up on it."""

AT_ONCE = 64
"""Connections that are served at once; more are closed."""


def secret_of(token: str) -> str:
    """The secret of the webhook: the same after every start, and nothing that the token could be found from."""
    return hmac.new(token.encode(), b"gitu webhook", hashlib.sha256).hexdigest()


async def listen(bot: Client, settings: Settings, desk: Desk, well: Callable[[], None]) -> None:
    """Has Telegram send updates here, and takes them until cancelled."""
    try:
        listener = await anyio.create_tcp_listener(
            local_host=settings.webhook_listen, local_port=settings.webhook_port, reuse_port=False
        )
    except OSError as error:
        raise NotReady(f"cannot listen on {settings.webhook_listen}:{settings.webhook_port}: {error.strerror}",
                       hint="end what listens there, or choose another webhook_port") from error  # fmt: skip
    except ValueError as error:
        raise ConfigError(f"webhook_listen: {error}", hint="write an address", field="webhook_listen") from error
    async with listener:
        secret = secret_of(bot.token)
        await bot.set_webhook(settings.webhook_url, secret_token=secret, allowed_updates=UPDATES, max_connections=16)
        door = _Door(secret, urlsplit(settings.webhook_url).path or "/", desk, well)
        await listener.serve(door.serve)


class Refused(Exception):
    """A request that is not answered as it wishes."""

    def __init__(self, status: int, why: str) -> None:
        super().__init__(why)
        self.status = status


class _Door:
    def __init__(self, secret: str, path: str, desk: Desk, well: Callable[[], None]) -> None:
        self._secret, self._path, self._desk, self._well = secret.encode(), path.encode(), desk, well
        self._open, self._lock = 0, anyio.Lock()

    async def serve(self, stream: SocketStream) -> None:
        """One connection, one request."""
        async with stream:
            if self._open >= AT_ONCE:
                return
            self._open += 1
            try:
                await self._answered(stream)
            except (anyio.BrokenResourceError, anyio.ClosedResourceError, anyio.EndOfStream):
                log.info("a webhook connection was dropped")
            finally:
                self._open -= 1

    async def _answered(self, stream: SocketStream) -> None:
        connection = h11.Connection(h11.SERVER, max_incomplete_event_size=HEAD)
        status = 200
        try:
            with anyio.fail_after(SECONDS):
                body = await self._request(connection, stream)
            status = await self._taken(body)
        except Refused as error:
            status = error.status
            log.warning("a webhook request was refused: %s", error)
        except TimeoutError:
            status = 408
            log.warning("a webhook request did not come within %g s", SECONDS)
        except h11.RemoteProtocolError as error:
            status = error.error_status_hint
            log.warning("a webhook request was no HTTP")
        if connection.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            head = h11.Response(status_code=status, headers=[("Content-Length", "0"), ("Connection", "close")])
            with anyio.move_on_after(SECONDS):
                await stream.send((connection.send(head) or b"") + (connection.send(h11.EndOfMessage()) or b""))

    async def _request(self, connection: h11.Connection, stream: SocketStream) -> bytes:
        """The body of a request whose head is as it has to be."""
        body = bytearray()
        while True:
            event = connection.next_event()
            if event is h11.NEED_DATA:
                try:
                    connection.receive_data(await stream.receive(65_536))
                except anyio.EndOfStream:
                    connection.receive_data(b"")
            elif isinstance(event, h11.Request):
                self._check(event)
            elif isinstance(event, h11.Data):
                body += event.data
                if len(body) > LARGEST:
                    raise Refused(413, f"it has more than {LARGEST >> 20} MiB")
            elif isinstance(event, h11.EndOfMessage):
                return bytes(body)
            else:  # the other side went away
                raise anyio.EndOfStream

    def _check(self, request: h11.Request) -> None:
        headers = dict(request.headers)
        if request.target.partition(b"?")[0] != self._path:
            raise Refused(404, "it asks for another path")
        if request.method != b"POST":
            raise Refused(405, "it is no POST")
        if not hmac.compare_digest(headers.get(SECRET, b""), self._secret):
            raise Refused(403, "the secret is wrong" if SECRET in headers else "there is no secret")
        if headers.get(b"content-type", b"").partition(b";")[0].strip().lower() != b"application/json":
            raise Refused(415, "it is no JSON")
        if int(headers.get(b"content-length", b"0")) > LARGEST:
            raise Refused(413, f"it has more than {LARGEST >> 20} MiB")

    async def _taken(self, body: bytes) -> int:
        """The status that tells Telegram whether it may forget an update. One at a time, as they came."""
        try:
            raw: Any = json.loads(body)
        except (ValueError, RecursionError):
            raise Refused(400, "its body is no JSON") from None
        if not isinstance(raw, dict) or not isinstance(raw.get("update_id"), int):
            raise Refused(400, "its body is no update")
        from telegram.error import TelegramError

        try:
            with anyio.fail_after(HANDING):
                async with self._lock:
                    await self._desk.take(raw)
        except (TimeoutError, GituError, TelegramError) as error:  # Telegram hands it over again
            log.warning("an update was not taken: %s", error)
            return 503
        self._well()
        return 200
