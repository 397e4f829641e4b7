"""The marketplace as a page of the console, in data: search, install, update, go back. What a plugin wants is shown
first, and a yes counts for exactly what was shown."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from anyio import to_thread

from gitu_core import ToolResult
from gitu_core.contracts import Block
from gitu_core.errors import Denied, GituError, InputError
from gitu_marketplace.text import ELSEWHERE, clean

if TYPE_CHECKING:
    from gitu_core import Host
    from gitu_marketplace.deal import Dealer

SEARCH = {"type": "object", "properties": {
    "words": {"type": "string", "title": "Words", "maxLength": 200,
              "description": "what the plugin says of itself; nothing: all that the indexes have"}}}  # fmt: skip
MOST = 100
"""Plugins that a search shows."""


@dataclass
class _Visit:
    """What somebody looked for, and what waits for a yes: the deed, its values, and what was shown."""

    words: str | None = None
    deed: str = ""
    values: dict[str, Any] = field(default_factory=dict)
    shown: tuple[str, ...] = ()


class Shop:
    """The page ``admin/marketplace``."""

    path, title, icon = "admin/marketplace", "Marketplace", "plugins"

    def __init__(self, host: Host) -> None:
        self._host = host
        self._visits: dict[str, _Visit] = {}

    async def blocks(self, principal: str) -> Sequence[Block]:
        """What waits for a yes, the search with what it found, and what was installed."""
        visit = self._visits.get(principal, _Visit())
        dealer = await self._dealer()
        return [*_question(visit), *await to_thread.run_sync(_found, dealer, visit),
                *await to_thread.run_sync(_installed, dealer)]  # fmt: skip

    async def act(self, principal: str, action: str, values: dict[str, Any]) -> ToolResult:
        """Does it; what needs a yes is shown instead, and done once that is given."""
        visit = self._visits.setdefault(principal, _Visit())
        if action == "search":
            visit.words = str(values.get("words", ""))
            return ToolResult(content="")
        if action == "no":
            visit.deed = ""
            return ToolResult(content="Nothing was changed.")
        if action == "anew":
            await self._host.admin.begin_anew(by=principal)
            return ToolResult(content="It begins anew. Give it a moment.")
        agreed = visit.shown if action == "yes" and visit.deed else ()
        deed, values = (visit.deed, visit.values) if action == "yes" else (action, values)
        work = _WORK.get(deed)
        if work is None:
            return ToolResult("error", content="Nothing is called so; open the page again.")
        visit.deed = ""
        try:
            said = await to_thread.run_sync(_done, work, await self._dealer(), values, agreed)
        except Denied as error:
            if shown := error.details.get("shown"):
                visit.deed, visit.values, visit.shown = deed, values, tuple(map(str, shown))
                return ToolResult(content="Look at what it wants before you say yes.")
            return ToolResult("error", content=f"{error.message}; {error.hint}")
        except GituError as error:
            return ToolResult("error", content=f"{error.message}; {error.hint}")
        return ToolResult(content=said)

    async def _dealer(self) -> Dealer:
        from gitu_marketplace.deal import Dealer
        from gitu_marketplace.offers import Market
        from gitu_marketplace.sources import Sources

        told = await self._host.admin.overview()
        home = Path(told["home"])
        return Dealer(home, Market(Sources(home)), told["settings"]["file"])


def _done(work: Callable[[Dealer, dict[str, Any]], str], dealer: Dealer, values: dict[str, Any],
          agreed: tuple[str, ...]) -> str:  # fmt: skip
    token = ELSEWHERE.set(agreed)
    try:
        return work(dealer, values)
    finally:
        ELSEWHERE.reset(token)


def _install(dealer: Dealer, values: dict[str, Any]) -> str:
    id, index = str(values.get("id", "")), str(values.get("index", ""))
    if not index:  # a path or a package of an installer is for whoever sits at the machine
        raise InputError("a plugin is installed from an index here", hint="on the machine: gitu plugins install NAME")
    return dealer.install(id, at=index)


def _update(dealer: Dealer, values: dict[str, Any]) -> str:
    return dealer.update([str(values.get("id", ""))])


def _rollback(dealer: Dealer, values: dict[str, Any]) -> str:
    return dealer.rollback(str(values.get("id", "")))


_WORK = {"install": _install, "update": _update, "rollback": _rollback}


def _button(action: str, title: str, confirm: str = "", **values: str) -> dict[str, Any]:
    return {"action": action, "title": title, "values": values, "confirm": confirm}


def _table(title: str, heads: dict[str, str], rows: list[dict[str, Any]], empty: str) -> Block:
    columns = [{"key": key, "title": head} for key, head in heads.items()]
    return Block("table", title, {"columns": columns, "rows": rows, "empty": empty})


def _question(visit: _Visit) -> list[Block]:
    if not visit.deed:
        return []
    rows = [{"line": clean(line, 4_000)} for line in visit.shown]
    return [
        _table(f"{visit.deed.capitalize()} {visit.values.get('id', '')}?", {"line": "What happens"}, rows, ""),
        Block("action", "", {"title": "Yes, do it"}, "yes"), Block("action", "", {"title": "No"}, "no"),
    ]  # fmt: skip


def _found(dealer: Dealer, visit: _Visit) -> list[Block]:
    form = Block("form", "Search", {"schema": SEARCH, "values": {"words": visit.words or ""}, "submit": "Search"},
                 "search")  # fmt: skip
    if visit.words is None:
        return [form]
    try:
        listed = dealer.market.listed()
    except GituError as error:
        return [form, Block("text", "", {"text": f"{error.message}; {error.hint}", "tone": "bad"})]
    rows = []
    for place, entry in listed:
        about = " ".join((entry.id, entry.distribution, entry.title, entry.summary, entry.author)).casefold()
        if all(word in about for word in visit.words.casefold().split()):
            wants = "\n".join(clean(each, 300) for each in entry.versions[0].wants.permissions) or "nothing"
            rows.append({"id": entry.id, "about": clean(entry.title or entry.summary, 120), "wants": wants,
                         "version": clean(entry.versions[0].version, 20), "author": clean(entry.author, 60),
                         "actions": [_button("install", "Install", id=entry.id, index=place.location)]})  # fmt: skip
    heads = {"id": "Plugin", "about": "What it does", "version": "Version", "author": "By", "wants": "It wants"}
    empty = "Nothing was found." if listed else "No index was added; on the machine: gitu plugins index add LOCATION"
    return [form, _table("Found", heads, rows[:MOST], empty)]


def _installed(dealer: Dealer) -> list[Block]:
    rows = []
    for id in dealer.shelf.ids():
        release = dealer.shelf.current(id)
        if release is not None:
            acts = [
                _button("update", "Update", id=id),
                _button("rollback", "Go back", f"{id}: one release back", id=id),
            ]
            rows.append({"id": id, "version": release.version, "from": clean(" ".join(release.source.values()), 200),
                         "actions": acts})  # fmt: skip
    heads = {"id": "Plugin", "version": "Version", "from": "From"}
    note = "What was installed, updated or taken back counts after the assistant begins anew."
    table = _table("Installed from here", heads, rows, "Nothing was installed from an index yet.")
    anew = Block("action", "", {"title": "Begin anew", "confirm": note}, "anew")
    return [table, Block("text", "", {"text": note}), anew]
