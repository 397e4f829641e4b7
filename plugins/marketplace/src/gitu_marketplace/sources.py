"""Where indexes are: their places with the key that each was first seen with, and what is fetched from them."""

from __future__ import annotations

import hashlib
import os
import time
from pathlib import Path

import msgspec

from gitu_core.errors import AuthFailed, ConfigError, InputError, NotReady, Rejected
from gitu_marketplace import index as indexes
from gitu_marketplace.badge import tier_in
from gitu_marketplace.fetching import fetch, located
from gitu_marketplace.index import INDEX, LARGEST_INDEX, LARGEST_REPORT, LARGEST_SIGNATURE, SIGNATURE, Index, Issue
from gitu_marketplace.wheel import sha256_of

FRESH, MOST = 600.0, 32
"""Seconds in which an index is not fetched again, and how many indexes there may be."""


class Place(msgspec.Struct):
    """An index that the operator added: the key that it must be signed with, the highest serial that was seen, and the
    hash of what had it."""

    location: str
    key: str
    serial: int = 0
    fetched: float = 0.0
    sha256: str = ""


class _File(msgspec.Struct):
    indexes: list[Place] = []


class Sources:
    """The indexes of the assistant whose folder is *home*."""

    def __init__(self, home: Path) -> None:
        self.folder = home / "marketplace"
        self._file = self.folder / "indexes.json"

    def places(self) -> list[Place]:
        """The indexes that were added."""
        try:
            return msgspec.json.decode(self._file.read_bytes(), type=_File).indexes
        except FileNotFoundError:
            return []
        except (OSError, msgspec.MsgspecError, ValueError) as error:
            raise ConfigError(f"{self._file}: {error}", hint="delete it and add your indexes again") from error

    def meet(self, location: str) -> tuple[Place, Index]:
        """An index that may not have been added yet, with the key that it names and is signed with."""
        location = located(location)
        data = fetch(location, INDEX, LARGEST_INDEX)
        signature = fetch(location, SIGNATURE, LARGEST_SIGNATURE)
        place = Place(location, indexes.signer(signature))
        index = indexes.read(data, signature, place.key)
        return place, index

    def add(self, place: Place, index: Index) -> None:
        """Keeps an index with its key. `AuthFailed` if it was added with another one."""
        places = self.places()
        known = next((each for each in places if each.location == place.location), None)
        if known is not None and known.key != place.key:
            what = f"{place.location} was added with the key {indexes.fingerprint(known.key)}, now it has another one"
            raise AuthFailed(what, hint=f"if its publisher says so: gitu plugins index remove {place.location}")
        if known is None and len(places) >= MOST:
            raise InputError(f"there are {MOST} indexes already", hint="gitu plugins index remove LOCATION")
        place.serial = max(index.serial, known.serial if known else 0)
        self._keep([*(each for each in places if each is not known), place])

    def remove(self, location: str) -> None:
        """Forgets an index with its key."""
        places = self.places()
        kept = [each for each in places if each.location not in (location, located(location))]
        if len(kept) == len(places):
            hint = f"there is {', '.join(each.location for each in places) or 'none'}"
            raise InputError(f"the index {location} was not added", hint=hint)
        self._keep(kept)

    def read(self, place: Place, *, fresh: bool = False) -> Index:
        """An index that was added; a copy that is some minutes old will do unless a *fresh* one is wanted, and an older
        one where the server cannot be reached."""
        copy = self.folder / "cache" / hashlib.sha256(place.location.encode()).hexdigest()[:32]
        young = not fresh and time.time() - place.fetched < FRESH and place.location.startswith("http")
        try:
            if not young or not (copy / INDEX).is_file():
                data = fetch(place.location, INDEX, LARGEST_INDEX)
                signature = fetch(place.location, SIGNATURE, LARGEST_SIGNATURE)
                return self._seen(place, copy, data, signature)
        except NotReady:
            if not (copy / INDEX).is_file():
                raise
        return indexes.read((copy / INDEX).read_bytes(), (copy / SIGNATURE).read_bytes(), place.key,
                            serial=place.serial)  # fmt: skip

    def _seen(self, place: Place, copy: Path, data: bytes, signature: bytes) -> Index:
        index, digest = indexes.read(data, signature, place.key, serial=place.serial), hashlib.sha256(data).hexdigest()
        if index.serial == place.serial and place.sha256 not in ("", digest):
            what = f"the index is not the one that had the number {index.serial} before"
            raise AuthFailed(what, hint="its publisher has to give every index a number of its own; tell him")
        place.serial, place.fetched, place.sha256 = index.serial, time.time(), digest
        if place.location.startswith("http"):
            copy.mkdir(parents=True, exist_ok=True, mode=0o700)
            (copy / INDEX).write_bytes(data)
            (copy / SIGNATURE).write_bytes(signature)
        self._keep([place if each.location == place.location else each for each in self.places()])
        return index

    def _keep(self, places: list[Place]) -> None:
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        draft = self._file.with_name(f"{self._file.name}.{os.getpid()}.new")
        draft.write_bytes(msgspec.json.encode(_File(places)))
        draft.replace(self._file)


def wheel_of(location: str, issue: Issue, into: Path) -> Path:
    """Fetches a wheel that an index lists. `AuthFailed` if it is another one."""
    file = into / issue.wheel
    file.write_bytes(fetch(location, issue.wheel, issue.size))
    if file.stat().st_size != issue.size or sha256_of(file) != issue.sha256:
        raise AuthFailed(f"{issue.wheel} is not the file that the index lists", hint="tell the publisher of the index")
    return file


def tier_of(location: str, id: str, issue: Issue) -> str:
    """The tier of a version, if the report that states it is the one that the index lists and is about this wheel."""
    if issue.report is None:
        return ""
    try:
        data = fetch(location, issue.report.file, LARGEST_REPORT)
    except (NotReady, Rejected, InputError):
        return ""
    if hashlib.sha256(data).hexdigest() != issue.report.sha256:
        return ""
    tier = tier_in(data, id, issue.sha256)
    return tier if tier == issue.report.tier else ""
