"""The badge: a tier counts only where a report of this very wheel names every rule of it as kept.

What the report says of itself is not believed: the tier is computed again out of what it says of each rule.
"""

from __future__ import annotations

import msgspec

RULES = {
    "bronze": ("manifest", "entry-point", "agrees", "imports", "version", "readme"),
    "silver": ("laws", "undeclared", "dependencies", "py-typed", "docstrings", "licence"),
    "gold": ("types", "start-up", "configuration", "permissions", "kits"),
    "platinum": ("every-law", "isolated", "injected"),
}
"""The rules of each tier, the lowest first; `gitu check` has the same."""

EXEMPT = ("isolated", "injected")
"""The rules that a plugin may say a reason against."""

ALWAYS = ("quality", "wheel")
"""Rules of no tier; where one of them is broken there is none."""


class _Rule(msgspec.Struct, frozen=True):
    rule: str
    status: str


class _Report(msgspec.Struct, frozen=True):
    plugin: str
    tier: str
    sha256: str
    complete: bool = True
    rules: tuple[_Rule, ...] = ()


def tier_in(report: bytes, id: str, sha256: str) -> str:
    """The tier that follows from a quality report on a wheel; empty where it is about another, no report, or where what
    it says of the rules does not amount to the tier that it states."""
    try:
        told = msgspec.json.decode(report, type=_Report)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return ""
    about = told.plugin == id and told.sha256 == sha256 and told.complete
    return told.tier if about and told.tier == _tier(told.rules) else ""


def _tier(rules: tuple[_Rule, ...]) -> str:
    found = {each.rule: each.status for each in rules}
    if len(found) < len(rules) or any(found.get(rule) != "passed" for rule in ALWAYS):
        return ""
    reached = ""
    for tier, needed in RULES.items():
        if not all(found.get(rule) == "passed" or (rule in EXEMPT and found.get(rule) == "exempt") for rule in needed):
            break
        reached = tier
    return reached
