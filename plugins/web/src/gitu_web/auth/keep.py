"""Where a terminal keeps its credentials: the keyring of the system, else a file that only its owner may read."""

from __future__ import annotations

import contextlib
import os
import stat
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Protocol

import anyio
import msgspec

from gitu_core.errors import ConfigError, NotReady
from gitu_web.auth.devices import Pair

SERVICE, FOLDER, FILE, LOCK = "gitu-web", "credentials", "web.json", "web.lock"

PATIENCE = 60.0
"""Seconds to wait for another process that refreshes the credentials."""


class Kept(msgspec.Struct, frozen=True):
    """The credentials for one server, and when the access one ends (seconds since 1970, UTC)."""

    server: str
    pair: Pair
    access_until: float


class Keep(Protocol):
    """Keeps the credentials for one server at a time: the one that this terminal is paired with."""

    place: str
    home: Path

    def load(self) -> Kept | None:
        """What is kept."""

    def save(self, kept: Kept) -> None:
        """Keeps it in place of what was kept."""

    def forget(self) -> None:
        """Keeps nothing any more."""


class FileKeep:
    """A file of its own, written whole, readable by its owner alone."""

    def __init__(self, home: Path) -> None:
        self._file, self.home = home / FOLDER / FILE, home
        self.place = str(self._file)

    def load(self) -> Kept | None:
        """What is kept. `ConfigError` where others may read it, or it is damaged."""
        try:
            with self._file.open("rb") as file:
                about, folder = os.fstat(file.fileno()), self._file.parent.stat()
                data = file.read()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise ConfigError(f"{self._file}: {error}", hint="make it readable", field="credentials") from error
        if os.name == "posix":
            self._private(about, folder)
        return _decoded(data, self.place)

    def _private(self, about: os.stat_result, folder: os.stat_result) -> None:
        """`ConfigError` where somebody else may read it, or have put it there."""
        if stat.S_IMODE(about.st_mode) & 0o077:
            hint = f"run: chmod 600 {self._file}; if others use this machine, pair it again"
            raise ConfigError(f"{self._file} can be read by others", hint=hint, field="credentials")
        if stat.S_IMODE(folder.st_mode) & 0o022:
            hint = f"run: chmod 700 {self._file.parent}; if others use this machine, pair it again"
            raise ConfigError(f"{self._file.parent} can be written by others", hint=hint, field="credentials")
        if about.st_uid != os.getuid():
            hint = f"remove it, or: chown {os.getuid()} {self._file}"
            raise ConfigError(f"{self._file} belongs to another user of this machine", hint=hint, field="credentials")

    def save(self, kept: Kept) -> None:
        """Keeps it."""
        draft = self._file.with_name(f"{FILE}.{os.getpid()}.new")
        try:
            self._file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._file.parent.chmod(0o700)
            draft.unlink(missing_ok=True)
            with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                file.write(msgspec.json.encode(kept))
                file.flush()
                os.fsync(file.fileno())
            draft.replace(self._file)
        except OSError as error:
            with contextlib.suppress(OSError):
                draft.unlink(missing_ok=True)
            raise ConfigError(f"{self._file}: {error}", hint="make the folder writable", field="credentials") from error

    def forget(self) -> None:
        """Removes the file."""
        self._file.unlink(missing_ok=True)


class RingKeep:
    """The keyring of the system; where it refuses to keep something, the file."""

    place = "the keyring of the system"

    def __init__(self, ring: Any, home: Path) -> None:
        self._ring, self._name, self.home = ring, str(home), home

    def load(self) -> Kept | None:
        """What is kept. `ConfigError` where the keyring is locked, or it is damaged."""
        try:
            found = self._ring.get_password(SERVICE, self._name)
        except Exception as error:  # each keyring has errors of its own
            raise ConfigError(f"{self.place} does not open: {error}", hint="unlock it", field="credentials") from error
        return None if found is None else _decoded(found.encode(), self.place)

    def save(self, kept: Kept) -> None:
        """Keeps it: what was got once cannot be got again, so that no trouble of a keyring may lose it."""
        try:
            self._ring.set_password(SERVICE, self._name, msgspec.json.encode(kept).decode())
        except Exception:  # noqa: BLE001 - each keyring has errors of its own
            file = FileKeep(self.home)
            file.save(kept)
            self.place = file.place

    def forget(self) -> None:
        """Removes it."""
        FileKeep(self.home).forget()
        with contextlib.suppress(Exception):  # as above; there is nothing more to be done
            if self._ring.get_password(SERVICE, self._name) is not None:
                self._ring.delete_password(SERVICE, self._name)


@asynccontextmanager
async def alone(home: Path) -> AsyncIterator[None]:
    """Only one process at a time refreshes: a second one would show what was just replaced. `NotReady` where another
    one takes too long."""
    if sys.platform == "win32":  # it has no such lock; a refresh takes a moment
        yield
        return
    import fcntl

    folder = home / FOLDER
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    file = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        ends = anyio.current_time() + PATIENCE
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if anyio.current_time() > ends:
                    raise NotReady("another process refreshes the credentials", hint="end it, then try again") from None
                await anyio.sleep(0.02)
        yield
    finally:
        os.close(file)


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
