"""A host that holds what the plugin asks for, a guard that knows some people, and a server of one's own."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from hashlib import sha256
from typing import Any, cast

import anyio
import httpx
from starlette.requests import HTTPConnection
from websockets.asyncio.client import ClientConnection, connect

from gitu_core.contracts import UNLABELLED, BlobRef, Entry, Host, Inbox, Label, Message, Receipt
from gitu_core.errors import AuthFailed, Denied, GituError
from gitu_web.adapter import WebAdapter
from gitu_web.visitor import Scope, Visitor

TOKENS = {"ana-phone": "ana", "ana-tablet": "ana", "bob-phone": "bob"}
"""Tokens are called like their devices here."""


class Store:
    """Small values, in memory. With `broken`, it does nothing but raise that; each of `failing` is how one `put` goes
    wrong."""

    def __init__(self) -> None:
        self.entries: dict[str, Entry] = {}
        self.broken: GituError | None = None
        self.failing: list[tuple[str, GituError]] = []

    async def get(self, key: str) -> Entry | None:
        """One of them."""
        await self._there()
        return self.entries.get(key)

    async def put(self, entry: Entry) -> None:
        """Keeps one."""
        await self._there()
        json.dumps(entry.value)
        how, error = self.failing.pop(0) if self.failing else ("", None)
        if how == "slow":
            await anyio.sleep(0.3)
        if how not in ("refused", "down"):
            self.entries[entry.key] = entry
        if error is not None and how != "slow":
            raise error

    async def delete(self, key: str) -> bool:
        """Removes one."""
        await self._there()
        return self.entries.pop(key, None) is not None

    async def list(self, prefix: str = "", person: str = "") -> Sequence[Entry]:
        """Some of them."""
        await self._there()
        found = [each for key, each in sorted(self.entries.items()) if key.startswith(prefix)]
        return [each for each in found if person in ("", each.person)]

    async def _there(self) -> None:
        await anyio.lowlevel.checkpoint()
        if self.broken is not None:
            raise self.broken


class Shelf:
    """Bytes by digest."""

    def __init__(self) -> None:
        self.data: dict[str, bytes] = {}
        self._open: dict[str, tuple[bytearray, str, str]] = {}

    async def begin(self, media_type: str = "", name: str = "") -> str:
        """Opens a blob."""
        handle = f"h{len(self._open)}"
        self._open[handle] = bytearray(), media_type, name
        return handle

    async def write(self, handle: str, data: bytes) -> None:
        """Appends."""
        assert len(data) <= 1 << 20
        self._open[handle][0].extend(data)

    async def commit(self, handle: str, person: str = "", label: Label = UNLABELLED) -> BlobRef:
        """Closes it."""
        data, media_type, name = self._open.pop(handle)
        digest = f"sha256:{sha256(data).hexdigest()}"
        self.data[digest] = bytes(data)
        return BlobRef(digest, len(data), media_type, name)

    async def store(self, data: bytes, media_type: str, name: str) -> BlobRef:
        """Keeps bytes."""
        await self.write(handle := await self.begin(media_type, name), data)
        return await self.commit(handle)

    async def read(self, blob: BlobRef, offset: int = 0, size: int = 1 << 20) -> bytes:
        """A piece."""
        return self.data[blob.digest][offset : offset + size]


class Admin:
    """The facet that shows that a plugin is trusted."""

    async def plugins(self) -> Sequence[dict[str, Any]]:
        """Nothing is installed."""
        return []


class HostHere:
    """The facets that the plugin declares."""

    plugin = "web"

    def __init__(self, **config: Any) -> None:
        self.config = {"port": free_port(), **config}
        self.kv, self.blobs, self.admin = Store(), Shelf(), Admin()

    @property
    def url(self) -> str:
        """Where the server is."""
        return f"http://127.0.0.1:{self.config['port']}"


class Known:
    """A guard that takes the name of a device for its token."""

    def __init__(self) -> None:
        self.tokens = dict(TOKENS)
        self._calls: list[Callable[[str], None]] = []

    async def visitor(self, connection: HTTPConnection, scope: Scope = "chat") -> Visitor:
        """Whoever the token names."""
        await anyio.lowlevel.checkpoint()
        token = connection.headers.get("authorization", "").removeprefix("Bearer ")
        if token not in self.tokens:
            raise AuthFailed("the token is not known", hint="pair this device")
        if scope == "admin":
            raise Denied("this device may only chat", hint="use another one")
        return Visitor(self.tokens[token], token, token.title(), "app")

    async def maybe(self, connection: HTTPConnection) -> Visitor | None:
        """The same, or nobody."""
        try:
            return await self.visitor(connection)
        except AuthFailed:
            return None

    def on_unlink(self, call: Callable[[str], None]) -> None:
        """*call* is told."""
        self._calls.append(call)

    def unlink(self, device: str) -> None:
        """A device is not welcome any more."""
        del self.tokens[device]
        for call in self._calls:
            call(device)


class Box:
    """An inbox that keeps what it is handed. What it does then is up to `on_accept`."""

    def __init__(self) -> None:
        self.messages: list[Message] = []
        self.refuses: GituError | None = None
        self.on_accept: Callable[[Message, str], Any] | None = None
        self.done = asyncio.Event()

    async def accept(self, message: Message) -> Receipt:
        """Accepts, unless it refuses."""
        await anyio.lowlevel.checkpoint()
        if self.refuses is not None:
            raise self.refuses
        fresh = message.key not in {each.key for each in self.messages}
        self.messages.append(message)
        receipt = Receipt(f"id-{message.key}", fresh)
        if fresh and self.on_accept is not None:
            await self.on_accept(message, receipt.id)
        return receipt

    async def finished(self, id: str) -> None:
        """When the test says so."""
        await self.done.wait()


class Place:
    """A server that runs: its adapter, what it holds, and who may come."""

    def __init__(self, host: HostHere, guard: Known, box: Box) -> None:
        self.host, self.guard, self.box = host, guard, box
        self.adapter = WebAdapter(cast(Host, host), guard)
        self.stop: Callable[[], None] = lambda: None

    def client(self, token: str = "", **more: Any) -> httpx.AsyncClient:
        """Somebody who talks HTTP."""
        headers = {"authorization": f"Bearer {token}"} if token else {}
        return httpx.AsyncClient(base_url=self.host.url, headers={**headers, **more.pop("headers", {})}, **more)

    def socket(self, token: str = "", **more: Any) -> connect:
        """Somebody who talks over a WebSocket."""
        headers = {"authorization": f"Bearer {token}"} if token else {}
        headers.update(more.pop("headers", {}))
        url = self.host.url.replace("http", "ws") + "/v1/socket"
        return connect(url, subprotocols=more.pop("subprotocols", ["gitu.v1"]), additional_headers=headers, proxy=None,
                       **more)  # fmt: skip

    @asynccontextmanager
    async def talk(self, token: str, cursor: str = "", **more: Any) -> AsyncIterator[ClientConnection]:
        """A greeted connection."""
        async with self.socket(token, **more) as found:
            await say(found, type="hello", cursor=cursor)
            yield found


@asynccontextmanager
async def served(host: HostHere | None = None, inbox: Inbox | None = None) -> AsyncIterator[Place]:
    """A server, as long as it is needed."""
    place = Place(host or HostHere(), Known(), Box())
    async with anyio.create_task_group() as group:
        place.stop = group.cancel_scope.cancel
        group.start_soon(place.adapter.receive, inbox or place.box)
        await up(place.host.config["port"])
        yield place
        group.cancel_scope.cancel()


async def up(port: int) -> None:
    """Waits until somebody listens."""
    with anyio.fail_after(5):
        while True:
            try:
                stream = await anyio.connect_tcp("127.0.0.1", port)
            except OSError:
                await anyio.sleep(0.01)
            else:
                await stream.aclose()
                return


async def say(socket: ClientConnection, **frame: Any) -> None:
    """Sends a frame."""
    await socket.send(json.dumps(frame))


async def heard(socket: ClientConnection, *kinds: str) -> dict[str, Any]:
    """The next frame of one of these *kinds*, of any where none is named."""
    with anyio.fail_after(5):
        while True:
            frame = cast(dict[str, Any], json.loads(await socket.recv()))
            if not kinds or frame["type"] in kinds:
                return frame


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])
