"""Reads what a request says: JSON of a known shape, no larger than it has to be."""

from __future__ import annotations

from typing import TypeVar

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from gitu_core.errors import InputError

T = TypeVar("T")

LARGEST = 64 << 10
"""Bytes of a request about devices."""


async def read(request: Request, kind: type[T]) -> T:
    """The body of a request. `InputError` says what of it does not fit."""
    told = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if told != "application/json":
        raise InputError(f"the body is {told or 'of no type'}", hint="send application/json", status=415)
    pieces, size = [], 0
    async for piece in request.stream():
        size += len(piece)
        if size > LARGEST:
            raise InputError(f"the body has more than {LARGEST >> 10} KiB", hint="send less", status=413)
        pieces.append(piece)
    try:
        return msgspec.json.decode(b"".join(pieces), type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        message, _, path = str(error).partition(" - at `$.")
        raise InputError(message, hint="see /v1/openapi.json", field=path.rstrip("`") or "body", status=400) from error


def answer(value: object, status: int = 200) -> Response:
    """A value as JSON that nobody keeps."""
    data = msgspec.json.encode(value)
    return Response(data, status, {"cache-control": "no-store"}, media_type="application/json")
