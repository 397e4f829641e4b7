"""The index of installed plugins, kept on disk so that a listing costs a few milliseconds.

A folder of the path is read again when its modification time changed (an install, upgrade or removal changes
it), a plugin when one of the files it was read from changed. What cannot be read or written is rebuilt: the
index is a cache. It also keeps what a child process said about plugins without a manifest (see `jail`).
"""

from __future__ import annotations

import os
import sys
import time
import zlib
from collections.abc import Sequence
from contextlib import suppress
from functools import cached_property
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
    """The plugins in the folders of *path* (None = `sys.path`). Its file lies in *home*; not thread-safe. A child that
    describes a plugin may take *limit* seconds."""

    def __init__(self, home: Path, path: Sequence[str] | None = None, limit: float = 20.0) -> None:
        self._home, self._path, self._limit = home, path, limit
        prefix = zlib.crc32(sys.prefix.encode())
        self.file = Path(home, "cache", f"plugins-{sys.implementation.cache_tag}-{prefix:08x}.json")

    @property
    def path(self) -> list[str]:
        """The folders that are searched, absolute, in order, each once."""
        folders = sys.path if self._path is None else self._path
        return list(dict.fromkeys(os.path.abspath(folder) for folder in (*folders, *environments(self._home))))

    def load(self) -> list[Found]:
        """Every installed plugin, by path and name. A distribution found twice counts where Python finds it
        first.
        """
        known = self._kept.folders
        folders = {name: read for name in self.path if (read := _read(name, known.get(name))) is not None}
        if folders != known:
            self._kept.folders = folders
            self._write()
        first: dict[str, str] = {}
        plugins = [found for folder in folders.values() for found in folder.plugins]
        return [found for found in plugins if first.setdefault(found.distribution, found.info) == found.info]

    def describe(self, found: Found) -> Found:
        """*found* with its manifest or its trouble. Blocks while a child runs, once a version of the code."""
        from gitu_core.registry import jail

        described = self._kept.described
        digest, failed = self._keys(found)
        known = described.get(digest) or described.get(failed)
        if known is None:
            known = jail.describe_in_child(found, self.path, self._home, self._limit)
            while len(described) >= _MOST_DESCRIBED:  # the oldest words make room
                del described[next(iter(described))]
            described[failed if known.trouble else digest] = known
            self._write()
        return msgspec.structs.replace(found, manifest=known.manifest, trouble=known.trouble, source=known.source)

    def forget(self, found: Found) -> None:
        """Lets a plugin be described again, if it ever was."""
        if found.bare is not found:
            for key in self._keys(found):
                self._kept.described.pop(key, None)
            self._write()

    def _keys(self, found: Found) -> tuple[str, str]:
        """Where a description is kept, and where a failure is: that one is looked at again after the next
        install, because a missing dependency may be there by then.
        """
        from gitu_core.registry.jail import digest_of

        digest = digest_of(found)
        folders = repr([(name, each.stamp) for name, each in self._kept.folders.items()])
        return digest, f"{digest} {zlib.crc32(folders.encode()):08x}"

    @cached_property
    def _kept(self) -> _File:
        """The index from disk; an empty one where it is missing, damaged or of another format."""
        try:
            kept = msgspec.json.decode(self.file.read_bytes(), type=_File)
        except (OSError, msgspec.MsgspecError, ValueError, RecursionError):
            return _File()
        return kept if kept.format == _FORMAT else _File()

    def _write(self) -> None:
        """Replaces the index on disk at once. Where the home cannot be written the next start just reads
        again.
        """
        with suppress(OSError):
            write_whole(self.file, msgspec.json.encode(self._kept))


def environments(home: Path) -> list[str]:
    """The environments of plugins that were installed into one of their own: ``plugins/ID/RELEASE`` in *home*, where
    ``plugins/ID/current`` holds the name of the release that is used."""
    found = []
    with suppress(OSError):
        for each in sorted(os.scandir(home / "plugins"), key=lambda entry: entry.name):
            with suppress(OSError, UnicodeDecodeError):
                release = Path(each.path, "current").read_text(encoding="utf-8").strip()
                if release and os.sep not in release and not release.startswith("."):
                    found.append(os.path.join(each.path, release))
    return found


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


def _read(folder: str, known: _Folder | None) -> _Folder | None:
    """What a folder of the path holds, which is what is *known* where nothing changed. None for what is no folder, an
    archive on the path for instance."""
    changed, _, inode = stamp(folder)
    if not changed or not os.path.isdir(folder):
        return None
    now, began = (changed, 0, inode), time.time_ns()
    if known and known.stamp == now and changed + _SETTLED < known.at and all(map(unchanged, known.plugins)):
        return known
    try:
        return _Folder(now, began, scan_folder(folder, known.plugins if known else []))
    except OSError:  # vanished or became unreadable between the look and the reading: holds nothing then
        return _Folder(now, began, [])
