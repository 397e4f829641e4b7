"""The provider: asks one server that speaks the OpenAI HTTP protocol."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from typing import Any
from weakref import WeakSet

import anyio

from gitu_core.contracts import Host, ModelEvent, ModelInfo, ModelRequest
from gitu_core.errors import AuthFailed, ConfigError, GituError, NotReady, StreamBroken
from gitu_openai.answer import Broken
from gitu_openai.catalogue import catalogue, thinks
from gitu_openai.connection import Connection
from gitu_openai.decode import Decoder
from gitu_openai.encode import Encoder
from gitu_openai.failures import failure
from gitu_openai.pool import Pool

DEFAULT_URL = "https://api.openai.com/v1"
SECRET = "OPENAI_API_KEY"
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
        headers = {"Content-Type": "application/json", "User-Agent": "gitu"}
        for header, key in (("OpenAI-Organization", "organization"), ("OpenAI-Project", "project")):
            if config.get(key):
                headers[header] = str(config[key])
        self._encoder = Encoder(host.blobs)
        self._headers, self._limit = headers, int(config.get("max_connections", 256))
        self._pool: Pool | None = None
        _live.add(self)

    async def catalogue(self) -> Sequence[ModelInfo]:
        """The known models, the configured one first."""
        return catalogue(self._default)

    async def close(self) -> None:
        """Closes the connections."""
        if self._pool is not None:
            self._pool.close()

    async def stream(self, request: ModelRequest) -> AsyncGenerator[ModelEvent]:
        """Asks a model. Raises the typed failures that the contract names."""
        model = request.model.removeprefix(f"{self.name}/") or self._default or catalogue("")[0].id
        streamed = self._stream and request.settings.get("stream") is not False
        secret = await self._secret(request.credential)
        body = await self._encoder.body(request, model, streamed, self._options(request, model))
        decoder = Decoder(self._encoder.tools(request.tools)[1] if request.tools else {}, secret)
        pool = self._pool or self._connect()
        try:
            server, connection = await pool.post(secret, body, request.timeout)
            try:
                answer = connection.answer
                if answer.status != 200:
                    raise failure(answer.status, answer.headers, await _whole(connection, _ERROR_LIMIT), secret)
                if not streamed or answer.headers.get("content-type", "").startswith("application/json"):
                    for event in decoder.whole(await _whole(connection)):
                        yield event
                else:
                    while data := await connection.read():
                        for event in decoder.feed(data):
                            yield event
                        if decoder.done:
                            await _drain(connection)
                            break
                last = decoder.finish()
            finally:
                server.done(connection)
        except (Broken, OSError) as error:  # a TimeoutError is an OSError
            raise _broken(error, decoder.started, self._base) from error
        yield last

    def _connect(self) -> Pool:
        try:
            self._pool = Pool(f"{self._base}/chat/completions", self._headers, self._limit)
        except ValueError as error:
            raise ConfigError(f"base_url {self._base!r} is no address: {error}", hint="write https://host/v1",
                              field="base_url") from error  # fmt: skip
        return self._pool

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


async def _drain(connection: Connection) -> None:
    """Waits a little for the end of the body, so that the connection can be used again."""
    if not connection.answer.done:
        with anyio.move_on_after(DRAIN_TIMEOUT):
            await connection.read()


async def _whole(connection: Connection, limit: int = 0) -> bytes:
    """The rest of a body; with a *limit*, as much of it."""
    pieces, size = [], 0
    while (not limit or size < limit) and (piece := await connection.read()):
        pieces.append(piece)
        size += len(piece)
    return b"".join(pieces)


async def close_all(host: Host) -> None:
    """Closes every provider that was made for *host*."""
    for provider in list(_live):
        if provider.host is host:
            await provider.close()
