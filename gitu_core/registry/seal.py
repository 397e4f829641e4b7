"""Whether a release that an installer put into an environment of its own is still as it was put there."""

from __future__ import annotations

import os
from hashlib import file_digest, sha256
from pathlib import Path

import anyio.to_thread
import msgspec

from gitu_core.registry.scan import Found

RECORD = "release.json"
"""The file of a release that says what it holds."""


class _Record(msgspec.Struct):
    """The SHA-256 of every file by its path (a link counts by where it leads), and what `mark` said of it then."""

    files: dict[str, str]
    marks: dict[str, tuple[int, ...]] = {}


async def broken(found: Found, home: Path) -> str:
    """Why the files of a plugin must not be run: what of its release is not as it was installed. Nothing where all of
    it is, or where the plugin is part of an installation that others look after."""
    if not found.location.startswith(os.path.join(os.path.abspath(home), "plugins", "")):  # noqa: ASYNC240 - no disk
        return ""
    wrong = await anyio.to_thread.run_sync(changed, found.location)
    return f"its files are not as they were installed: {wrong}" if wrong else ""


def changed(place: str) -> str:
    """What of the release in a folder is not as it was, or nothing. Files whose mark differs are read; compiled copies
    that nobody recorded are deleted, since they could hide a change."""
    try:
        record = msgspec.json.decode(Path(place, RECORD).read_bytes(), type=_Record)
        left = dict(record.files)
        for where, folders, names in os.walk(place):
            for name in (*names, *(each for each in folders if os.path.islink(os.path.join(where, each)))):
                file = os.path.join(where, name)
                path = os.path.relpath(file, place).replace(os.sep, "/")
                said = left.pop(path, "")
                if said and mark(file) != record.marks.get(path) and _hash(file) != said:
                    return f"{path} was changed"
                if not said and os.path.basename(where) == "__pycache__":
                    os.unlink(file)
                elif not said and path != RECORD:
                    return f"{path} was added"
    except (OSError, msgspec.MsgspecError, ValueError) as error:
        return f"there is no {RECORD} to compare them with ({error})"
    return f"{next(iter(left))} is missing" if left else ""


def mark(file: str) -> tuple[int, ...]:
    """What tells cheaply that nobody wrote to a file: only the system sets the time of its last change of any kind."""
    found = os.lstat(file)
    return (found.st_ctime_ns, found.st_mtime_ns, found.st_size, found.st_ino)


def _hash(file: str) -> str:
    if os.path.islink(file):
        return f"link to {os.readlink(file)}"
    if not os.path.isfile(file):  # a pipe would never end
        return ""
    with open(file, "rb") as stream:
        return file_digest(stream, sha256).hexdigest()
