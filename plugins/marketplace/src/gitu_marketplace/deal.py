"""Installing, updating, going back and removing: what is shown, what is asked, what is done."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from importlib.metadata import PackageNotFoundError, distributions, requires
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from gitu_core.errors import InputError, PluginError, StoreError
from gitu_marketplace import adopt, tools, wheel
from gitu_marketplace import shelf as shelves
from gitu_marketplace.bundle import is_package
from gitu_marketplace.facts import GROUP
from gitu_marketplace.offers import Market, Offer
from gitu_marketplace.shelf import Release, Shelf
from gitu_marketplace.text import clean, consent
from gitu_marketplace.wants import difference


class Dealer:
    """Changes what is installed for the assistant whose folder is *home*; *settings* is its ``gitu.toml`` if one was
    named."""

    def __init__(self, home: Path, market: Market, settings: str = "") -> None:
        self._home, self.market, self._settings = home, market, settings
        self.shelf = Shelf(home)

    def install(
        self, name: str, *, at: str = "", report: str = "", yes: bool = False, enable: bool = False, trust: bool = False
    ) -> str:
        """Installs what *name* stands for; over another release it is an update. With *trust* the skills of a package
        count as the operator's own words."""
        with self.shelf.alone(), tempfile.TemporaryDirectory(prefix="gitu-") as folder:
            path = Path(name).expanduser()
            if not at and is_package(path):
                offer = adopt.offer(path, self._home, self.shelf, Path(folder), trusted=trust)
            else:
                offer = self.market.offer(name, Path(folder), at=at, report=report)
            said = self._put(offer, yes)
        if not enable:
            return said
        id = offer.wheel.wants.id
        said += f"\n{self._gitu('plugins', 'enable', id)}"
        servers = bool(offer.runtime) and bool(adopt.agreed_of(self.shelf, id).servers)
        return f"{said}\n{self.tools(id, yes=yes)}" if servers else said

    def tools(self, id: str, *, yes: bool = False) -> str:
        """Asks the servers of an Agent Plugins package which tools they have, and offers those that are agreed to."""
        release, agreed = self.shelf.installed(id), adopt.agreed_of(self.shelf, id)
        if not agreed.servers:
            raise InputError(f"{id} has no servers", hint="there is nothing to agree to")
        told = self._gitu(agreed.command)
        with self.shelf.alone(), tempfile.TemporaryDirectory(prefix="gitu-") as folder:
            offer = adopt.again(agreed, told, release, self._home, self.shelf, Path(folder))
            if offer.wheel.sha256 == release.sha256:
                left = "".join(f"\n  not used: {each}" for each in offer.unused)
                return f"{id}: the tools of its servers are those that you agreed to{left}"
            return self._put(offer, yes, same=True)

    def update(self, ids: list[str], *, yes: bool = False) -> str:
        """Brings plugins, all without *ids*, to the newest release of where they came from."""
        said = []
        with self.shelf.alone():
            for id in ids or self.shelf.ids():
                release = self.shelf.installed(id)
                if not ids and release.source.get("kind") not in ("index", "package"):
                    said.append(f"{id} {release.version}: came from a {release.source.get('kind')}, left as it is")
                    continue
                with tempfile.TemporaryDirectory(prefix="gitu-") as folder:
                    offer = self.market.newer(release, Path(folder))
                    said.append(self._put(offer, yes) if offer else f"{id} {release.version} is the newest")
        return "\n".join(said) or "nothing was installed here"

    def rollback(self, id: str) -> str:
        """Goes back one release."""
        with self.shelf.alone():
            left, now = self.shelf.back(id)
        added, removed = difference(left.wants.permissions, now.wants.permissions)
        lines = [f"{id}: back from {left.version} to {now.version}"]
        return "\n".join(lines + _changes(added, removed) + [AGAIN])

    def remove(self, id: str, *, keep_state: bool = False) -> str:
        """Switches a plugin off and deletes its code."""
        with self.shelf.alone():
            if not self.shelf.has(id):
                self.shelf.installed(id)
            lines = [] if keep_state else self._off(id)
            self.shelf.remove(id)
            if not keep_state:
                adopt.forget(self._home, id)
        if keep_state:
            return f"{id} was removed; what it stored and your yes to it stay"
        stays = f"what it stored stays in the assistant's data, and [plugins.{id}] in gitu.toml where it has one"
        return "\n".join([f"{id} was removed", *lines, stays, AGAIN])

    def verify(self, ids: list[str]) -> tuple[str, bool]:
        """Compares every file of plugins with what was installed. False if one is not as it was."""
        lines, good = [], True
        for id in ids or self.shelf.ids():
            release = self.shelf.installed(id)
            wrong = self.shelf.wrong(id, self.shelf.name(id))
            lines.append(
                f"{id} {release.version}: {len(release.files)} files, " + ("changed" if wrong else "as installed")
            )
            lines += [f"  {clean(each)}" for each in wrong]
            good = good and not wrong
        return "\n".join(lines) or "nothing was installed here", good

    def _put(self, offer: Offer, yes: bool, *, same: bool = False) -> str:
        """Shows an offer, asks where something is new, and puts it in use."""
        found, id = offer.wheel, offer.wheel.wants.id
        now = self._now(id)
        self._refuse(offer, now)
        shown = [f"{id} {found.version} ({found.name}), from {clean(offer.said)}"]
        shown += [f"  {found.wants.title}"] if found.wants.title else []
        shown += [f"  sha256 {found.sha256}"] + ([f"  quality: {offer.tier}"] if offer.tier else [])
        if now is None:
            shown += ["it wants:", *(f"  {each}" for each in found.wants.permissions or ("nothing",))]
            shown += [] if found.wants.described else [f"  {UNDESCRIBED}"]
            shown += [f"with: {', '.join(found.requires)}"] if found.requires else []
            shown += [f"not used: {each}" for each in offer.unused]
            consent(shown, f"Install {id} {found.version}?", yes)
        else:
            added, removed = difference(now.wants.permissions, found.wants.permissions)
            shown += [f"instead of {now.version}; {'' if added or removed else 'it wants the same'}".rstrip("; ")]
            moved = now.source != offer.source
            shown += [f"  before, it came from: {clean(' '.join(now.source.values()))}"] if moved else []
            question = f"{id} {found.version} {'wants more' if added else 'comes from elsewhere'}. Use it?"
            shown += [*_changes(added, removed), *(f"  not used: {each}" for each in offer.unused)]
            consent(shown, question, yes or not (added or moved))
        release = self._make(offer, same=same)
        if offer.runtime:
            adopt.prepare(self.shelf, id)
        if now is None:
            return f"{id} {release.version} was installed; to use it: gitu plugins enable {id}"
        if same:
            return f"{id}: the tools that its servers are agreed to have are offered\n{AGAIN}"
        return f"{id}: {now.version} was replaced by {release.version}; to go back: gitu plugins rollback {id}\n{AGAIN}"

    def _make(self, offer: Offer, *, same: bool) -> Release:
        found = offer.wheel
        with self.shelf.stage(found.wants.id) as stage:
            wheel.unpack(found, stage)
            shelves.step("unpacked")
            parts = tools.fill(stage, found.requires)
            shelves.step("filled")
            release = Release(found.wants.id, found.name, found.version, found.file.name, found.sha256, found.wants,
                              offer.source, parts, offer.tier, runtime=offer.runtime)  # fmt: skip
            return self.shelf.commit(stage, release, same=same)

    def _now(self, id: str) -> Release | None:
        try:
            return self.shelf.current(id)
        except StoreError:  # not readable: everything is shown and asked, as if it were new
            return None

    def _refuse(self, offer: Offer, now: Release | None) -> None:
        """`InputError` if the id belongs to somebody else."""
        found = offer.wheel
        id = found.wants.id
        if now is not None and now.distribution != found.name:
            what = f"{found.name} says it is {id!r}, which was installed from {now.distribution}"
            raise InputError(what, hint=f"use nothing of it, or first run: gitu plugins remove {id}")
        for other in self.shelf.ids():
            release = self._now(other)
            if release is not None and other != id and release.distribution == found.name:
                what = f"{found.name} says it is {id!r}, but it was installed as {other!r}"
                raise InputError(what, hint=f"use nothing of it, or first run: gitu plugins remove {other}")
        for each in distributions():
            name = canonicalize_name(each.name or "")
            mine = {point.name.lower() for point in each.entry_points if point.group == GROUP}
            if mine and (name == found.name or id in mine):
                what = f"{id!r} comes with {name}, which is part of this installation of Gitu"
                raise InputError(what, hint="upgrade it as you installed it")
        if found.name in _parts_of_gitu():
            what = f"{found.name} is the name of a part of Gitu"
            raise InputError(what, hint="if it is missing, install it as you installed Gitu; use nothing of this one")

    def _off(self, id: str) -> list[str]:
        try:
            self._gitu("plugins", "disable", id)
        except PluginError as error:  # damaged so that nobody finds it: it must go all the same
            return [error.message]
        return []

    def _gitu(self, *words: str) -> str:
        """What `gitu` says: whether a plugin is on is the core's to know, its processes are the core's to start, and
        another process is the way to it that operators have too. With -P, since this folder may be a package's: modules
        that lie there would be run."""
        settings = ["--config", self._settings] if self._settings else []
        command = [sys.executable, "-P", "-m", "gitu_core", *settings, "--home", str(self._home), *words]
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
        if done.returncode:
            what = f"'gitu {' '.join(words)}' did not end well: {done.stderr.strip()[-500:]}"
            raise PluginError(what, hint="see: gitu plugins")
        return done.stdout.strip()


UNDESCRIBED = "(no manifest: facets are read from its code when it is enabled; network, secrets, files are refused)"
AGAIN = "an assistant that runs uses it after it is started again"


def _parts_of_gitu() -> set[str]:
    """The distributions that the core has as its own, installed or not: whoever is called so would be trusted."""
    try:
        needs = map(Requirement, requires("gitu-core") or ())
        return {"gitu-core", *(canonicalize_name(need.name) for need in needs if "assistant" in str(need.marker))}
    except PackageNotFoundError:  # run from a folder that was never installed
        return {"gitu-core"}


def _changes(added: list[str], removed: list[str]) -> list[str]:
    return [f"  now wants: {each}" for each in added] + [f"  no longer wants: {each}" for each in removed]
