"""Files that are whole, on disk, or not there."""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from pathlib import Path

from gitu_core.errors import StoreError


def write_whole(path: Path, data: bytes, like: os.stat_result | None = None) -> None:
    """Writes a file in place of what was there, for its owner alone, or for those who may read one *like* it."""
    draft = path.with_name(f"{path.name}.{os.getpid()}.{os.urandom(4).hex()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            if like is not None and os.name == "posix":
                with suppress(PermissionError):  # who may not give it away keeps it
                    os.fchown(file.fileno(), like.st_uid, like.st_gid)
                os.fchmod(file.fileno(), stat.S_IMODE(like.st_mode))
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
        if os.name == "posix":
            folder = os.open(path.parent, os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)
    except OSError as error:
        draft.unlink(missing_ok=True)
        what = f"{path.name} cannot be written: {error}"
        raise StoreError(what, hint=f"make {path.parent} writable, with free space") from error
