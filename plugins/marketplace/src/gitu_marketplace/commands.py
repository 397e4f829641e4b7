"""The commands below ``gitu plugins``: what each is called, what it takes, and who does the work."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from gitu_core import ToolResult
from gitu_core.contracts import Command, CommandSpec
from gitu_core.errors import InputError, StoreError

Work = Callable[[Path, dict[str, Any]], str]


class Sub:
    """One command below ``gitu plugins``; *work* does it, all of it without an event loop."""

    def __init__(
        self, name: str, description: str, work: Work, required: Sequence[str] = (), /, **options: Any
    ) -> None:
        given = {"home": {"type": "string", "x-gitu": "home"}, "config": {"type": "string", "x-gitu": "config"}}
        schema = {"type": "object", "properties": {**options, **given}, "required": [*required, "home", "config"]}
        self.spec = CommandSpec(f"plugins {name}", description, schema)
        self._work = work

    async def run(self, arguments: dict[str, Any]) -> ToolResult:
        """Does it at once: nothing else runs in the event loop of a command line."""
        try:
            return ToolResult(content=self._work(Path(arguments["home"]), arguments))
        except OSError as error:
            raise StoreError(f"{error}", hint="see whether the disk is full and the folder is yours") from error


def text(description: str) -> dict[str, str]:
    """An argument that is a text."""
    return {"type": "string", "description": description}


def words(description: str) -> dict[str, Any]:
    """An argument that is any number of words."""
    return {"type": "array", "items": {"type": "string"}, "description": description}


def flag(description: str) -> dict[str, str]:
    """An argument that is said or not."""
    return {"type": "boolean", "description": description}


YES = flag("do it without asking; what it wants is shown all the same")
AT = text("only this index: a folder or URL that was added")
IDS = words("the plugins; all that were installed where none is named")


def make_commands() -> list[Command]:
    """All of them."""
    return [
        Sub("install", "Installs a plugin from a wheel, a folder, an index or a package.", _install, ["name"],
            name=text("a wheel, a folder, an archive, ID or ID==VERSION of an index, or a package"), yes=YES, index=AT,
            enable=flag("switch it on as well"), report=text("the quality report on this wheel"),
            trust_skills=flag("the text of its skills counts as your own words")),
        Sub("update", "Brings plugins to their newest release; asks where it wants more.", _update, ids=IDS, yes=YES),
        Sub("tools", "Asks the servers of a package for their tools; you say which set is offered.", _tools, ["id"],
            id=text("the plugin"), yes=YES),
        Sub("rollback", "Goes back to the release before.", _rollback, ["id"], id=text("the plugin")),
        Sub("remove", "Switches a plugin off and deletes its code.", _remove, ["id"], id=text("the plugin"),
            keep_state=flag("keep what it stored, and your yes to it")),
        Sub("verify", "Compares every file with what was installed.", _verify, ids=IDS),
        Sub("search", "Looks for plugins in the indexes that were added.", _search,
            words=words("words that the plugin must have"), index=AT),
        Sub("show", "Tells what is known of a plugin: what it wants, where it comes from.", _show, ["id"],
            id=text("the plugin"), index=AT),
        Sub("index", "Adds, removes and lists indexes; builds one.", _index, ["action"],
            action=text("list, add LOCATION, remove LOCATION, build FOLDER, or key FILE, which makes a key"),
            location=words("the folder or URL of an index, or the file of a key"), yes=YES,
            fingerprint=text("with add: the fingerprint that the publisher's key must have"),
            key=text("with build: the file of the key that signs"), name=text("with build: the name of the index"),
            days={"type": "integer", "description": "with build: days that it holds; 90 where nothing is said"}),
    ]  # fmt: skip


def _dealer(home: Path, given: dict[str, Any]) -> Any:
    from gitu_marketplace.deal import Dealer

    return Dealer(home, _market(home), given["config"])


def _market(home: Path) -> Any:
    from gitu_marketplace.offers import Market
    from gitu_marketplace.sources import Sources

    return Market(Sources(home))


def _install(home: Path, given: dict[str, Any]) -> str:
    options = {"at": given.get("index", ""), "report": given.get("report", "")}
    said = {name: bool(given.get(name)) for name in ("yes", "enable")}
    trust = bool(given.get("trust_skills"))
    return str(_dealer(home, given).install(given["name"], **options, **said, trust=trust))


def _update(home: Path, given: dict[str, Any]) -> str:
    return str(_dealer(home, given).update(given.get("ids", []), yes=bool(given.get("yes"))))


def _tools(home: Path, given: dict[str, Any]) -> str:
    return str(_dealer(home, given).tools(given["id"], yes=bool(given.get("yes"))))


def _rollback(home: Path, given: dict[str, Any]) -> str:
    return str(_dealer(home, given).rollback(given["id"]))


def _remove(home: Path, given: dict[str, Any]) -> str:
    return str(_dealer(home, given).remove(given["id"], keep_state=bool(given.get("keep_state"))))


def _verify(home: Path, given: dict[str, Any]) -> str:
    said, good = _dealer(home, given).verify(given.get("ids", []))
    if not good:
        raise StoreError(f"files are not as they were installed\n{said}", hint="remove the plugin and install it again")
    return str(said)


def _search(home: Path, given: dict[str, Any]) -> str:
    from gitu_marketplace.listing import search

    return search(_market(home), given.get("words", []), given.get("index", ""))


def _show(home: Path, given: dict[str, Any]) -> str:
    from gitu_marketplace.listing import show
    from gitu_marketplace.shelf import Shelf

    return show(_market(home), Shelf(home), given["id"], given.get("index", ""))


def _index(home: Path, given: dict[str, Any]) -> str:
    from gitu_marketplace import keeping

    action, location = given["action"], given.get("location", [])
    if action == "list" and not location:
        return keeping.listed(home)
    if len(location) != 1 or action not in ("add", "remove", "build", "key"):
        raise InputError(f"'index {action}' was not understood", hint="see: gitu plugins index --help")
    return str(getattr(keeping, action)(home, location[0], given))
