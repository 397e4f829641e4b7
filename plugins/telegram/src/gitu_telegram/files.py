"""Files that people send, and those that are sent to them: between Telegram and the host's blobs, in pieces."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from gitu_core.contracts import BlobRef

if TYPE_CHECKING:
    from telegram import Bot

    from gitu_core.contracts import Host

PART = 1 << 20
"""Bytes that the host takes at once."""

TRIES = 3
"""How often a file is asked for before its message comes without it."""


@dataclass(frozen=True)
class Sent:
    """A file that somebody sent."""

    id: str
    kind: Literal["image", "audio", "voice", "video", "file", "sticker"]
    media_type: str
    name: str
    size: int = 0
    seconds: float | None = None


class Files:
    """Fetches files for one connection."""

    def __init__(self, host: Host, bot: Bot, limit: int, failures: dict[str, int]) -> None:
        self._host, self._bot, self._limit, self._failures = host, bot, limit << 20, failures

    async def fetched(self, sent: Sent) -> BlobRef | str:
        """The bytes of a file, kept by the host; or in words why they are not there. A fault of the network is raised,
        until it happened too often."""
        from telegram.error import BadRequest, TelegramError

        if sent.size > self._limit:
            return f"{sent.name}: a file of {sent.size >> 20} MiB, which is too large"
        try:
            found = await self._fetch(sent)
        except BadRequest as error:
            return f"{sent.name}: a file that Telegram does not hand over: {error.message}"
        except TelegramError:
            count = self._failures[sent.id] = self._failures.get(sent.id, 0) + 1
            if count < TRIES:
                raise
            found = f"{sent.name}: a file that could not be fetched"
        self._failures.pop(sent.id, None)
        return found

    async def _fetch(self, sent: Sent) -> BlobRef | str:
        from telegram.error import BadRequest, NetworkError

        file = await self._bot.get_file(sent.id)
        url = file.file_path or ""
        if not url.startswith(("https://", "http://")):  # a path on this machine is nobody's to name
            raise BadRequest("it names no address")
        handle, done = await self._host.blobs.begin(sent.media_type, sent.name), 0
        request: Any = self._bot.request
        while True:
            status, body = await request.piece(url, done)
            if status == 416 and done:  # there is nothing behind what was fetched
                break
            if status not in (200, 206):
                raise (BadRequest if 400 <= status < 500 else NetworkError)(f"status {status}")
            if done + len(body) > self._limit:
                return f"{sent.name}: a file that is too large"
            for start in range(0, len(body), PART):
                await self._host.blobs.write(handle, body[start : start + PART])
            done += len(body)
            if status == 200 or not body or (file.file_size is not None and done >= file.file_size):
                break
        return await self._host.blobs.commit(handle)


async def read(host: Host, blob: BlobRef) -> bytes:
    """All bytes of a blob."""
    found = bytearray()
    while piece := await host.blobs.read(blob, len(found), PART):
        found += piece
    return bytes(found)
