"""What a rule is, what it finds, and the table of all rules."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from gitu_core.model import Value
from gitu_core.testing.workshop.source import Source

Level = Literal["error", "warning"]
Status = Literal["passed", "failed", "exempt", "unchecked"]
TIERS = ("bronze", "silver", "gold", "platinum")


class Finding(Value, frozen=True):
    """One thing that is not as it should be: what, where, and the next step."""

    what: str
    hint: str
    file: str = ""
    line: int = 0

    def __str__(self) -> str:
        where = f"{self.file}:{self.line}: " if self.line else f"{self.file}: " if self.file else ""
        return f"{where}{self.what}"


class Outcome(Value, frozen=True):
    """What became of a rule: its findings, or the evidence that it is kept; `evidence` says why it was not checked."""

    rule: str
    level: Level
    status: Status
    tier: str = ""
    evidence: str = ""
    findings: tuple[Finding, ...] = ()


class Unchecked(Exception):
    """A rule could not be checked here; the text says why and what to do."""


class Broken(Exception):
    """What a rule runs did not come to an end that says anything: the rule is not kept."""


Check = Callable[[Source], Iterable[Finding | str]]
"""Gives findings, and sentences that are evidence."""


@dataclass(frozen=True)
class Rule:
    """A named rule. `runs`: it runs the plugin's code. `exempt`: a plugin may say why it cannot apply."""

    id: str
    level: Level
    tier: str
    what: str
    check: Check
    runs: bool = False
    exempt: bool = False

    def apply(self, source: Source) -> Outcome:
        """Checks the rule."""
        try:
            said = list(self.check(source))
        except Unchecked as error:
            return Outcome(self.id, self.level, "unchecked", self.tier, str(error))
        except Broken as error:
            said = [Finding(str(error), "run it yourself and correct it")]
        findings = tuple(each for each in said if isinstance(each, Finding))
        evidence = "; ".join(each for each in said if isinstance(each, str))
        return Outcome(self.id, self.level, "failed" if findings else "passed", self.tier, evidence, findings)


RULES: dict[str, Rule] = {}
"""Every rule by its id, in the order in which they are checked."""


def rule(id: str, level: Level, tier: str, **more: Any) -> Callable[[Check], Check]:
    """Makes a rule of a function; its docstring says what the rule is."""

    def mark(check: Check) -> Check:
        RULES[id] = Rule(id, level, tier, " ".join((check.__doc__ or "").split()), check, **more)
        return check

    return mark


def at(source: Source, path: Path, what: str, hint: str, line: int = 0) -> Finding:
    """A finding in a file of the plugin."""
    return Finding(what, hint, source.where(path), line)


def load() -> dict[str, Rule]:
    """All rules; the modules that have them are imported."""
    from gitu_core.testing.workshop import packing, running, tested, touching, wording  # noqa: F401 - they fill the table

    order = ["manifest", "entry-point", "agrees", "imports", "version", "readme", "laws", "undeclared", "dependencies",
             "py-typed", "docstrings", "licence", "types", "start-up", "configuration", "permissions", "kits",
             "every-law", "isolated", "injected"]  # fmt: skip
    return {id: RULES[id] for id in order}
