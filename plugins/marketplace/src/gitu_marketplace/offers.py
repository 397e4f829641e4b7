"""From what an operator names to a wheel: a file, a folder, a plugin of an index, a package."""

from __future__ import annotations

from pathlib import Path

import msgspec
from packaging.version import Version

from gitu_core.errors import AuthFailed, InputError
from gitu_marketplace import tools, wheel
from gitu_marketplace.badge import tier_in
from gitu_marketplace.fetching import located
from gitu_marketplace.index import LARGEST_REPORT, Entry, Issue
from gitu_marketplace.shelf import Release
from gitu_marketplace.sources import Place, Sources, tier_of, wheel_of
from gitu_marketplace.wheel import Wheel


class Offer(msgspec.Struct, frozen=True):
    """A wheel that can be installed: where it came from, in words and as it is written down, and its tier. `unused` is
    what of an Agent Plugins package is not used, `runtime` the package of the host that runs such a release."""

    wheel: Wheel
    said: str
    source: dict[str, str]
    tier: str = ""
    unused: tuple[str, ...] = ()
    runtime: str = ""


class Market:
    """What can be installed."""

    def __init__(self, sources: Sources) -> None:
        self._sources = sources

    def listed(self, *, at: str = "", fresh: bool = False) -> list[tuple[Place, Entry]]:
        """Every plugin of the indexes that were added, or of one of them. `InputError` if that one was not."""
        places = self._sources.places()
        if at:
            places = [each for each in places if each.location == located(at)]
            if not places:
                raise InputError(f"the index {at} was not added", hint=f"run: gitu plugins index add {at}")
        return [(each, entry) for each in places for entry in self._sources.read(each, fresh=fresh).plugins]

    def offer(self, name: str, into: Path, *, at: str = "", report: str = "") -> Offer:
        """The wheel that *name* stands for, fetched or built into a folder. *report* is a quality report's file."""
        path = Path(name).expanduser()
        if at or not (path.exists() or name.endswith(".whl")):
            word, _, version = name.partition("==")
            found = [(place, entry) for place, entry in self.listed(at=at) if entry.id == word]
            if len(found) > 1:
                where = ", ".join(place.location for place, _ in found)
                raise InputError(f"more than one index has {word}: {where}", hint="say which, with --index LOCATION")
            if found:
                return self._listed(*found[0], version, into)
            if at:
                raise InputError(f"the index {at} has no plugin {word!r}", hint="see: gitu plugins search WORDS")
            file = tools.download(name, into)
            said = "a package of your installer's sources"
            said += ", since no index that you added has that id" if self._sources.places() else ""
            return _with_report(Offer(wheel.look(file), said,
                                      {"kind": "package", "name": word.strip()}), report)  # fmt: skip
        if path.is_dir():
            found_wheel = wheel.look(tools.build(path.resolve(), into))
            return _with_report(Offer(found_wheel, f"the folder {path}", {"kind": "folder"}), report)
        return _with_report(Offer(wheel.look(path.resolve()), f"the file {path}", {"kind": "file"}), report)

    def newer(self, release: Release, into: Path) -> Offer | None:
        """The newest wheel where an installed release came from; None if that is the one in use."""
        kind = release.source.get("kind")
        if kind == "package":
            offer = self.offer(release.source["name"], into)
        elif kind == "index":
            at = release.source["location"]
            found = [each for each in self.listed(at=at, fresh=True) if each[1].id == release.id]
            if not found:
                raise InputError(f"the index {at} has no plugin {release.id!r} any more", hint="ask its publisher")
            if Version(_pick(found[0][1], "").version) <= Version(release.version):
                return None
            offer = self._listed(*found[0], "", into)
        else:
            what = f"{release.id} was installed from a {kind}, which tells of no newer ones"
            raise InputError(what, hint="install the newer one: gitu plugins install PATH")
        return offer if Version(offer.wheel.version) > Version(release.version) else None

    def _listed(self, place: Place, entry: Entry, version: str, into: Path) -> Offer:
        issue = _pick(entry, version)
        found = wheel.look(wheel_of(place.location, issue, into))
        if found.wants != issue.wants or found.name != entry.distribution or found.version != issue.version:
            what = f"{issue.wheel} is another plugin, or wants something else, than the index says"
            raise AuthFailed(what, hint="tell the publisher of the index")
        source = {"kind": "index", "location": place.location}
        return Offer(found, f"the index {place.location}", source, tier_of(place.location, entry.id, issue))


def _pick(entry: Entry, version: str) -> Issue:
    """The version that is wanted, else the newest that is no trial version, else the newest."""
    issues = sorted(entry.versions, key=lambda each: Version(each.version), reverse=True)
    for each in issues:
        if each.version == version or (not version and not Version(each.version).is_prerelease):
            return each
    if version:
        there = ", ".join(each.version for each in issues[:20])
        raise InputError(f"there is no version {version!r} of {entry.id}", hint=f"there is {there}")
    return issues[0]


def _with_report(offer: Offer, report: str) -> Offer:
    if not report:
        return offer
    file = Path(report)
    if not file.is_file() or file.stat().st_size > LARGEST_REPORT:
        raise InputError(f"{report} is no quality report", hint="name the file that was written for this wheel")
    tier = tier_in(file.read_bytes(), offer.wheel.wants.id, offer.wheel.sha256)
    if not tier:
        what = f"{report} is not about {offer.wheel.file.name}, or states no tier"
        raise InputError(what, hint="make it again from this very wheel")
    return msgspec.structs.replace(offer, tier=tier)
