"""The files of an Agent Plugins package, from a folder or an archive, read without writing or running any of them."""

from __future__ import annotations

import os
import stat
import zipfile
from pathlib import Path

import msgspec

from gitu_core.errors import InputError
from gitu_marketplace.facts import unsafe
from gitu_marketplace.text import clean

MOST_BYTES, MOST_FILES = 64 << 20, 5_000
"""Bytes and files that a package may have."""

MANIFEST, SETTINGS = "plugin.json", "gitu.toml"
_LEFT_OUT = (".git", "__pycache__")


class File(msgspec.Struct, frozen=True):
    """One file: what it holds, and whether it is a program."""

    data: bytes
    program: bool = False


Files = dict[str, File]
"""By path below the package's folder, with slashes."""


def is_package(path: Path) -> bool:
    """True for a folder with a ``plugin.json`` that is no Python project, and for any ``.zip``."""
    if path.is_dir():
        return (path / MANIFEST).is_file() and not (path / "pyproject.toml").exists()
    return path.suffix.lower() == ".zip" and path.is_file()


def load(path: Path) -> Files:
    """Every file of the package. `InputError` says which of them may not be there."""
    try:
        files = _folder(path.resolve()) if path.is_dir() else _archive(path)
    except (zipfile.BadZipFile, zipfile.LargeZipFile, NotImplementedError, RuntimeError, EOFError, ValueError) as error:
        raise refused(path, clean(str(error)) or "it is no archive") from error
    except OSError as error:
        raise InputError(f"{error}", hint="name a package that can be read") from error
    if MANIFEST not in files:
        raise refused(path, f"it has no {MANIFEST}")
    if found := [name for name in files if name.rpartition("/")[2].casefold() == SETTINGS]:
        raise refused(path, f"{clean(found[0])} would be the settings of Gitu for whoever works in its folder")
    return files


def refused(path: Path, what: str) -> InputError:
    """Why a package cannot be installed."""
    name = clean(path.resolve().name)
    return InputError(f"{name} cannot be installed: {what}", hint="ask its author for a correct package")


def _folder(root: Path) -> Files:
    files: Files = {}
    size = 0
    for where, folders, names in os.walk(root):
        folders[:] = sorted(each for each in folders if each not in _LEFT_OUT)
        links = [each for each in folders if os.path.islink(os.path.join(where, each))]
        for name in [*links, *sorted(names)]:
            place = Path(where, name)
            inside = place.relative_to(root).as_posix()
            if inside.encode("utf-8", "replace").decode() != inside:  # bytes that are no text
                raise refused(root, f"{clean(inside)!r} is no name for a file")
            about = os.stat(place.resolve() if place.resolve().is_relative_to(root) else place, follow_symlinks=False)
            if not stat.S_ISREG(about.st_mode):
                raise refused(root, f"{clean(inside)!r} is a link that leads elsewhere, or no file")
            size += about.st_size
            if size > MOST_BYTES or len(files) >= MOST_FILES:
                raise _large(root)
            files[inside] = File(place.read_bytes(), bool(about.st_mode & 0o111))
    return files


def _archive(path: Path) -> Files:
    files: Files = {}
    with zipfile.ZipFile(path) as archive:
        members = archive.infolist()
        if len(members) > MOST_FILES or sum(each.file_size for each in members) > MOST_BYTES:
            raise _large(path)
        for member in members:
            if reason := unsafe(member):
                raise refused(path, f"{clean(member.filename)!r} {reason}")
            if member.filename in files:
                raise refused(path, "it holds two files of one name")
            if not member.is_dir():
                files[member.filename] = File(archive.read(member), bool(member.external_attr >> 16 & 0o111))
    tops = {name.partition("/")[0] for name in files}
    if MANIFEST not in files and len(tops) == 1:  # packed together with the folder that it lies in
        top = f"{tops.pop()}/"
        files = {name.removeprefix(top): file for name, file in files.items()}
    return {name: file for name, file in files.items() if not set(name.split("/")) & set(_LEFT_OUT)}


def _large(path: Path) -> InputError:
    return refused(path, f"it has more than {MOST_FILES} files or {MOST_BYTES >> 20} MiB")
