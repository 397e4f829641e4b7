"""Files that people send and get. Whoever sent one, or was sent one, may fetch it; nobody else may."""

from __future__ import annotations

from collections.abc import AsyncIterator
from urllib.parse import quote

import msgspec
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import BaseRoute, Route

from gitu_core.contracts import BlobRef, Entry, Host, Label, Media, Part, user
from gitu_core.errors import InputError
from gitu_web.limits import body_of
from gitu_web.openapi import Operation, Query
from gitu_web.settings import MIB
from gitu_web.site import Site

PIECE = 1 << 20
"""Bytes of a file that are handed on at once."""

UPLOAD_SECONDS = 300.0
"""Seconds within which a file has to be there."""

SHOWN = ("image/png", "image/jpeg", "image/gif", "image/webp", "image/avif", "audio/", "video/", "application/pdf")
"""Types that are told to browsers as they are; all others are bytes to them, which they do not open here."""


def routes() -> list[BaseRoute]:
    """Where files are."""
    return [Route("/v1/files", upload, methods=["POST"]), Route("/v1/files/{digest}", download, methods=["GET"])]


def operations() -> list[Operation]:
    """What can be done with files."""
    return [
        Operation("POST", "/v1/files", "Keep a file, to be sent as a part of a message.", tag="files", answer=BlobRef,
                  sends="application/octet-stream", status=201, query=(Query("name", "What the file is called."),)),
        Operation("GET", "/v1/files/{digest}", "Fetch a file that was sent or received.", tag="files",
                  gives=("application/octet-stream",), problems=(404,)),
    ]  # fmt: skip


async def upload(request: Request) -> Response:
    """Keeps a file; gives what a message names it by."""
    site = Site.of(request)
    visitor = await site.guard.visitor(request)
    most = site.settings.max_file * MIB
    media_type = request.headers.get("content-type", "application/octet-stream").partition(";")[0].strip()[:100]
    name = request.query_params.get("name", "").replace("\\", "/").rpartition("/")[2][:200]
    async with site.uploads:  # each is in memory while it comes
        data, blobs = await body_of(request, most, seconds=UPLOAD_SECONDS), site.host.blobs
        if not data:
            raise InputError("the file is empty", hint="send its content as the body")
        handle = await blobs.begin(media_type, name)  # not before all is there: nobody takes back what was begun
        for start in range(0, len(data), PIECE):
            await blobs.write(handle, data[start : start + PIECE])
        del data
        blob = await blobs.commit(handle, visitor.person, mine(visitor.person))
    await remember(site.host, visitor.person, blob, mine(visitor.person))
    return Response(msgspec.json.encode(blob), 201, media_type="application/json")


async def download(request: Request) -> Response:
    """A file, to be kept rather than opened here."""
    site = Site.of(request)
    visitor = await site.guard.visitor(request)
    blob = await known(site.host, visitor.person, request.path_params["digest"])
    if blob is None:
        raise InputError("there is no such file", hint="it may have been sent to somebody else", status=404)
    kind = blob.media_type if blob.media_type.startswith(SHOWN) else "application/octet-stream"
    headers = {
        "content-length": str(blob.size), "cache-control": "private, max-age=86400",
        "content-disposition": f"attachment; filename*=UTF-8''{quote(blob.name or 'file', safe='')}",
        "content-security-policy": "sandbox; default-src 'none'",
    }  # fmt: skip
    return StreamingResponse(_pieces(site.host, blob), headers=headers, media_type=kind)


async def _pieces(host: Host, blob: BlobRef) -> AsyncIterator[bytes]:
    offset = 0
    while piece := await host.blobs.read(blob, offset, PIECE):
        yield piece
        offset += len(piece)


async def remember(host: Host, person: str, blob: BlobRef, label: Label) -> None:
    """A person may fetch this file from now on."""
    await host.kv.put(Entry(_key(person, blob.digest), msgspec.to_builtins(blob), person=person, label=label))


async def known(host: Host, person: str, digest: str) -> BlobRef | None:
    """A file that a person may fetch."""
    entry = await host.kv.get(_key(person, digest)) if digest.startswith("sha256:") and digest.isascii() else None
    return msgspec.convert(entry.value, BlobRef) if entry is not None else None


async def own_only(host: Host, person: str, parts: tuple[Part, ...]) -> tuple[Part, ...]:
    """*parts* with files as they were kept. `InputError` for one that is not the person's."""
    found: list[Part] = []
    for part in parts:
        if isinstance(part, Media):
            blob = await known(host, person, part.blob.digest)
            if blob is None:
                raise InputError("there is no such file", hint="send it to /v1/files first", field="parts", status=404)
            part = msgspec.structs.replace(part, blob=blob)
        found.append(part)
    return tuple(found)


def mine(person: str) -> Label:
    """The label of what a person brought."""
    principal = frozenset((user(person),))
    return Label(principal, principal)


def _key(person: str, digest: str) -> str:
    return f"file/{quote(person, safe='')}/{digest}"
