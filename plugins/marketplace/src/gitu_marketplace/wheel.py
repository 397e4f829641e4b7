"""A wheel, read and unpacked without running anything of it. Whatever it says is checked: it may come from anybody."""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import os
import stat
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from email import message_from_bytes
from pathlib import Path, PurePosixPath

import msgspec
from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.tags import sys_tags
from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename
from packaging.version import InvalidVersion, Version

from gitu_core.errors import IncompatibleError, InputError
from gitu_marketplace import wants
from gitu_marketplace.text import clean
from gitu_marketplace.wants import Wants

MOST_BYTES, MOST_FILES, LARGEST_TEXT = 512 << 20, 20_000, 1 << 20
"""Bytes and files that a wheel may unpack to, and bytes of each text that is read from it."""

GROUP, MANIFEST = "gitu.plugins", "gitu-plugin.toml"


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
        raise _bad(file, clean(str(error))) from error
    if tags.isdisjoint(sys_tags()):
        raise IncompatibleError(f"{file.name} was built for another platform or Python", hint="look for another wheel")
    with _opened(file) as archive:
        info = _info_folder(file, archive, name, version)
        fields = message_from_bytes(_text(file, archive, f"{info}/METADATA"))
        if canonicalize_name(fields.get("Name", "")) != name or _version(fields.get("Version", "")) != version:
            raise _bad(file, "its name and what it says inside disagree")
        _python(file, fields.get("Requires-Python"))
        entry, value = _entry(file, _text(file, archive, f"{info}/entry_points.txt").decode("utf-8", "replace"))
        wanted = _wants(file, archive, entry, value)
    requires = tuple(_needed(file, fields.get_all("Requires-Dist") or []))
    author = fields.get("Author") or fields.get("Author-Email") or ""
    return Wheel(
        file, sha256_of(file), file.stat().st_size, name, str(version), wanted, requires,
        clean(fields.get("Summary", "")), clean(str(author)),
    )  # fmt: skip


def unpack(wheel: Wheel, target: Path) -> None:
    """Writes the files of a wheel into a folder, each compared with the wheel's own record. `InputError` if one is not
    as recorded, or the wheel is not the one that was looked at."""
    if sha256_of(wheel.file) != wheel.sha256:
        raise _bad(wheel.file, "it changed meanwhile")
    with _opened(wheel.file) as archive:
        info = next(each for each in archive.namelist() if each.endswith(".dist-info/RECORD")).rpartition("/")[0]
        record = _record(_text(wheel.file, archive, f"{info}/RECORD"))
        for member in archive.infolist():
            place = _place(member.filename)
            if member.is_dir() or place is None:
                continue
            data = archive.read(member)
            if member.filename != f"{info}/RECORD" and record.get(member.filename) != _digest(data):
                raise _bad(wheel.file, f"{clean(member.filename)} is not as its record says")
            file = target / place
            file.parent.mkdir(parents=True, exist_ok=True)
            with open(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644), "wb") as stream:
                stream.write(data)


def _bad(file: Path, what: str) -> InputError:
    return InputError(f"{clean(file.name)} cannot be installed: {what}", hint="ask its author for a correct wheel")


@contextmanager
def _opened(file: Path) -> Iterator[zipfile.ZipFile]:
    """The archive, after a look at the names and sizes of all its files."""
    try:
        with zipfile.ZipFile(file) as archive:
            members = archive.infolist()
            if len(members) > MOST_FILES or sum(each.file_size for each in members) > MOST_BYTES:
                raise _bad(file, f"it unpacks to more than {MOST_FILES} files or {MOST_BYTES >> 20} MiB")
            folded = [each.filename.rstrip("/").casefold() for each in members]
            if len(set(folded)) < len(folded):
                raise _bad(file, "it holds two files of one name")
            for member in members:
                if reason := _unsafe(member):
                    raise _bad(file, f"{clean(member.filename)!r} {reason}")
            yield archive
    except (zipfile.BadZipFile, zipfile.LargeZipFile, NotImplementedError, RuntimeError, EOFError, ValueError) as error:
        raise _bad(file, clean(str(error)) or "it is no archive") from error
    except OSError as error:
        raise InputError(f"{error}", hint="name a wheel that can be read") from error


def _unsafe(member: zipfile.ZipInfo) -> str:
    """Why a file of an archive must not be unpacked, or nothing."""
    name, kind = member.filename, stat.S_IFMT(member.external_attr >> 16)
    parts = name.rstrip("/").split("/")
    if name != member.orig_filename or name.startswith("/") or any(each in ("", ".", "..") for each in parts):
        return "leaves its folder"
    if any(each in "\\:\0" or ord(each) < 32 for each in name) or max(map(len, parts)) > 200 or len(name) > 1000:
        return "is no name for a file"
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        return "is a link or a device"
    if member.flag_bits & 1:
        return "is encrypted"
    if parts[0].removesuffix(".py").partition(".")[0] in HOSTS:
        return "stands in the way of what Gitu itself brings"
    if len(parts) == 1 and name.endswith(".pth"):
        return "would change where Python looks for code"
    return ""


HOSTS = frozenset(("gitu_core", "msgspec", "anyio", "pydantic", "pydantic_core"))
"""Packages that a plugin has from its host."""


def _place(name: str) -> PurePosixPath | None:
    """Where a file of a wheel belongs; None for what a plugin has no use for: scripts, headers, data."""
    path = PurePosixPath(name)
    if not path.parts[0].endswith(".data"):
        return path
    inside = path.parts[1:2] in (("purelib",), ("platlib",)) and len(path.parts) > 2
    if inside and path.parts[2].removesuffix(".py") not in HOSTS and not path.name.endswith(".pth"):
        return PurePosixPath(*path.parts[2:])
    return None


def _info_folder(file: Path, archive: zipfile.ZipFile, name: str, version: Version) -> str:
    tops = {each.partition("/")[0] for each in archive.namelist()}
    found = [top for top in tops if top.endswith(".dist-info")]
    told, _, said = found[0].removesuffix(".dist-info").partition("-") if len(found) == 1 else ("", "", "")
    if not told or canonicalize_name(told) != name or _version(said) != version:
        raise _bad(file, f"it needs one folder {name}-{version}.dist-info")
    return found[0]


def _text(file: Path, archive: zipfile.ZipFile, name: str) -> bytes:
    try:
        if archive.getinfo(name).file_size > LARGEST_TEXT:
            raise _bad(file, f"{clean(name)} has more than {LARGEST_TEXT >> 20} MiB")
        return archive.read(name)
    except KeyError as error:
        raise _bad(file, f"{clean(name)} is missing, so that it is no plugin or no wheel") from error


def _version(text: str) -> Version | None:
    try:
        return Version(text)
    except InvalidVersion:
        return None


def _python(file: Path, wanted: str | None) -> None:
    import platform

    try:
        fits = not wanted or SpecifierSet(wanted).contains(platform.python_version(), prereleases=True)
    except InvalidSpecifier as error:
        raise _bad(file, clean(str(error))) from error
    if not fits:
        what = f"{file.name} needs Python {clean(str(wanted))}, this is {platform.python_version()}"
        raise IncompatibleError(what, hint="look for another version of it")


def _entry(file: Path, text: str) -> tuple[str, str]:
    """The one entry point that makes it a plugin."""
    inside, found = False, []
    for line in map(str.strip, text.splitlines()):
        if line.startswith("["):
            inside = line == f"[{GROUP}]"
        elif inside and "=" in line and line[0] not in "#;":
            name, _, value = line.partition("=")
            found.append((name.strip().lower(), value.partition("[")[0].strip()))
    if len(found) != 1:
        raise _bad(file, f"it has {len(found) or 'no'} entry points in the group {GROUP}, and needs one")
    return found[0]


def _wants(file: Path, archive: zipfile.ZipFile, entry: str, value: str) -> Wants:
    """From the manifest, which lies in the package of the entry point or in one further down; the first counts."""
    parts = value.partition(":")[0].split(".")
    names = set(archive.namelist())
    for depth in range(len(parts)):
        place = "/".join([*parts[: depth + 1], MANIFEST])
        if place in names:
            return wants.read(_text(file, archive, place), f"{file.name}: {place}")
    if not wants.ID.fullmatch(entry) or entry == "gitu":
        raise _bad(file, f"{clean(entry)!r} is not a plugin id")
    return Wants(entry, described=False)


def _needed(file: Path, lines: list[str]) -> Iterator[str]:
    """Its dependencies, without those that the host gives and those that are not wanted here."""
    for line in lines[:500]:
        try:
            need = Requirement(line)
        except InvalidRequirement as error:
            raise _bad(file, clean(str(error))) from error
        if need.url:
            raise _bad(file, f"its dependency {clean(need.name)} is to be fetched from an address of its own")
        if canonicalize_name(need.name).replace("-", "_") in HOSTS or (need.marker and not need.marker.evaluate()):
            continue
        need.marker = None
        yield str(need)


def _record(text: bytes) -> dict[str, str]:
    rows = csv.reader(io.StringIO(text.decode("utf-8", "replace")))
    return {row[0]: row[1] for row in rows if len(row) > 1}


def _digest(data: bytes) -> str:
    return "sha256=" + base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
