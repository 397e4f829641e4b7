"""What a release needs of the disk: hashes of files, writing that outlives a power cut, a lock between processes."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

from gitu_core.errors import NotReady
from gitu_marketplace.wheel import sha256_of

PIN = "release.json"
"""The file of a release that says what it is, the only one that it does not hold the hash of."""


def hashes(folder: Path) -> dict[str, str]:
    """The hash of every file below a folder, by its path there; a link counts by where it leads."""
    found = {}
    for each in sorted(folder.rglob("*")):
        if each.is_symlink():
            found[each.relative_to(folder).as_posix()] = f"link to {os.readlink(each)}"
        elif each.is_file() and each != folder / PIN:
            found[each.relative_to(folder).as_posix()] = sha256_of(each)
    return found


def mark(file: Path) -> tuple[int, int, int, int]:
    """What the registry compares before it reads a file: the times of its last change, its size, its number."""
    found = file.lstat()
    return (found.st_ctime_ns, found.st_mtime_ns, found.st_size, found.st_ino)


def write(file: Path, data: bytes) -> None:
    """Writes a file and waits until the disk has it."""
    with open(file, "wb") as stream:
        stream.write(data)
        stream.flush()
        os.fsync(stream.fileno())


def flush(folder: Path) -> None:
    """Brings a folder and all below it to the disk: what ``current`` names must be there after a power cut."""
    for where, _, files in os.walk(folder):
        for name in files:
            with suppress(OSError), open(os.path.join(where, name), "rb") as stream:
                os.fsync(stream.fileno())
        flush_folder(Path(where))


def flush_folder(folder: Path) -> None:
    """Waits until the disk has the names in a folder."""
    if hasattr(os, "O_DIRECTORY"):  # elsewhere a folder cannot be opened
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def lock(handle: int) -> None:
    """Takes a lock that the system gives back when the process ends."""
    module: Any = __import__("msvcrt" if sys.platform == "win32" else "fcntl")
    try:
        if sys.platform == "win32":
            module.locking(handle, module.LK_NBLCK, 1)
        else:
            module.flock(handle, module.LOCK_EX | module.LOCK_NB)
    except OSError as error:
        raise NotReady("another process is installing or removing plugins", hint="try again in a moment") from error
