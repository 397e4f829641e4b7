"""What the metadata of a wheel says, read strictly, and which of its files may be unpacked, and where to."""

from __future__ import annotations

import stat
import zipfile
from collections.abc import Iterator
from itertools import takewhile
from pathlib import Path, PurePosixPath
from unicodedata import normalize

from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from gitu_core.errors import IncompatibleError, InputError
from gitu_marketplace.text import clean

GROUP = "gitu.plugins"


def unsafe(member: zipfile.ZipInfo) -> str:
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
    return ""


def astray(place: PurePosixPath) -> str:
    """Why nothing of a plugin may lie at a place of its environment, or nothing."""
    top = place.parts[0].casefold()
    if top.partition(".")[0] in HOSTS:
        return "stands in the way of what Gitu itself brings"
    if len(place.parts) == 1 and top.endswith(".pth"):
        return "would change where Python looks for code"
    if top.endswith(".egg-info"):
        return "would be taken for another plugin"
    if place.name.casefold() == MANIFEST and place.name != MANIFEST:
        return f"is a {MANIFEST} for some systems only"
    return ""


MANIFEST = "gitu-plugin.toml"

HOSTS = frozenset(("gitu_core", "msgspec", "anyio", "pydantic", "pydantic_core"))
"""Packages that a plugin has from its host."""


def place_of(name: str) -> PurePosixPath | None:
    """Where a file of a wheel belongs; None for what a plugin has no use for: scripts, headers, data."""
    path = PurePosixPath(name)
    if not path.parts[0].endswith(".data"):
        return path
    inside = path.parts[1:2] in (("purelib",), ("platlib",)) and len(path.parts) > 2
    return PurePosixPath(*path.parts[2:]) if inside else None


def one_spelling(places: list[PurePosixPath]) -> bool:
    """False if two files would be one on some systems, or one of them a folder of another."""
    spelled: dict[str, str] = {}
    for place in places:
        for each in (place, *place.parents[:-1]):
            text = each.as_posix()
            if spelled.setdefault(normalize("NFC", text).casefold(), text) != text:
                return False
    files = {place.as_posix() for place in places}
    folders = {each.as_posix() for place in places for each in place.parents[:-1]}
    return len(files) == len(places) and not files & folders


def told(text: str, name: str) -> str:
    """What metadata says in a field that must be there once, however its lines are told apart: the registry reads them
    in its own way, and must not find another distribution. Nothing where it is not there once."""
    lines = takewhile(bool, text.splitlines())
    found = [value for key, _, value in (line.partition(":") for line in lines) if key.strip().casefold() == name]
    return found[0].strip() if len(found) == 1 else ""


def bad(file: Path, what: str) -> InputError:
    """Why a wheel cannot be installed."""
    return InputError(f"{clean(file.name)} cannot be installed: {what}", hint="ask its author for a correct wheel")


def version_of(text: str) -> Version | None:
    """A version, None if the text is none."""
    try:
        return Version(text)
    except InvalidVersion:
        return None


def check_python(file: Path, wanted: str | None) -> None:
    """`IncompatibleError` if a wheel is for another Python."""
    import platform

    try:
        fits = not wanted or SpecifierSet(wanted).contains(platform.python_version(), prereleases=True)
    except InvalidSpecifier as error:
        raise bad(file, clean(str(error))) from error
    if not fits:
        what = f"{file.name} needs Python {clean(str(wanted))}, this is {platform.python_version()}"
        raise IncompatibleError(what, hint="look for another version of it")


def entry_of(file: Path, text: str) -> tuple[str, str]:
    """The one entry point that makes it a plugin."""
    inside, found = False, []
    for line in map(str.strip, text.splitlines()):
        if line.startswith("["):
            inside = line == f"[{GROUP}]"
        elif inside and "=" in line and line[0] not in "#;":
            name, _, value = line.partition("=")
            found.append((name.strip().lower(), value.partition("[")[0].strip()))
    if len(found) != 1:
        raise bad(file, f"it has {len(found) or 'no'} entry points in the group {GROUP}, and needs one")
    return found[0]


def needed(file: Path, lines: list[str]) -> Iterator[str]:
    """Its dependencies, without those that the host gives and those that are not wanted here."""
    for line in lines[:500]:
        try:
            need = Requirement(line)
        except InvalidRequirement as error:
            raise bad(file, clean(str(error))) from error
        if need.url:
            raise bad(file, f"its dependency {clean(need.name)} is to be fetched from an address of its own")
        if canonicalize_name(need.name).replace("-", "_") in HOSTS or (need.marker and not need.marker.evaluate()):
            continue
        need.marker = None
        yield str(need)
