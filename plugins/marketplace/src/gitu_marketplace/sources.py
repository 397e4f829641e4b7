"""Where indexes are: their places with the key that each was first seen with, and what is fetched from them."""

from __future__ import annotations

import hashlib
import http.client
import ipaddress
import os
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import IO, Any
from urllib.parse import urlsplit

import msgspec

from gitu_core.errors import AuthFailed, ConfigError, InputError, NotReady, Rejected
from gitu_marketplace import index as indexes
from gitu_marketplace.badge import tier_in
from gitu_marketplace.index import INDEX, LARGEST_INDEX, LARGEST_REPORT, LARGEST_SIGNATURE, SIGNATURE, Index, Issue
from gitu_marketplace.wheel import sha256_of

SECONDS, PATIENCE, FRESH, MOST = 30.0, 600.0, 600.0, 32
"""Seconds of silence that a server may keep, seconds that a file may take, seconds in which an index is not fetched
again, indexes at most."""


class Place(msgspec.Struct):
    """An index that the operator added: the key that it must be signed with and the highest serial that was seen."""

    location: str
    key: str
    serial: int = 0
    fetched: float = 0.0


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
        index = indexes.read(data, signature, place.key, serial=place.serial)
        place.serial, place.fetched = index.serial, time.time()
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


def located(location: str) -> str:
    """A location as it is kept: an absolute folder, or a URL without a slash at its end. `InputError` if it is neither
    or not safe: only this machine may be asked without TLS."""
    if "://" not in location:
        return str(Path(location).expanduser().resolve())
    _allowed(location)
    return location.rstrip("/")


def _allowed(url: str) -> None:
    parts = urlsplit(url)
    if parts.username or parts.query or parts.fragment or not parts.hostname:
        raise InputError(
            f"{parts.scheme}://{parts.hostname or ''} is no location of an index", hint="write https://..."
        )
    if parts.scheme != "https" and not (parts.scheme == "http" and _here(parts.hostname)):
        raise InputError(f"{url} is not asked: only https is, or http on this machine", hint="write https://...")


def _here(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


class _Careful(urllib.request.HTTPRedirectHandler):
    """Follows a redirect only to where an index may be."""

    def redirect_request(self, req: Any, fp: IO[bytes], code: int, msg: str, headers: Any, newurl: str) -> Any:
        _allowed(newurl)
        if _here(urlsplit(newurl).hostname or "") and not _here(urlsplit(req.full_url).hostname or ""):
            raise InputError("the server sends us to this machine", hint="tell its operator")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def fetch(location: str, name: str, most: int) -> bytes:
    """A file beside an index, of at most so many bytes. `NotReady` if its place cannot be reached, `Rejected` if there
    is no such file, `InputError` if it is larger."""
    try:
        with _open(location, name) as stream:
            data = _read(stream, most)
    except urllib.error.HTTPError as error:
        kind = NotReady if error.code in (408, 429) or error.code >= 500 else Rejected
        raise kind(f"{location}/{name}: HTTP status {error.code}", hint="see the location of the index") from error
    except FileNotFoundError as error:
        raise Rejected(f"{location} has no {name}", hint="see the location of the index") from error
    except (OSError, http.client.HTTPException) as error:
        raise NotReady(f"{location}/{name}: {error}", hint="see whether it can be reached, and try again") from error
    if len(data) > most:
        raise InputError(f"{location}/{name} has more than {most} bytes", hint="tell its publisher")
    return data


def _read(stream: Any, most: int) -> bytes:
    data, end = bytearray(), time.monotonic() + PATIENCE
    while len(data) <= most and (part := stream.read1(min(1 << 16, most + 1 - len(data)))):
        data += part
        if time.monotonic() > end:
            raise TimeoutError(f"not complete after {PATIENCE:g} s")
    return bytes(data)


def _open(location: str, name: str) -> Any:
    if "://" not in location:
        file = Path(location, name)
        if not file.is_file():
            raise FileNotFoundError(name)
        return open(file, "rb")
    request = urllib.request.Request(f"{location}/{name}", headers={"User-Agent": "gitu"})
    return urllib.request.build_opener(_Careful).open(request, timeout=SECONDS)
