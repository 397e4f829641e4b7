"""The quality tier, computed out of what the rules found, and the author's `quality.toml` compared with it."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from typing import Any

from msgspec.structs import replace

from gitu_core.testing.workshop.rules import TIERS, Finding, Outcome, load
from gitu_core.testing.workshop.source import Source

FILE = "quality.toml"


def tier_of(outcomes: Sequence[Outcome]) -> str:
    """The highest tier whose rules, and those of all tiers below, are kept or exempt; empty where none is."""
    reached = ""
    for tier in TIERS:
        mine = [each.status for each in outcomes if each.tier == tier]
        if not mine or any(status not in ("passed", "exempt") for status in mine):
            break
        reached = tier
    return reached


def compared(source: Source, outcomes: Sequence[Outcome]) -> list[Outcome]:
    """The outcomes with the exemptions that count, and what is wrong with the author's statements as one more."""
    file = source.folder / FILE
    if source.kind != "folder":
        return [*outcomes, Outcome("quality", "error", "unchecked", evidence=f"{FILE} lies beside the sources")]
    if not file.is_file():
        missing = Finding(f"there is no {FILE}", "write one with done = [...] and todo = [...]", FILE)
        return [*outcomes, Outcome("quality", "error", "failed", findings=(missing,))]
    try:
        said = tomllib.loads(file.read_text("utf-8"))
    except (OSError, ValueError) as error:
        broken = Finding(f"it cannot be read: {error}", "correct it", FILE)
        return [*outcomes, Outcome("quality", "error", "failed", findings=(broken,))]
    wrong = list(_shape(said))
    if wrong:
        return [*outcomes, Outcome("quality", "error", "failed", findings=tuple(wrong))]
    found = {each.rule: each for each in outcomes}
    exempt = {id: str(why).strip() for id, why in said.get("exempt", {}).items()}
    wrong = list(_claims(said, exempt, found))
    result = [replace(each, status="exempt", evidence=exempt[each.rule], findings=())
              if each.status == "failed" and load()[each.rule].exempt and exempt.get(each.rule) else each
              for each in outcomes]  # fmt: skip
    evidence = f"{len(said.get('done', ()))} done, {len(said.get('todo', ()))} to do, {len(exempt)} exempt"
    return [*result, Outcome("quality", "error", "failed" if wrong else "passed", "", evidence, tuple(wrong))]


def _shape(said: dict[str, Any]) -> list[Finding]:
    lists = [said.get("done", []), said.get("todo", [])]
    right = set(said) <= {"done", "todo", "exempt"} and isinstance(said.get("exempt", {}), dict)
    if right and all(isinstance(each, list) and all(isinstance(id, str) for id in each) for each in lists):
        return []
    return [Finding("it holds something else than done, todo and exempt", "see docs/quality.md", FILE)]


def _claims(said: dict[str, Any], exempt: dict[str, str], found: dict[str, Outcome]) -> list[Finding]:
    rules, wrong = load(), []
    named = [*said.get("done", ()), *said.get("todo", ()), *exempt]
    for id in dict.fromkeys(named):
        if id not in rules:
            wrong.append(Finding(f"there is no rule {id!r}", "docs/quality.md lists all rules", FILE))
        elif named.count(id) > 1:
            wrong.append(Finding(f"{id} is named twice", "it is done, to do or exempt", FILE))
    for id in said.get("done", ()):
        if id in found and found[id].status == "failed":
            wrong.append(Finding(f"it says that {id} is done, and that was not found", f"correct it, or move {id} to "
                                 "todo", FILE))  # fmt: skip
    for id, why in exempt.items():
        if not why:
            wrong.append(Finding(f"{id} is exempt without a reason", "say why the rule cannot apply", FILE))
        elif id in rules and not rules[id].exempt:
            wrong.append(Finding(f"nobody is exempt from {id}", "keep the rule, or move it to todo", FILE))
    return wrong
