"""Files that are whole, on disk, or not there."""

from __future__ import annotations

import os
from pathlib import Path

from gitu_core.errors import StoreError


def write_whole(path: Path, data: bytes) -> None:
    """Writes a file that only its owner may read, in place of what was there."""
    draft = path.with_name(f"{path.name}.{os.getpid()}.{os.urandom(4).hex()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
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
