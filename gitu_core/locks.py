"""Locks between processes. The operating system lets go when the holder dies, however it dies."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from gitu_core.errors import ConfigError

if sys.platform == "win32":
    import msvcrt

    def _lock(file: int) -> None:
        # Behind the text: what is locked there cannot be read.
        os.lseek(file, 1 << 20, os.SEEK_SET)
        msvcrt.locking(file, msvcrt.LK_NBLCK, 1)
else:
    import fcntl

    def _lock(file: int) -> None:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def lock(path: Path) -> int | None:
    """Locks a file, made where it is missing, and writes this process's id into it; gives its descriptor, to be closed
    by the caller. None if somebody else holds it. `ConfigError` if there cannot be a lock."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        own = os.O_CREAT | getattr(os, "O_NOFOLLOW", 0)  # where a link leads is not ours to write to
        file = os.open(path, os.O_RDWR | own, 0o600)
    except OSError as error:
        raise ConfigError(f"{path} cannot be opened: {error}", hint="name a home that you may write to",
                          field="home") from error  # fmt: skip
    try:
        _lock(file)
    except OSError:
        os.close(file)
        return None
    os.lseek(file, 0, os.SEEK_SET)
    os.ftruncate(file, 0)
    os.write(file, str(os.getpid()).encode())
    return file
