"""The index of installed plugins, kept on disk so that a listing costs a few milliseconds.

A folder of the path is read again when its modification time changed (an install, upgrade or removal changes
it), a plugin when one of the files it was read from changed. What cannot be read or written is rebuilt: the
index is a cache.
"""

from __future__ import annotations

import os
import sys
import time
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from gitu_core.registry.scan import Found, Stamp, scan_folder, stamp, unchanged

_FORMAT = 1
# A folder may change twice within one tick of a coarse file system's clock; until this much time has passed
# since the change, its modification time proves nothing.
_SETTLED = 2_000_000_000
_MOST_DESCRIBED = 500


class _Folder(msgspec.Struct, frozen=True):
    """What one folder of the path held when it was read, `at` in nanoseconds since 1970."""

    stamp: Stamp
    at: int
    plugins: list[Found]


class _File(msgspec.Struct):
    """The index as it lies on disk. `described` keeps manifests from the jail, by digest of code."""

    format: int = _FORMAT
    folders: dict[str, _Folder] = {}
    described: dict[str, Found] = {}


class Index:
    """The plugins in the folders of *path* (None = `sys.path`). Its file lies in *home*; not thread-safe."""

    def __init__(self, home: Path, path: Sequence[str] | None = None) -> None:
        self._path = path
        prefix = zlib.crc32(sys.prefix.encode())
        self.file = Path(home, "cache", f"plugins-{sys.implementation.cache_tag}-{prefix:08x}.json")
        self._kept: _File | None = None

    @property
    def path(self) -> list[str]:
        """The folders that are searched, absolute, in order, each once."""
        folders = sys.path if self._path is None else self._path
        return list(dict.fromkeys(os.path.abspath(folder) for folder in folders))

    def load(self) -> list[Found]:
        """Every installed plugin, by path and name. A distribution found twice counts where Python finds it
        first.
        """
        kept = self._kept or self._read()
        folders: dict[str, _Folder] = {}
        changed = False
        for folder in self.path:
            now = _folder_stamp(folder)
            if now is None:
                continue
            known = kept.folders.get(folder)
            if known is None or not _fresh(known, now):
                known = _Folder(now, time.time_ns(), _scan(folder, known))
                changed = True
            folders[folder] = known
        if changed or folders.keys() != kept.folders.keys():
            kept = _File(folders=folders, described=kept.described)
            self._write(kept)
        self._kept = kept
        return _first_of_each(folders)

    @property
    def generation(self) -> str:
        """Names the state of all folders: another one after every install or removal."""
        folders = (self._kept or self._read()).folders
        return f"{zlib.crc32(repr([(name, each.stamp) for name, each in folders.items()]).encode()):08x}"

    def described(self, digest: str) -> Found | None:
        """What a jail said of code with this digest."""
        return (self._kept or self._read()).described.get(digest)

    def keep(self, digest: str, found: Found) -> None:
        """Remembers what a jail said of code with this digest; the oldest words make room."""

        def change(described: dict[str, Found]) -> None:
            while len(described) >= _MOST_DESCRIBED:
                del described[next(iter(described))]
            described[digest] = found

        self._change(change)

    def forget(self, digest: str) -> None:
        """Drops what a jail said of code with this digest."""
        if self.described(digest) is not None:
            self._change(lambda described: described.pop(digest))

    def _change(self, change: Callable[[dict[str, Found]], object]) -> None:
        kept = self._kept or self._read()
        change(kept.described)
        self._kept = kept
        self._write(kept)

    def _read(self) -> _File:
        """The index from disk; an empty one where it is missing, damaged or of another format."""
        try:
            kept = msgspec.json.decode(self.file.read_bytes(), type=_File)
        except (OSError, msgspec.MsgspecError, ValueError, RecursionError):
            return _File()
        return kept if kept.format == _FORMAT else _File()

    def _write(self, kept: _File) -> None:
        """Replaces the index on disk at once. Where the home cannot be written the next start just reads
        again.
        """
        try:
            write_whole(self.file, msgspec.json.encode(kept))
        except OSError:
            return


def write_whole(file: Path, data: bytes) -> None:
    """Writes a file so that nobody ever sees half of it; only its owner may read it."""
    file.parent.mkdir(parents=True, exist_ok=True)
    draft = file.with_name(f"{file.name}.{os.getpid()}.new")
    try:
        with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as stream:
            stream.write(data)
        os.replace(draft, file)
    except OSError:
        draft.unlink(missing_ok=True)
        raise


def _folder_stamp(folder: str) -> Stamp | None:
    """The stamp of a folder without its size; None for what is no folder, an archive on the path for
    instance.
    """
    time_ns, _, inode = stamp(folder)
    return (time_ns, 0, inode) if time_ns and os.path.isdir(folder) else None


def _fresh(known: _Folder, now: Stamp) -> bool:
    settled = now[0] + _SETTLED < known.at
    return settled and known.stamp == now and all(map(unchanged, known.plugins))


def _scan(folder: str, known: _Folder | None) -> list[Found]:
    try:
        return scan_folder(folder, known.plugins if known else [])
    except OSError:  # vanished or became unreadable between the look and the reading: holds nothing then
        return []


def _first_of_each(folders: dict[str, _Folder]) -> list[Found]:
    first: dict[str, str] = {}
    return [
        found
        for folder in folders.values()
        for found in folder.plugins
        if first.setdefault(found.distribution, found.info) == found.info
    ]
