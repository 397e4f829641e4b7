"""From an Agent Plugins package to a release, and from what its servers say to the next one."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import msgspec

from gitu_core.errors import InputError, Rejected
from gitu_marketplace import making, packages, toolbox
from gitu_marketplace.agent.agreed import FILE, FOLDER, Agreed
from gitu_marketplace.agent.agreed import read as read_agreed
from gitu_marketplace.offers import Offer
from gitu_marketplace.shelf import Release, Shelf
from gitu_marketplace.text import clean


def offer(path: Path, home: Path, shelf: Shelf, into: Path, *, trusted: bool) -> Offer:
    """What a package amounts to. Tools that were agreed to stay, where their server is what it was."""
    package = packages.read(path)
    before = _before(shelf, package.id)
    same = {name for name, each in before.servers.items() if package.servers.get(name) == each} if before else set()
    kept = tuple(each for each in before.tools if each.server in same) if before else ()
    found = making.make(package, home, into, kept, trusted=trusted)
    kind = "folder" if path.is_dir() else "file"
    return Offer(found, f"the package {clean(str(path))}, an Agent Plugins package", {"kind": kind},
                 unused=package.unused, runtime=making.RUNTIME)  # fmt: skip


def again(agreed: Agreed, told: str, release: Release, home: Path, shelf: Shelf, into: Path) -> Offer:
    """The same package with the tools that its servers *told* of."""
    unused = list[str]()
    try:
        tools = toolbox.read(told, agreed, unused.append)
    except (msgspec.MsgspecError, ValueError) as error:
        what = f"what {agreed.id} told of its servers cannot be read: {clean(str(error))}"
        raise Rejected(what, hint="see the log") from error
    silent = {each.partition(":")[0].removeprefix("server ") for each in unused if each.startswith("server ")}
    tools += tuple(each for each in agreed.tools if each.server in silent)  # whoever is silent takes nothing back
    place = _place(shelf, agreed.id) / FOLDER
    package = packages.read(place)
    found = making.make(package, home, into, tools, trusted=agreed.trusted)
    return Offer(found, f"the package that is installed and what its servers say; {len(tools)} tools",
                 release.source, unused=tuple(unused), runtime=making.RUNTIME)  # fmt: skip


def agreed_of(shelf: Shelf, id: str) -> Agreed:
    """What was agreed to for the release in use. `InputError` if it is no such package."""
    if not shelf.installed(id).runtime:
        raise InputError(f"{id} is no Agent Plugins package", hint="its tools stand in its manifest")
    return read_agreed(_place(shelf, id))


def prepare(shelf: Shelf, id: str) -> None:
    """Makes the folder that the programs of a package may write to."""
    if data := agreed_of(shelf, id).data:
        Path(data).mkdir(parents=True, exist_ok=True, mode=0o700)


def data_of(home: Path, id: str) -> Path:
    """The folder that the programs of a package may write to."""
    return home.resolve() / "package-data" / id


def forget(home: Path, id: str) -> None:
    """Deletes what the programs of a package wrote, folders included that they closed to everybody."""
    for where, folders, _ in os.walk(data_of(home, id)):
        for place in [where, *(os.path.join(where, each) for each in folders)]:
            if not os.path.islink(place):
                os.chmod(place, 0o700)
    shutil.rmtree(data_of(home, id), ignore_errors=True)


def _before(shelf: Shelf, id: str) -> Agreed | None:
    if id not in shelf.ids() or not (release := shelf.current(id)) or not release.runtime:
        return None
    return agreed_of(shelf, id)


def _place(shelf: Shelf, id: str) -> Path:
    found = sorted(shelf.place(id, shelf.name(id)).glob(f"agent_*/{FILE}"))
    if len(found) != 1:
        raise InputError(f"{id} is not as it was installed", hint="install its package again")
    return found[0].parent
