"""The envelopes of ``gitu.toml``: which of them a call draws on, when their periods begin, and how full they are."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, time, timedelta, tzinfo
from fnmatch import translate
from hashlib import blake2b
from typing import NamedTuple

import msgspec

from gitu_core.config import Envelope
from gitu_core.contracts.budgets import Bill, Ledger, Slot, Standing, Used
from gitu_core.model import NANO, Value

DIMENSIONS = "user", "session", "plugin", "job", "model", "owner"
"""What an envelope may be split by, in the order of `Used`."""

REMEMBERED = 4_096
"""Of how many callers it is remembered which envelopes they draw on."""

NEVER = 1e12
"""When a period ends that does not end, in seconds since 1970."""


class Line(Value, frozen=True):
    """How full one envelope is: `whose` it is by dimension, what was used of it and what is set aside for calls that
    run, and its limits (None = none), in nano-dollars and tokens. It begins anew at `until` (UTC; None = never)."""

    budget: str
    whose: dict[str, str]
    period: str
    cost: int
    tokens: int
    held_cost: int
    held_tokens: int
    cost_limit: int | None
    tokens_limit: int | None
    until: float | None
    state: str

    @property
    def title(self) -> str:
        """Which one it is, in words."""
        return " ".join([self.budget, *map(" ".join, self.whose.items())])


class Period(NamedTuple):
    """A day or a month by its name, from its first second to the first of the next."""

    name: str
    since: float
    until: float


def period_at(kind: str, at: float, zone: tzinfo) -> Period:
    """The period of that *kind* at a time (UTC), as the calendar of *zone* has it."""
    if kind == "total":
        return Period("", 0.0, NEVER)
    first = datetime.fromtimestamp(at, zone).date()
    first = first if kind == "day" else first.replace(day=1)
    following = first + timedelta(1) if kind == "day" else (first + timedelta(31)).replace(day=1)
    return Period(first.isoformat()[: 10 if kind == "day" else 7], _midnight(first, zone), _midnight(following, zone))


def _midnight(day: date, zone: tzinfo) -> float:
    return datetime.combine(day, time(), zone).timestamp()


class Rule:
    """One budget of ``gitu.toml``."""

    def __init__(self, name: str, envelope: Envelope) -> None:
        self.name, self.envelope = name, envelope
        self.cost = None if envelope.cost is None else round(envelope.cost * NANO)
        given = (envelope.users, envelope.sessions, envelope.plugins, envelope.jobs, envelope.models, envelope.owners)
        self._wanted = [(n, re.compile("|".join(map(translate, each)))) for n, each in enumerate(given) if each]
        self._split = [DIMENSIONS.index(each) for each in envelope.per]
        # Only one person's usage can count where it is split by user; a session is one person's as well.
        self.personal = bool({"user", "session"} & set(envelope.per))

    def part(self, used: Used) -> tuple[str, ...] | None:
        """Whose part of the budget usage counts to; None if to nobody's."""
        who = (*used[:5], used.owner if used.owner == "platform" else f"{used.owner}:{used.person}")
        part = tuple(who[n] for n in self._split)
        return part if all(part) and all(wanted.match(who[n]) for n, wanted in self._wanted) else None

    def key(self, part: Sequence[str], period: str) -> str:
        """The name of that part in that period, in the store."""
        return json.dumps([self.name, period, *part], ensure_ascii=False)


class Envelopes:
    """All budgets. Days and months are those of *zone*."""

    def __init__(self, budgets: Mapping[str, Envelope], zone: tzinfo) -> None:
        self.rules = {name: Rule(name, each) for name, each in budgets.items()}
        self.zone = zone
        self._known: dict[Used, tuple[Slot, ...]] = {}

    @property
    def mark(self) -> str:
        """Changes when something else is counted than before: who and what, not how much of it."""
        limits = {"cost", "tokens", "warn", "on_exhausted"}
        plain = [(name, msgspec.to_builtins(rule.envelope)) for name, rule in self.rules.items()]
        which = [(name, {key: raw[key] for key in sorted(set(raw) - limits)}) for name, raw in plain]
        return blake2b(msgspec.json.encode((str(self.zone), which)), digest_size=8).hexdigest() if which else ""

    def slots(self, bill: Bill) -> tuple[Slot, ...]:
        """The envelopes that a call draws on."""
        known = self._known.get(bill.used)
        if known is None or not all(slot.since <= bill.at < slot.until for slot in known):
            if len(self._known) >= REMEMBERED:
                self._known.clear()
            found = (self._slot(rule, bill) for rule in self.rules.values() if rule.part(bill.used) is not None)
            known = self._known[bill.used] = tuple(found)
        return known

    def _slot(self, rule: Rule, bill: Bill) -> Slot:
        period, part, person = self.period(rule, bill.at), rule.part(bill.used) or (), bill.used.person
        return Slot(
            rule.name, part, rule.key(part, period.name), period.since, period.until, rule.cost, rule.envelope.tokens,
            lambda used: rule.part(used) == part, person if rule.personal else "",
        )  # fmt: skip

    def period(self, rule: Rule, at: float) -> Period:
        """The period of a budget at a time."""
        return period_at(rule.envelope.period, at, self.zone)

    def title(self, slot: Slot, bill: Bill) -> str:
        """Which envelope it is, in words for who makes that call: ``daily (yours, model acme/big)``."""
        mine = {("user", bill.used.person): "yours", ("session", bill.used.session): "this session"}
        named = zip(self.rules[slot.budget].envelope.per, slot.part, strict=True)
        whose = ", ".join(mine.get(each, " ".join(each)) for each in named)
        return f"{slot.budget} ({whose})" if whose else slot.budget

    def when(self, until: float | None) -> str:
        """When an envelope begins anew, in words; nothing if it never does."""
        ends = until is not None and until < NEVER
        return datetime.fromtimestamp(until or 0, self.zone).strftime("%Y-%m-%d %H:%M %Z") if ends else ""

    def line(self, line: Line, mine: bool = False) -> str:
        """How full an envelope is, in words; *mine*: for whose it is."""
        title = line.budget if mine and [*line.whose] == ["user"] else line.title
        used = amounts(line.cost, line.tokens, line.cost_limit, line.tokens_limit)
        return f"{title}, {line.period}: {used} used{anew(self.when(line.until))}"

    async def report(self, ledger: Ledger, now: float, person: str = "") -> list[Line]:
        """How full the envelopes are that were used in their present period; of one *person*, only their own."""
        held, lines = {key: (cost, tokens) for key, cost, tokens in await ledger.held()}, list[Line]()
        for rule in self.rules.values():
            if rule.personal or not person:
                period = self.period(rule, now)
                used = await ledger.used(period.since, period.until, person)
                found = _lines(rule, period, used, held)
                lines += [each for each in found if each.whose.get("user", person) == person or not person]
        return lines


def _lines(rule: Rule, period: Period, used: Sequence[Used], held: Mapping[str, tuple[int, int]]) -> Iterable[Line]:
    per, envelope = rule.envelope.per, rule.envelope
    spent: dict[tuple[str, ...], tuple[int, int]] = {} if per else {(): (0, 0)}
    for each in used:
        if (part := rule.part(each)) is not None:
            cost, tokens = spent.get(part, (0, 0))
            spent[part] = cost + each.cost, tokens + each.tokens
    for part, (cost, tokens) in sorted(spent.items()):
        full = fraction(Standing(cost, tokens), rule.cost, envelope.tokens)
        state = "used up" if full >= 1 else "warning" if full >= min(envelope.warn, default=1.0) else "ok"
        yield Line(rule.name, dict(zip(per, part, strict=True)), period.name or "total", cost, tokens,
                   *held.get(rule.key(part, period.name), (0, 0)), rule.cost, envelope.tokens,
                   None if period.until >= NEVER else period.until, state)  # fmt: skip


def fraction(standing: Standing, cost: int | None, tokens: int | None) -> float:
    """How much of its limits was spent of an envelope: 1 = all of it."""
    parts = [(standing.cost, cost), (standing.tokens, tokens)]
    return max((used / limit if limit else float(used > 0) for used, limit in parts if limit is not None), default=0.0)


def amounts(cost: int, tokens: int, cost_limit: int | None, tokens_limit: int | None, of: bool = True) -> str:
    """Amounts for people, of what has a limit; with *of*, of how much."""
    parts = []
    if cost_limit is not None:
        parts.append(money(cost) + (f" of {money(cost_limit)}" if of else ""))
    if tokens_limit is not None:
        parts.append(f"{tokens:,}" + (f" of {tokens_limit:,}" if of else "") + " tokens")
    return " and ".join(parts)


def anew(when: str) -> str:
    """The end of a sentence about an envelope."""
    return f"; it begins anew on {when}" if when else ""


def money(nano: int) -> str:
    """An amount of money, for people."""
    return "<$0.0001" if 0 < nano < NANO / 10_000 else f"${nano / NANO:,.4f}".rstrip("0").rstrip(".")
