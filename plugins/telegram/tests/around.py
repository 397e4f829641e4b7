"""A host that holds what the channel asks for, and the people on the other side."""

from __future__ import annotations

import http.client
from collections.abc import Sequence
from functools import partial
from hashlib import sha256
from typing import Any
from urllib.parse import urlsplit

import anyio
import anyio.to_thread

from gitu_core.contracts import Ask, BlobRef, Entry, HttpRequest, HttpResponse, Message, Receipt
from gitu_core.errors import AuthFailed, NotReady, Unknown

from .fake import TOKEN, Fake


class Secrets:
    """The one secret."""

    def __init__(self, token: str) -> None:
        self.token = token

    async def reveal(self, name: str) -> str:
        """The token."""
        if not self.token:
            raise AuthFailed(f"{name} is not set")
        return self.token


class Store:
    """Small values, in memory."""

    def __init__(self) -> None:
        self.entries: dict[str, Entry] = {}

    async def get(self, key: str) -> Entry | None:
        """One of them."""
        return self.entries.get(key)

    async def put(self, entry: Entry) -> None:
        """Keeps one."""
        self.entries[entry.key] = entry

    async def list(self, prefix: str = "", person: str = "") -> Sequence[Entry]:
        """Some of them."""
        return [each for key, each in sorted(self.entries.items()) if key.startswith(prefix)]


class Shelf:
    """Bytes by digest."""

    def __init__(self) -> None:
        self.data: dict[str, bytes] = {}
        self.open: dict[str, tuple[bytearray, str, str]] = {}

    async def begin(self, media_type: str = "", name: str = "") -> str:
        """Opens a blob."""
        handle = f"h{len(self.open)}"
        self.open[handle] = bytearray(), media_type, name
        return handle

    async def write(self, handle: str, data: bytes) -> None:
        """Appends."""
        assert len(data) <= 1 << 20
        self.open[handle][0].extend(data)

    async def commit(self, handle: str) -> BlobRef:
        """Closes it."""
        data, media_type, name = self.open[handle]
        return self.put(bytes(data), media_type, name)

    def put(self, data: bytes, media_type: str = "text/plain", name: str = "note.txt") -> BlobRef:
        """Keeps bytes."""
        digest = f"sha256:{sha256(data).hexdigest()}"
        self.data[digest] = data
        return BlobRef(digest, len(data), media_type, name)

    async def read(self, blob: BlobRef, offset: int = 0, size: int = 1 << 20) -> bytes:
        """A piece."""
        return self.data[blob.digest][offset : offset + size]


class Web:
    """Requests as the host's broker makes them, all of which go to the fake server."""

    def __init__(self, url: str) -> None:
        self.netloc = urlsplit(url).netloc
        self.asked: list[str] = []

    async def request(self, request: HttpRequest) -> HttpResponse:
        """One request."""
        self.asked.append(request.url)
        return await anyio.to_thread.run_sync(partial(self._request, request), abandon_on_cancel=True)

    def _request(self, request: HttpRequest) -> HttpResponse:
        parts = urlsplit(request.url)
        assert parts.netloc == "api.telegram.org"
        connection = http.client.HTTPConnection(self.netloc, timeout=request.timeout)
        try:
            try:
                connection.connect()
            except OSError as error:
                raise NotReady(f"{self.netloc} cannot be reached: {error}") from error
            try:
                connection.request(request.method, parts.path, request.body or None, dict(request.headers))
                answer = connection.getresponse()
                return HttpResponse(answer.status, dict(answer.getheaders()), answer.read())
            except (OSError, http.client.HTTPException) as error:
                raise Unknown(f"{request.url} did not answer") from error
        finally:
            connection.close()


class HostHere:
    """The facets that the plugin declares."""

    plugin = "telegram"

    def __init__(self, fake: Fake, apart: bool = False, token: str = TOKEN, **config: Any) -> None:
        self.config = {"poll_seconds": 1, **({} if apart else {"base_url": fake.url}), **config}
        self.secrets, self.kv, self.blobs, self.http = Secrets(token), Store(), Shelf(), Web(fake.url)


class Box:
    """Keeps what it is handed."""

    def __init__(self) -> None:
        self.messages: list[Message] = []
        self.refuses = False

    async def accept(self, message: Message) -> Receipt:
        """Accepts, unless it refuses."""
        if self.refuses:
            raise NotReady("full", retry_after=60.0)
        self.messages.append(message)
        return Receipt(message.key)

    async def finished(self, id: str) -> None:
        """At once."""


class People:
    """What the kit asks of the other side."""

    failures = ("refused", "lost", "down", "slow")

    def __init__(self, fake: Fake) -> None:
        self.fake = fake
        self.said: dict[str, int] = {}

    def shown(self) -> list[str]:
        """What people see."""
        return self.fake.shown()

    def say(self, text: str, name: str) -> None:
        """Somebody speaks."""
        self.said[name] = self.fake.say(text)
        self.kept = {**getattr(self, "kept", {}), name: self.fake.updates[self.said[name]]}

    def again(self, name: str) -> None:
        """Telegram hands it over once more."""
        self.fake.forced.append(self.kept[name])

    def acknowledged(self, name: str) -> bool:
        """Whether Telegram was told."""
        return self.said[name] not in self.fake.updates

    def choose(self, ask: Ask, choice: str) -> None:
        """Somebody presses a button of that question."""
        where = next(key for key, each in self.fake.screen.items() if ask.question in each.get("text", ""))
        self.fake.press(choice, key=where)

    def break_off(self) -> None:
        """Another process takes the messages."""
        self.fake.faults.append(("getUpdates", "409"))

    def fail(self, how: str) -> None:
        """The next message fails."""
        self.fake.faults.append(("send", {"refused": "429", "lost": "lost", "down": "drop", "slow": "slow"}[how]))

    def remove(self, id: str) -> None:
        """A message is deleted."""
        self.fake.screen = {key: each for key, each in self.fake.screen.items() if key[1] != int(id)}
