"""One process at a time runs a channel of a home. The operating system lets go when the holder dies."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path

from gitu_core.errors import ConfigError, NotReady

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


@contextmanager
def held(home: Path, channel: str) -> Iterator[None]:
    """Holds *channel* of *home* while the block runs. `NotReady` if somebody else does, `ConfigError` if there cannot
    be a lock."""
    plain = channel.isascii() and channel.replace("-", "").replace("_", "").isalnum() and len(channel) <= 100
    path = home / "channels" / f"{channel if plain else sha256(channel.encode()).hexdigest()}.lock"
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise ConfigError(f"{path} cannot be opened: {error}", hint="name a home that you may write to",
                          field="home") from error  # fmt: skip
    try:
        try:
            _lock(file)
        except OSError as error:
            holder = path.read_text("ascii", "replace").strip()
            raise NotReady(f"the channel {channel!r} of {home} is run by process {holder or 'unknown'} already",
                           hint="use it there, or end that process", pid=holder) from error  # fmt: skip
        os.lseek(file, 0, os.SEEK_SET)
        os.ftruncate(file, 0)
        os.write(file, str(os.getpid()).encode())
        yield
    finally:
        # The file stays: whoever removed it could take it from under one who has just locked it.
        os.close(file)
