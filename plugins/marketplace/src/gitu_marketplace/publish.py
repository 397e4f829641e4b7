"""Makes an index out of a folder of wheels, and the key that signs it."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from pathlib import Path

import msgspec
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key
from packaging.version import Version

from gitu_core.errors import ConfigError, InputError
from gitu_marketplace import wheel as wheels
from gitu_marketplace.badge import tier_in
from gitu_marketplace.index import (
    FORMAT,
    INDEX,
    LARGEST_REPORT,
    LARGEST_WHEEL,
    SIGNATURE,
    Entry,
    Index,
    Issue,
    Report,
    decoded,
    sign,
)
from gitu_marketplace.wheel import Wheel

REPORT = ".report.json"
"""What the name of a wheel's quality report ends with; before it stands the wheel's own name."""

DAY = 86_400


def make_key(file: Path) -> Ed25519PrivateKey:
    """Makes a key that only its owner may read. `ConfigError` if the file exists or cannot be written."""
    key = Ed25519PrivateKey.generate()
    try:
        with open(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as stream:
            stream.write(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    except OSError as error:
        raise ConfigError(f"{error}", hint="name a new file; a key that is replaced is lost") from error
    return key


def load_key(file: Path) -> Ed25519PrivateKey:
    """Reads a key. `ConfigError` says why it cannot be used."""
    try:
        key = load_pem_private_key(file.read_bytes(), None)
    except (OSError, ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise ConfigError(f"{file}: {error}", hint="make one with: gitu plugins index key FILE") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise ConfigError(f"{file} is no Ed25519 key", hint="make one with: gitu plugins index key FILE")
    return key


def publish(folder: Path, key: Ed25519PrivateKey, *, days: int = 90, name: str = "", now: float | None = None) -> Index:
    """Writes ``index.json`` and ``index.sig`` into a folder of wheels, numbered after the index that lies there. An
    `InputError` names the wheel that cannot be offered."""
    files = sorted(folder.glob("*.whl"))
    if not files:
        raise InputError(f"{folder} holds no wheel", hint="build some into it, with: pip wheel")
    at = int(time.time() if now is None else now)
    before = folder / INDEX
    serial = decoded(before.read_bytes()).serial + 1 if before.is_file() else 1
    index = Index(FORMAT, serial, at, at + days * DAY, tuple(_entries(map(wheels.look, files), folder)), name)
    data = msgspec.json.format(msgspec.json.encode(index, order="deterministic"), indent=1) + b"\n"
    decoded(data)  # what nobody could read is not published
    for file, content in ((SIGNATURE, sign(data, key)), (INDEX, data)):
        draft = folder / f".{file}.new"
        draft.write_bytes(content)
        draft.replace(folder / file)
    return index


def _entries(found: Iterable[Wheel], folder: Path) -> list[Entry]:
    by_id: dict[str, list[Wheel]] = {}
    for each in found:
        if each.size > LARGEST_WHEEL:
            raise InputError(f"{each.file.name} has more than {LARGEST_WHEEL >> 20} MiB", hint="offer a smaller one")
        others = by_id.setdefault(each.wants.id, [])
        if others and others[0].name != each.name:
            what = f"{each.file.name} and {others[0].file.name} have one id, {each.wants.id!r}"
            raise InputError(what, hint="give each plugin an id of its own")
        if any(Version(other.version) == Version(each.version) for other in others):
            raise InputError(f"there are two wheels of {each.wants.id} {each.version}", hint="leave one of them out")
        others.append(each)
    entries = []
    for id, versions in sorted(by_id.items()):
        versions.sort(key=lambda each: Version(each.version), reverse=True)
        newest = versions[0]
        issues = tuple(_issue(each, folder) for each in versions)
        entries.append(Entry(id, newest.name, issues, newest.wants.title, newest.summary, newest.author))
    return entries


def _issue(wheel: Wheel, folder: Path) -> Issue:
    file = folder / (wheel.file.name.removesuffix(".whl") + REPORT)
    report = None
    if file.is_file():
        tier = tier_in(
            file.read_bytes() if file.stat().st_size <= LARGEST_REPORT else b"", wheel.wants.id, wheel.sha256
        )
        if not tier:
            what = f"{file.name} is no report on {wheel.file.name}, or states no tier"
            raise InputError(what, hint="make it again from this very wheel")
        report = Report(file.name, wheels.sha256_of(file), tier)
    date = int(wheel.file.stat().st_mtime)
    return Issue(wheel.version, wheel.file.name, wheel.sha256, wheel.size, wheel.wants, date, report)
