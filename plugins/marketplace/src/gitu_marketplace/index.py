"""The index of plugins: ``index.json`` with a detached signature, which any web server or folder can host.

A signature is over the exact bytes of ``index.json``, by Ed25519; ``index.sig`` holds it with the publisher's public
key, both in Base64. `serial` grows with every index that is published and `expires` bounds how long an old one can be
shown to somebody who is kept from the new one.
"""

from __future__ import annotations

import base64
import hashlib
import re
import time
from pathlib import PurePosixPath

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from packaging.version import InvalidVersion, Version

from gitu_core.errors import AuthFailed, InputError
from gitu_marketplace.text import clean
from gitu_marketplace.wants import ID, Wants

FORMAT = 1
INDEX, SIGNATURE = "index.json", "index.sig"
LARGEST_INDEX, LARGEST_SIGNATURE, LARGEST_REPORT, LARGEST_WHEEL = 16 << 20, 4 << 10, 4 << 20, 256 << 20
"""Bytes of each file that are fetched at most."""

_FILE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+!-]{0,199}")
_HASH = re.compile(r"[0-9a-f]{64}")
_BOUND = b"gitu plugin index\n"  # so that a signature of anything else by the same key is none of an index


class Report(msgspec.Struct, frozen=True):
    """A quality report: its file beside the index, its hash, and the tier that it states."""

    file: str
    sha256: str
    tier: str


class Issue(msgspec.Struct, frozen=True, omit_defaults=True):
    """One version of a plugin: its wheel and what it wants. `date` is in seconds since 1970."""

    version: str
    wheel: str
    sha256: str
    size: int
    wants: Wants
    date: int = 0
    report: Report | None = None


class Entry(msgspec.Struct, frozen=True, omit_defaults=True):
    """A plugin, its newest version first."""

    id: str
    distribution: str
    versions: tuple[Issue, ...]
    title: str = ""
    summary: str = ""
    author: str = ""


class Index(msgspec.Struct, frozen=True):
    """What a publisher offers. Times are in seconds since 1970."""

    format: int
    serial: int
    issued: int
    expires: int
    plugins: tuple[Entry, ...] = ()
    name: str = ""

    def entry(self, id: str) -> Entry | None:
        """The plugin with an id."""
        return next((each for each in self.plugins if each.id == id), None)


class _Signature(msgspec.Struct, frozen=True):
    key: str
    signature: str


def fingerprint(key: str) -> str:
    """A public key as people compare it."""
    digest = hashlib.sha256(_unpacked(key)).hexdigest()
    return ":".join(digest[at : at + 4] for at in range(0, 40, 4))


def sign(data: bytes, key: Ed25519PrivateKey) -> bytes:
    """The content of ``index.sig`` for the bytes of an index."""
    public = base64.b64encode(key.public_key().public_bytes_raw()).decode()
    signature = base64.b64encode(key.sign(_BOUND + data)).decode()
    return msgspec.json.format(msgspec.json.encode(_Signature(public, signature)), indent=1) + b"\n"


def signer(signature: bytes) -> str:
    """The public key that a signature names; whether it made it is for `read` to say."""
    return _signature(signature).key


def read(data: bytes, signature: bytes, key: str, *, serial: int = 0, now: float | None = None) -> Index:
    """An index whose signature by *key*, serial and expiry hold. `AuthFailed` if one of them does not, `InputError` if
    what is signed is no index."""
    given = _signature(signature)
    if given.key != key:
        what = f"the index is signed with another key ({fingerprint(given.key)}) than before ({fingerprint(key)})"
        hint = "ask its publisher, on another way, whether the key was replaced; if so, remove the index and add it"
        raise AuthFailed(what, hint=hint)
    try:
        Ed25519PublicKey.from_public_bytes(_unpacked(key)).verify(_unpacked(given.signature, 64), _BOUND + data)
    except InvalidSignature as error:
        hint = "use nothing of it; tell its publisher"
        raise AuthFailed("the signature of the index is wrong: it was changed", hint=hint) from error
    index = decoded(data)
    if index.serial < serial:
        what = f"the index is older (number {index.serial}) than the one that was seen before (number {serial})"
        raise AuthFailed(what, hint="somebody may keep newer releases from you; tell its publisher")
    if (time.time() if now is None else now) > index.expires:
        day = time.strftime("%Y-%m-%d", time.gmtime(index.expires))
        raise AuthFailed(f"the index expired on {day}", hint="its publisher has to sign it again")
    return index


def decoded(data: bytes) -> Index:
    """An index, whoever wrote it. `InputError` if it cannot be one."""
    try:
        index = msgspec.json.decode(data, type=Index)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise _bad(clean(str(error))) from error
    if index.format != FORMAT:
        raise _bad(f"its format is {index.format}, this program reads {FORMAT}")
    if not 0 < index.serial < 1 << 53 or not 0 <= index.issued <= index.expires < 1 << 40:
        raise _bad("its number or its times cannot be")
    names = [each.id for each in index.plugins]
    if len(set(names)) < len(names):
        raise _bad("it lists a plugin twice")
    for entry in index.plugins:
        _check(entry)
    return index


def _check(entry: Entry) -> None:
    if not ID.fullmatch(entry.id) or entry.id == "gitu":
        raise _bad(f"{clean(entry.id, 80)!r} is not a plugin id")
    seen: set[Version] = set()
    for each in entry.versions:
        try:
            version = Version(each.version)
        except InvalidVersion as error:
            raise _bad(f"{entry.id}: {clean(each.version, 80)!r} is no version") from error
        files = [(each.wheel, each.sha256), *([(each.report.file, each.report.sha256)] if each.report else [])]
        for file, digest in files:
            if not _FILE.fullmatch(file) or ".." in file or not _HASH.fullmatch(digest):
                raise _bad(
                    f"{entry.id}: {clean(file, 80)!r} is no name of a file beside the index, or its hash is none"
                )
        if PurePosixPath(each.wheel).suffix != ".whl" or not 0 < each.size <= LARGEST_WHEEL or version in seen:
            raise _bad(f"{entry.id} {each.version}: no wheel, of an impossible size, or listed twice")
        if each.wants.id != entry.id:
            raise _bad(f"{entry.id} {each.version} is about {clean(each.wants.id, 80)!r}")
        seen.add(version)
    if not entry.versions:
        raise _bad(f"{entry.id} has no version")


def _signature(data: bytes) -> _Signature:
    try:
        return msgspec.json.decode(data, type=_Signature)
    except (msgspec.MsgspecError, ValueError) as error:
        raise _bad(f"{SIGNATURE}: {clean(str(error))}") from error


def _unpacked(text: str, size: int = 32) -> bytes:
    try:
        data = base64.b64decode(text, validate=True)
    except ValueError as error:
        raise _bad(f"{SIGNATURE} is damaged") from error
    if len(data) != size:
        raise _bad(f"{SIGNATURE} is damaged")
    return data


def _bad(what: str) -> InputError:
    return InputError(f"the index cannot be used: {what}", hint="tell its publisher")
