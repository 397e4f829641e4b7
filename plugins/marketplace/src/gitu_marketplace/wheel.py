"""A wheel, read and unpacked without running anything of it. Whatever it says is checked: it may come from anybody."""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import os
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from email import message_from_bytes
from pathlib import Path, PurePosixPath

import msgspec
from packaging.tags import sys_tags
from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename
from packaging.version import InvalidVersion, Version

from gitu_core.errors import IncompatibleError, InputError
from gitu_marketplace import wants
from gitu_marketplace.facts import (
    MANIFEST,
    astray,
    bad,
    check_python,
    entry_of,
    needed,
    one_spelling,
    place_of,
    told,
    unsafe,
    version_of,
)  # fmt: skip
from gitu_marketplace.text import clean
from gitu_marketplace.wants import Wants

MOST_BYTES, MOST_FILES, LARGEST_TEXT = 512 << 20, 20_000, 1 << 20
"""Bytes and files that a wheel may unpack to, and bytes of each text that is read from it."""


class Wheel(msgspec.Struct, frozen=True):
    """A wheel that was looked at."""

    file: Path
    sha256: str
    size: int
    name: str
    version: str
    wants: Wants
    requires: tuple[str, ...] = ()
    summary: str = ""
    author: str = ""


def sha256_of(file: Path) -> str:
    """The hash of a file."""
    with open(file, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def look(file: Path) -> Wheel:
    """What a wheel holds and wants. `InputError` says what is wrong with it; nothing of it is run or written."""
    try:
        name, version, _, tags = parse_wheel_filename(file.name)
    except (InvalidWheelFilename, InvalidVersion) as error:
        raise bad(file, clean(str(error))) from error
    if tags.isdisjoint(sys_tags()):
        raise IncompatibleError(f"{file.name} was built for another platform or Python", hint="look for another wheel")
    with _opened(file) as archive:
        info = _info_folder(file, archive, name, version)
        metadata = _text(file, archive, f"{info}/METADATA")
        fields, text = message_from_bytes(metadata), metadata.decode("utf-8", "replace")
        if canonicalize_name(told(text, "name")) != name or version_of(told(text, "version")) != version:
            raise bad(file, "its name and what it says inside disagree")
        check_python(file, fields.get("Requires-Python"))
        entry, value = entry_of(file, _text(file, archive, f"{info}/entry_points.txt").decode("utf-8", "replace"))
        wanted = _wants(file, archive, entry, value)
    requires = tuple(needed(file, fields.get_all("Requires-Dist") or []))
    author = fields.get("Author") or fields.get("Author-Email") or ""
    return Wheel(
        file, sha256_of(file), file.stat().st_size, name, str(version), wanted, requires,
        clean(fields.get("Summary", "")), clean(str(author)),
    )  # fmt: skip


def unpack(wheel: Wheel, target: Path) -> None:
    """Writes the files of a wheel into a folder, each compared with the wheel's own record. `InputError` if one is not
    as recorded, or the wheel is not the one that was looked at."""
    if sha256_of(wheel.file) != wheel.sha256:
        raise bad(wheel.file, "it changed meanwhile")
    with _opened(wheel.file) as archive:
        info = _info_folder(wheel.file, archive, wheel.name, Version(wheel.version))
        record = _record(_text(wheel.file, archive, f"{info}/RECORD"))
        if missing := record.keys() - set(archive.namelist()):
            raise bad(wheel.file, f"{clean(min(missing))} is recorded and not there")
        for member in archive.infolist():
            place = place_of(member.filename)
            if member.is_dir() or place is None:
                continue
            data = archive.read(member)
            if member.filename != f"{info}/RECORD" and record.get(member.filename) != _digest(data):
                raise bad(wheel.file, f"{clean(member.filename)} is not as its record says")
            file = target / place
            file.parent.mkdir(parents=True, exist_ok=True)
            mode = 0o755 if member.external_attr >> 16 & 0o111 else 0o644
            with open(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as stream:
                stream.write(data)


@contextmanager
def _opened(file: Path) -> Iterator[zipfile.ZipFile]:
    """The archive, after a look at the names and sizes of all its files."""
    try:
        opened = zipfile.ZipFile(file)
    except zipfile.BadZipFile as error:
        raise bad(file, clean(str(error))) from error
    except OSError as error:
        raise InputError(f"{error}", hint="name a wheel that can be read") from error
    try:
        with opened as archive:
            members = archive.infolist()
            if len(members) > MOST_FILES or sum(each.file_size for each in members) > MOST_BYTES:
                raise bad(file, f"it unpacks to more than {MOST_FILES} files or {MOST_BYTES >> 20} MiB")
            for member in members:
                place = None if (reason := unsafe(member)) else place_of(member.filename)
                if reason := reason or (astray(place) if place else ""):
                    raise bad(file, f"{clean(member.filename)!r} {reason}")
            if not one_spelling([place for place, _ in _places(archive)]):
                raise bad(file, "it holds two files of one name")
            yield archive
    except (zipfile.BadZipFile, zipfile.LargeZipFile, NotImplementedError, RuntimeError, EOFError, ValueError) as error:
        raise bad(file, clean(str(error)) or "it is no archive") from error


def _info_folder(file: Path, archive: zipfile.ZipFile, name: str, version: Version) -> str:
    tops = {place.parts[0] for place, _ in _places(archive)}
    found = [top for top in tops if top.casefold().endswith(".dist-info")]
    own, _, said = found[0].removesuffix(".dist-info").partition("-") if len(found) == 1 else ("", "", "")
    if not own or canonicalize_name(own) != name or version_of(said) != version:
        raise bad(file, f"it needs one folder {name}-{version}.dist-info")
    return found[0]


def _places(archive: zipfile.ZipFile) -> list[tuple[PurePosixPath, str]]:
    """Where each file will lie, with its name in the archive."""
    files = [each.filename for each in archive.infolist() if not each.is_dir()]
    return [(place, name) for name in files if (place := place_of(name)) is not None]


def _text(file: Path, archive: zipfile.ZipFile, name: str) -> bytes:
    try:
        if archive.getinfo(name).file_size > LARGEST_TEXT:
            raise bad(file, f"{clean(name)} has more than {LARGEST_TEXT >> 20} MiB")
        return archive.read(name)
    except KeyError as error:
        raise bad(file, f"{clean(name)} is missing, so that it is no plugin or no wheel") from error


def _wants(file: Path, archive: zipfile.ZipFile, entry: str, value: str) -> Wants:
    """From the manifest, which lies in the package of the entry point or in one further down; the first counts."""
    parts = value.partition(":")[0].split(".")
    places = dict(_places(archive))
    if not any(each.parts[0] in (parts[0], f"{parts[0]}.py") for each in places):
        raise bad(file, f"it has no package {clean(parts[0])!r}, which its entry point names")
    for depth in range(len(parts)):
        place = PurePosixPath(*parts[: depth + 1], MANIFEST)
        if place in places:
            return wants.read(_text(file, archive, places[place]), f"{file.name}: {place}")
    if not wants.ID.fullmatch(entry) or entry == "gitu":
        raise bad(file, f"{clean(entry)!r} is not a plugin id")
    return Wants(entry, described=False)


def _record(text: bytes) -> dict[str, str]:
    rows = csv.reader(io.StringIO(text.decode("utf-8", "replace")))
    return {row[0]: row[1] for row in rows if len(row) > 1}


def _digest(data: bytes) -> str:
    return "sha256=" + base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
