"""The releases of installed plugins on disk: ``plugins/ID/RELEASE``, and ``current``, the name of the one in use.

A release is written into a folder of its own and never changed. The only moment that counts is the replacement of
``current``: whoever is killed before leaves the old release in use, whoever is killed after the new one.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import msgspec

from gitu_core.errors import InputError, StoreError
from gitu_marketplace.disk import PIN, flush, flush_folder, hashes, lock, mark, write
from gitu_marketplace.wants import ID, Wants

step: Callable[[str], None] = lambda name: None  # noqa: E731  a test puts its own here, to end the process there
"""Told of every step: staged, unpacked, filled, pinned, renamed, switched, cleaned; forgotten, removed."""


class Part(msgspec.Struct, frozen=True):
    """A dependency as it was installed. `hash` is that of its record, which has one of each of its files."""

    name: str
    version: str
    hash: str


class Release(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is known of an installed release. `source` says where it came from and where its successors are; `before` is
    the release that it replaced; `files` are the hashes of all its files, `marks` what the system said of each: whoever
    loads it reads only those again of which it says something else. `runtime` is what the host lends the process of a
    release that was made here, of an Agent Plugins package."""

    id: str
    distribution: str
    version: str
    wheel: str
    sha256: str
    wants: Wants
    source: dict[str, str] = {}
    parts: tuple[Part, ...] = ()
    tier: str = ""
    before: str = ""
    files: dict[str, str] = {}
    marks: dict[str, tuple[int, int, int, int]] = {}
    runtime: str = ""


class Shelf:
    """The installed plugins of the assistant whose folder is *home*."""

    def __init__(self, home: Path) -> None:
        self.home, self.root = home, home / "plugins"

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Inside, no other process installs or removes. `NotReady` if one does."""
        self.root.mkdir(parents=True, exist_ok=True, mode=0o700)
        with open(self.root / ".lock", "a+b") as held:
            lock(held.fileno())
            yield

    def ids(self) -> list[str]:
        """The plugins that have a release in use."""
        if not self.root.is_dir():
            return []
        return sorted(each.name for each in self.root.iterdir() if ID.fullmatch(each.name) and self.name(each.name))

    def has(self, id: str) -> bool:
        """True if anything of a plugin is here, and be it what somebody was killed over."""
        return ID.fullmatch(id) is not None and self._folder(id).is_dir()

    def name(self, id: str) -> str:
        """The name of the release in use, or nothing."""
        try:
            return (self._folder(id) / "current").read_text("utf-8").strip()
        except (OSError, UnicodeDecodeError):
            return ""

    def current(self, id: str) -> Release | None:
        """The release in use."""
        name = self.name(id)
        return self.release(id, name) if name else None

    def place(self, id: str, name: str) -> Path:
        """The folder of a release."""
        if not name or name in (".", "..") or "/" in name or os.sep in name or name.startswith("."):
            raise StoreError(f"{name[:80]!r} is no name of a release of {id}", hint=f"run: gitu plugins remove {id}")
        return self._folder(id) / name

    def release(self, id: str, name: str) -> Release:
        """What is known of a release. `StoreError` if that cannot be read."""
        file = self.place(id, name) / PIN
        try:
            return msgspec.json.decode(file.read_bytes(), type=Release)
        except (OSError, msgspec.MsgspecError, ValueError) as error:
            raise StoreError(f"{file}: {error}", hint=f"install it again, or run: gitu plugins remove {id}") from error

    @contextmanager
    def stage(self, id: str) -> Iterator[Path]:
        """A folder for a release that is being made. It vanishes unless it was put in use."""
        folder = self._folder(id)
        fresh = not folder.exists()
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        for left in folder.glob(".new-*"):  # of a process that was killed
            left.unlink() if left.is_file() else shutil.rmtree(left, ignore_errors=True)
        place = Path(tempfile.mkdtemp(prefix=".new-", dir=folder))
        try:
            step("staged")
            yield place
        finally:
            shutil.rmtree(place, ignore_errors=True)
            if fresh:
                with suppress(OSError):  # in use by now
                    folder.rmdir()

    def commit(self, stage: Path, release: Release, *, same: bool = False) -> Release:
        """Puts a finished folder in use. With *same* it is the release in use with another agreement: whoever goes back
        goes back behind both."""
        id, now = release.id, self.name(release.id)
        before = self.release(id, now).before if same else now
        files = hashes(stage)
        marks = {path: mark(stage / path) for path in files}
        release = msgspec.structs.replace(release, before=before, files=files, marks=marks)
        write(stage / PIN, msgspec.json.encode(release, order="deterministic"))
        step("pinned")
        base = f"{release.version}-{release.sha256[:12]}"
        names = (base, *(f"{base}.{number}" for number in range(2, 1_000)))
        name = next(each for each in names if not (self._folder(id) / each).exists())
        flush(stage)
        os.rename(stage, self.place(id, name))
        step("renamed")
        self._switch(id, name)
        step("switched")
        self._clean(id, {name, now, before})
        step("cleaned")
        return release

    def back(self, id: str) -> tuple[Release, Release]:
        """Goes back one release; gives the one that was left and the one in use. `InputError` if there is none."""
        now = self.installed(id)
        if not now.before or not (self.place(id, now.before) / PIN).is_file():
            raise InputError(f"there is no release of {id} before {now.version}", hint="install the one you want")
        before = self.release(id, now.before)
        if wrong := self.wrong(id, now.before):
            raise StoreError(f"the release {before.version} of {id} was changed: {wrong[0]}", hint="install it again")
        self._switch(id, now.before)
        return now, before

    def remove(self, id: str) -> None:
        """Deletes all releases of a plugin."""
        folder = self._folder(id)
        (folder / "current").unlink(missing_ok=True)
        step("forgotten")
        shutil.rmtree(folder)
        step("removed")

    def installed(self, id: str) -> Release:
        """The release in use. `InputError` if the plugin was not installed here."""
        release = self.current(id) if ID.fullmatch(id) else None
        if release is None:
            known = ", ".join(self.ids()) or "none"
            raise InputError(f"no plugin {id[:80]!r} was installed here", hint=f"there is {known}; see: gitu plugins")
        return release

    def wrong(self, id: str, name: str) -> list[str]:
        """What of a release is not as it was installed. Compiled copies of its code, which a process may have left, are
        deleted: they could hide a change."""
        place, release = self.place(id, name), self.release(id, name)
        for cache in [each for each in place.rglob("__pycache__") if each.is_dir() and not each.is_symlink()]:
            if not any(file.startswith(cache.relative_to(place).as_posix() + "/") for file in release.files):
                shutil.rmtree(cache, ignore_errors=True)
        found = hashes(place)
        said = {"changed": [file for file in found if file in release.files and found[file] != release.files[file]],
                "missing": sorted(release.files.keys() - found.keys()),
                "added": sorted(found.keys() - release.files.keys())}  # fmt: skip
        return [f"{what}: {file}" for what, files in said.items() for file in files]

    def _folder(self, id: str) -> Path:
        if not ID.fullmatch(id):
            raise InputError(f"{id[:80]!r} is not a plugin id", hint="see: gitu plugins")
        return self.root / id

    def _switch(self, id: str, name: str) -> None:
        draft = self._folder(id) / ".current.new"
        write(draft, name.encode())
        os.replace(draft, self._folder(id) / "current")
        flush_folder(self._folder(id))

    def _clean(self, id: str, keep: set[str]) -> None:
        for each in self._folder(id).iterdir():
            if each.is_dir() and not each.is_symlink() and each.name not in keep:
                shutil.rmtree(each, ignore_errors=True)
