"""From Gitu's messages to the form that LiteLLM takes for every provider."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterable
from typing import Any

import msgspec

from gitu_core.contracts import BlobRef, Blobs, Location, Media, ModelMessage, Part, Text, ToolSpec
from gitu_core.errors import Rejected

_SAFE = re.compile(r"[a-zA-Z0-9_-]{1,64}")

IMAGE_LIMIT = 20 << 20
"""The largest image that is sent, in bytes."""


def safe_name(name: str) -> str:
    """A tool's name as every provider allows it; what is changed gets a digest, so that names stay apart."""
    if _SAFE.fullmatch(name):
        return name
    digest = hashlib.sha256(name.encode()).hexdigest()[:8]
    return re.sub(r"[^a-zA-Z0-9_-]", "_", name)[:55] + "_" + digest


def tools(specs: Iterable[ToolSpec]) -> list[dict[str, Any]]:
    """The offered tools."""
    return [
        {
            "type": "function",
            "function": {
                "name": safe_name(spec.name),
                "description": spec.description,
                "parameters": spec.input_schema,
            },
        }
        for spec in specs
    ]


async def message(entry: ModelMessage, blobs: Blobs) -> dict[str, Any]:
    """One entry of the context."""
    if entry.role == "tool":
        return {"role": "tool", "tool_call_id": entry.call_id, "content": _words(entry.parts)}
    made: dict[str, Any] = {"role": entry.role, "content": _words(entry.parts)}
    if entry.name and entry.role == "user":
        made["name"] = safe_name(entry.name)
    if entry.role == "user" and any(isinstance(part, Media) and part.kind == "image" for part in entry.parts):
        made["content"] = [await _content(part, blobs) for part in entry.parts]
    if entry.calls:
        made["content"] = made["content"] or None
        made["tool_calls"] = [
            {
                "id": call.id,
                "type": "function",
                "function": {
                    "name": safe_name(call.tool),
                    "arguments": call.raw if call.raw is not None else msgspec.json.encode(call.arguments).decode(),
                },
            }
            for call in entry.calls
        ]
    return made


async def _content(part: Part, blobs: Blobs) -> dict[str, Any]:
    if isinstance(part, Media) and part.kind == "image":
        return {"type": "image_url", "image_url": {"url": await _data_url(part.blob, blobs)}}
    return {"type": "text", "text": _words((part,))}


async def _data_url(blob: BlobRef, blobs: Blobs) -> str:
    if blob.size > IMAGE_LIMIT:
        raise Rejected(f"an image of {blob.size} bytes is too large", hint=f"send at most {IMAGE_LIMIT} bytes")
    data = bytearray()
    while len(data) < blob.size and (piece := await blobs.read(blob, len(data))):
        data += piece
    return f"data:{blob.media_type};base64,{base64.b64encode(data).decode()}"


def _words(parts: Iterable[Part]) -> str:
    found = []
    for part in parts:
        if isinstance(part, Text):
            found.append(part.text)
        elif isinstance(part, Media):
            found.append(f"[{part.kind}: {part.blob.name or part.blob.media_type}] {part.caption}".strip())
        elif isinstance(part, Location):
            found.append(f"[location: {part.latitude}, {part.longitude} {part.name}]")
    return "\n".join(found)
