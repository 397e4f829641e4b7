"""Where a terminal keeps its credentials: the keyring of the system, else a file that only its owner may read."""

from __future__ import annotations

import contextlib
import os
import stat
from pathlib import Path
from typing import Any, Protocol

import msgspec

from gitu_core.errors import ConfigError
from gitu_web.auth.devices import Pair

SERVICE, FOLDER, FILE = "gitu-web", "credentials", "web.json"


class Kept(msgspec.Struct, frozen=True):
    """The credentials for one server, and when the access one ends (seconds since 1970, UTC)."""

    server: str
    pair: Pair
    access_until: float


class Keep(Protocol):
    """Keeps the credentials for one server at a time: the one that this terminal is paired with."""

    place: str

    def load(self) -> Kept | None:
        """What is kept."""

    def save(self, kept: Kept) -> None:
        """Keeps it in place of what was kept."""

    def forget(self) -> None:
        """Keeps nothing any more."""


class FileKeep:
    """A file of its own, written whole, readable by its owner alone."""

    def __init__(self, home: Path) -> None:
        self._file = home / FOLDER / FILE
        self.place = str(self._file)

    def load(self) -> Kept | None:
        """What is kept. `ConfigError` where others may read it, or it is damaged."""
        try:
            about = self._file.stat()
            data = self._file.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise ConfigError(f"{self._file}: {error}", hint="make it readable", field="credentials") from error
        if os.name == "posix" and stat.S_IMODE(about.st_mode) & 0o077:
            hint = f"run: chmod 600 {self._file}; if others use this machine, pair it again"
            raise ConfigError(f"{self._file} can be read by others", hint=hint, field="credentials")
        return _decoded(data, self.place)

    def save(self, kept: Kept) -> None:
        """Keeps it."""
        draft = self._file.with_name(f"{FILE}.{os.getpid()}.new")
        try:
            self._file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
                file.write(msgspec.json.encode(kept))
                file.flush()
                os.fsync(file.fileno())
            draft.replace(self._file)
        except OSError as error:
            draft.unlink(missing_ok=True)
            raise ConfigError(f"{self._file}: {error}", hint="make the folder writable", field="credentials") from error

    def forget(self) -> None:
        """Removes the file."""
        self._file.unlink(missing_ok=True)


class RingKeep:
    """The keyring of the system."""

    place = "the keyring of the system"

    def __init__(self, ring: Any, home: Path) -> None:
        self._ring, self._name = ring, str(home)

    def load(self) -> Kept | None:
        """What is kept."""
        found = self._ring.get_password(SERVICE, self._name)
        return None if found is None else _decoded(found.encode(), self.place)

    def save(self, kept: Kept) -> None:
        """Keeps it."""
        self._ring.set_password(SERVICE, self._name, msgspec.json.encode(kept).decode())

    def forget(self) -> None:
        """Removes it."""
        if self._ring.get_password(SERVICE, self._name) is not None:
            self._ring.delete_password(SERVICE, self._name)


def keep_of(home: Path) -> Keep:
    """The keyring where there is one that works, else the file. What is in the file already stays there."""
    file = FileKeep(home)
    if Path(file.place).exists():
        return file
    with contextlib.suppress(Exception):  # any trouble of a keyring means that there is none to rely on
        import keyring

        ring = keyring.get_keyring()
        if getattr(ring, "priority", 0) >= 1:
            ring.get_password(SERVICE, str(home))
            return RingKeep(ring, home)
    return file


def _decoded(data: bytes, place: str) -> Kept:
    try:
        return msgspec.json.decode(data, type=Kept)
    except msgspec.MsgspecError as error:
        raise ConfigError(f"{place} cannot be read: {error}", field="credentials",
                          hint="forget it with: gitu auth logout; then pair again") from error  # fmt: skip
