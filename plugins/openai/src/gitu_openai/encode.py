"""From a request to the bytes of its body. Every message is encoded once, however often it is sent again."""

from __future__ import annotations

import base64
import hashlib
import re
import weakref
from collections.abc import Iterable
from typing import Any, TypeGuard

import msgspec

from gitu_core.contracts import BlobRef, Blobs, Location, Media, ModelMessage, ModelRequest, Part, Text, ToolSpec
from gitu_core.errors import Rejected
from gitu_openai.strict import is_strict

_encode = msgspec.json.Encoder().encode
_SAFE = re.compile(r"[a-zA-Z0-9_-]{1,64}")
_OWN = frozenset({"model", "messages", "stream", "stream_options", "tools"})

IMAGE_LIMIT = 20 << 20
"""The largest image that is sent, in bytes."""


def safe_name(name: str) -> str:
    """A tool's name as the protocol allows it; what is changed gets a digest, so that names stay apart."""
    if _SAFE.fullmatch(name):
        return name
    digest = hashlib.sha256(name.encode()).hexdigest()[:8]
    return re.sub(r"[^a-zA-Z0-9_-]", "_", name)[:55] + "_" + digest


class _Entry(weakref.ref[ModelMessage]):
    """The bytes of a message; they go when it does."""

    __slots__ = ("data", "key")
    data: bytes
    key: str | int


class Cache:
    """Encoded messages, the ones used last; holds at most *limit* bytes, and keeps no message alive.

    An entry counts only if its message equals the one asked for, because a filter may change a message and
    keep its id. Two generations stand in for an order of use: what is hit in the older moves to the younger.
    """

    def __init__(self, limit: int = 16 << 20) -> None:
        self._half = limit // 2
        self._size = 0
        self._young: dict[str | int, _Entry] = {}
        self._old: dict[str | int, _Entry] = {}
        self._drop = self._gone

    def get(self, message: ModelMessage) -> bytes | None:
        """The bytes of *message*, or None."""
        found = self._young.get(message.id or id(message))
        if found is None:
            found = self._old.pop(message.id or id(message), None)
            if found is not None:
                self._put(found)
        if found is not None and ((known := found()) is message or known == message):
            return found.data
        return None

    def put(self, message: ModelMessage, data: bytes) -> None:
        """Keeps the bytes of *message*."""
        entry = _Entry(message, self._drop)
        entry.key, entry.data = message.id or id(message), data
        self._put(entry)

    def _put(self, entry: _Entry) -> None:
        if self._size + _size(entry) > self._half:
            self._old, self._young, self._size = self._young, {}, 0
        self._young[entry.key] = entry
        self._size += _size(entry)

    def _gone(self, entry: _Entry) -> None:
        if self._young.get(entry.key) is entry:
            del self._young[entry.key]
            self._size -= _size(entry)
        elif self._old.get(entry.key) is entry:
            del self._old[entry.key]


def _size(entry: _Entry) -> int:
    return len(entry.data) + 400


class Encoder:
    """Makes bodies of requests. *blobs* is where images are read from."""

    def __init__(self, blobs: Blobs) -> None:
        self._blobs = blobs
        self._cache = Cache()
        self._tools: tuple[tuple[ToolSpec, ...], bytes, dict[str, str]] = ((), b"", {})

    async def body(self, request: ModelRequest, model: str, stream: bool, options: dict[str, Any]) -> bytes:
        """The body that asks *model*; *options* are what else the protocol should be told."""
        get = self._cache.get
        pieces = []
        for message in request.messages:
            data = get(message)
            if data is None:
                data = _encode(await self._message(message))
                self._cache.put(message, data)
            pieces.append(data)
        rest: dict[str, Any] = {"model": model}
        if stream:
            rest["stream"] = True
            rest["stream_options"] = {"include_usage": True}
        if request.seed is not None:
            rest["seed"] = request.seed
        if request.output_schema is not None:
            rest["response_format"] = _format(request.output_schema)
        rest.update(options)
        rest.update((key, value) for key, value in request.settings.items() if key not in _OWN)
        tools = b',"tools":' + self.tools(request.tools)[0] if request.tools else b""
        return b"".join((_encode(rest)[:-1], tools, b',"messages":[', b",".join(pieces), b"]}"))

    def tools(self, tools: tuple[ToolSpec, ...]) -> tuple[bytes, dict[str, str]]:
        """The offered tools as bytes, and the real name of each that goes by another one."""
        if self._tools[0] is not tools and self._tools[0] != tools:
            offered = [
                {
                    "type": "function",
                    "function": {
                        "name": safe_name(tool.name),
                        "description": tool.description,
                        "parameters": tool.input_schema,
                    },
                }
                for tool in tools
            ]
            changed = {safe_name(tool.name): tool.name for tool in tools if safe_name(tool.name) != tool.name}
            self._tools = (tools, _encode(offered), changed)
        return self._tools[1], self._tools[2]

    async def _message(self, message: ModelMessage) -> dict[str, Any]:
        if message.role == "tool":
            return {"role": "tool", "tool_call_id": message.call_id, "content": _words(message.parts)}
        entry: dict[str, Any] = {"role": message.role, "content": await self._content(message)}
        if message.calls:
            entry["content"] = entry["content"] or None
            entry["tool_calls"] = [
                {
                    "id": call.id,
                    "type": "function",
                    "function": {
                        "name": safe_name(call.tool),
                        "arguments": call.raw if call.raw is not None else _encode(call.arguments).decode(),
                    },
                }
                for call in message.calls
            ]
        if message.name and message.role != "assistant":
            entry["name"] = safe_name(message.name)
        return entry

    async def _content(self, message: ModelMessage) -> str | list[dict[str, Any]]:
        parts = message.parts
        if message.role != "user" or not any(_is_image(part) for part in parts):
            return _words(parts)
        content: list[dict[str, Any]] = []
        for part in parts:
            words = _words((part,))
            if _is_image(part):
                url = await self._data_url(part.blob)
                content.append({"type": "image_url", "image_url": {"url": url}})
                words = part.caption
            if words:
                content.append({"type": "text", "text": words})
        return content

    async def _data_url(self, blob: BlobRef) -> str:
        if blob.size > IMAGE_LIMIT:
            raise Rejected(
                f"an image of {blob.size} bytes is too large to send", hint=f"send at most {IMAGE_LIMIT} bytes"
            )
        data = bytearray()
        while len(data) < blob.size and (piece := await self._blobs.read(blob, len(data))):
            data += piece
        return f"data:{blob.media_type};base64,{base64.b64encode(data).decode()}"


def _is_image(part: Part) -> TypeGuard[Media]:
    return isinstance(part, Media) and part.kind == "image" and part.blob.media_type.startswith("image/")


def _words(parts: Iterable[Part]) -> str:
    """The parts in words; what cannot be shown is named."""
    words = []
    for part in parts:
        if isinstance(part, Text):
            words.append(part.text)
        elif isinstance(part, Media):
            name = part.blob.name or part.blob.media_type
            words.append(f"[{part.kind}: {name}]" + (f" {part.caption}" if part.caption else ""))
        elif isinstance(part, Location):
            name = f" ({part.name})" if part.name else ""
            words.append(f"[location: {part.latitude}, {part.longitude}{name}]")
    return "\n".join(words)


def _format(schema: dict[str, Any]) -> dict[str, Any]:
    return {"type": "json_schema", "json_schema": {"name": "answer", "schema": schema, "strict": is_strict(schema)}}
