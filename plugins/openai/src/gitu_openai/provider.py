"""The provider: asks one server that speaks the OpenAI HTTP protocol."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from typing import TYPE_CHECKING, Any
from weakref import WeakSet

import anyio

from gitu_core.contracts import Host, ModelEvent, ModelInfo, ModelRequest
from gitu_core.errors import AuthFailed, ConfigError, GituError, NotReady, StreamBroken
from gitu_openai.catalogue import catalogue, thinks
from gitu_openai.connection import Pool
from gitu_openai.decode import Decoder
from gitu_openai.encode import Encoder
from gitu_openai.failures import failure

if TYPE_CHECKING:
    from aiohttp import ClientResponse, ClientTimeout
    from yarl import URL

DEFAULT_URL = "https://api.openai.com/v1"
SECRET = "OPENAI_API_KEY"
CONNECT_TIMEOUT = 15.0
"""Seconds to reach the server."""

DRAIN_TIMEOUT = 0.25
"""Seconds that a server has to end a body after the last event."""

_ERROR_LIMIT = 64 << 10
_live: WeakSet[OpenAIProvider] = WeakSet()


class OpenAIProvider:
    """A `ModelProvider`. Keeps connections open between requests; `close` lets go of them."""

    def __init__(self, host: Host, name: str = "openai") -> None:
        self.name = name
        self.host = host
        config = host.config
        self._base = str(config.get("base_url") or DEFAULT_URL).rstrip("/")
        self._default = str(config.get("model") or "").removeprefix(f"{name}/")
        self._stream = bool(config.get("stream", True))
        # The vendor renamed the field; other servers mostly know the old name only.
        self._limit_field = "max_completion_tokens" if self._base == DEFAULT_URL else "max_tokens"
        self._headers = {"Content-Type": "application/json", "User-Agent": "gitu"}
        for header, key in (("OpenAI-Organization", "organization"), ("OpenAI-Project", "project")):
            if config.get(key):
                self._headers[header] = str(config[key])
        self._encoder = Encoder(host.blobs)
        self._pool = Pool(int(config.get("max_connections", 256)))
        self._url: URL | None = None
        self._timeouts: dict[float, ClientTimeout] = {}
        _live.add(self)

    async def catalogue(self) -> Sequence[ModelInfo]:
        """The known models, the configured one first."""
        return catalogue(self._default)

    async def close(self) -> None:
        """Closes the connections."""
        await self._pool.close()

    async def stream(self, request: ModelRequest) -> AsyncGenerator[ModelEvent]:
        """Asks a model. Raises the typed failures that the contract names."""
        from aiohttp import ClientError

        model = request.model.removeprefix(f"{self.name}/") or self._default or catalogue("")[0].id
        streamed = self._stream and request.settings.get("stream") is not False
        secret = await self._secret(request.credential)
        body = await self._encoder.body(request, model, streamed, self._options(request, model))
        decoder = Decoder(self._encoder.tools(request.tools)[1] if request.tools else {}, secret)
        try:
            response = await self._send(body, secret, request.timeout)
            try:
                if response.status != 200:
                    raise failure(response.status, response.headers, await _error_body(response), secret)
                if not streamed or response.content_type == "application/json":
                    for event in decoder.whole(await response.read()):
                        yield event
                else:
                    async for data in response.content.iter_any():
                        for event in decoder.feed(data):
                            yield event
                        if decoder.done:
                            await _drain(response)
                            break
                last = decoder.finish()
            finally:
                # A connection whose answer was read in full goes back to the pool; any other one is closed.
                if response.content.is_eof():
                    response.release()
                else:
                    response.close()
        except (ClientError, OSError, TimeoutError) as error:
            raise _broken(error, decoder.started, self._base) from error
        yield last

    async def _send(self, body: bytes, secret: str, timeout: float) -> ClientResponse:
        from aiohttp import InvalidURL

        if self._url is None:
            self._url = self._address()
        headers = {**self._headers, "Authorization": f"Bearer {secret}"}
        try:
            return await self._pool.session().post(
                self._url, data=body, headers=headers, timeout=self._timeout(timeout), allow_redirects=False
            )
        except InvalidURL as error:
            raise ConfigError(f"base_url {self._base!r} is no address", field="base_url") from error

    def _address(self) -> URL:
        from yarl import URL

        try:
            url = URL(f"{self._base}/chat/completions")
        except ValueError as error:
            raise ConfigError(f"base_url {self._base!r} is no address", field="base_url") from error
        if url.scheme not in ("http", "https") or not url.host:
            raise ConfigError(f"base_url {self._base!r} is no address", hint="write https://host/v1", field="base_url")
        return url

    def _timeout(self, seconds: float) -> ClientTimeout:
        from aiohttp import ClientTimeout

        found = self._timeouts.get(seconds)
        if found is None:
            if len(self._timeouts) > 16:
                self._timeouts.clear()
            found = ClientTimeout(total=None, sock_connect=CONNECT_TIMEOUT, sock_read=seconds)
            self._timeouts[seconds] = found
        return found

    async def _secret(self, credential: str) -> str:
        secret = (await self.host.secrets.reveal(credential or SECRET)).strip()
        # A broken key would fail inside the HTTP library, whose message might show it.
        if not secret.isascii() or not secret.isprintable():
            raise AuthFailed("the key holds characters that no key has", hint="set it again")
        return secret

    def _options(self, request: ModelRequest, model: str) -> dict[str, Any]:
        options: dict[str, Any] = {}
        if request.max_tokens is not None:
            options[self._limit_field] = request.max_tokens
        if request.temperature is not None and not thinks(model):
            options["temperature"] = request.temperature
        return options


def _broken(error: Exception, begun: bool, url: str) -> GituError:
    """What a lost connection means. Only the kind of a library error is named: its text may hold anything."""
    what = type(error).__name__
    if begun:
        return StreamBroken(f"the connection broke inside the answer ({what})")
    return NotReady(f"the model server cannot be reached or does not answer ({what})", url=url)


async def _drain(response: ClientResponse) -> None:
    """Waits a little for the end of the body, so that the connection can be used again."""
    if not response.content.is_eof():
        with anyio.move_on_after(DRAIN_TIMEOUT):
            await response.content.readany()


async def _error_body(response: ClientResponse) -> bytes:
    return await response.content.read(_ERROR_LIMIT)


async def close_all(host: Host) -> None:
    """Closes every provider that was made for *host*."""
    for provider in list(_live):
        if provider.host is host:
            await provider.close()
