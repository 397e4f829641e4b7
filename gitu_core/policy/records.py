"""What tools found, as records: which of them the user named, and what those that were named may supply."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from gitu_core.model import ToolSpec
from gitu_core.policy.paths import follow, leaves
from gitu_core.policy.text import LONGEST, NEAR, WORDS, Text, fold, number, same_day, words

COMMON = WORDS["verbs"] | WORDS["names nothing"]
"""Words that name nothing by themselves."""
MOST_WORDS = 20
"""Of a name, of which parts may name it as well."""
_MOST = dict.fromkeys(WORDS["most"], 1) | dict.fromkeys(WORDS["least"], -1)


@dataclass(slots=True)
class Record:
    """One thing that a tool found: of which kind, its identifier, and what its author says is in it."""

    kind: str
    key: str
    tool: str
    names: list[str] = field(default_factory=list)
    days: set[str] = field(default_factory=set)
    size: float | None = None
    parties: set[str] = field(default_factory=set)
    values: dict[str, list[Any]] = field(default_factory=dict)
    outside: set[str] = field(default_factory=set)

    @property
    def title(self) -> str:
        """What to call it when talking to its owner."""
        return f"{self.kind or 'entry'} {self.names[0]!r}" if self.names else f"{self.kind or 'entry'} {self.key}"


def read_records(spec: ToolSpec, content: Any, is_outside: Any) -> Iterator[Record]:
    """The records in a result, as the tool's author describes them."""
    groups: dict[str, list[tuple[str, str, str]]] = {}
    for path, role in spec.records.items():
        parent, star, leaf = path.rpartition("*.")
        groups.setdefault(parent + star.rstrip("."), []).append((leaf, role, path))
    for parent, parts in groups.items():
        for item in follow(content, parent):
            if isinstance(item, dict):
                record = Record("", "", spec.name)
                for leaf, role, path in parts:
                    for value in follow(item, leaf):
                        _take(record, role, value, is_outside(path))
                if record.key or record.names or record.values:
                    yield record


def _take(record: Record, role: str, value: Any, outside: bool) -> None:
    base, _, kind = role.partition(":")
    if base == "reference":
        record.kind, record.key = kind, str(value)
    elif base == "name":
        record.names.append(fold(str(value)))
    elif base == "when":
        record.days.add(str(value)[:10])
    elif base == "size":
        record.size = number(value)
    elif base == "party":
        record.parties.add(fold(str(value)))
    else:
        record.values.setdefault(base, []).append(value)
        if base in ("recipient", "reply"):
            record.parties.add(fold(str(value)))
        if outside:
            record.outside.add(base)


def name_matches(name: str, text: Text) -> list[tuple[int, int, bool]]:
    """Where *text* speaks of *name*: first word and length of each place, and whether that is the whole name."""
    own = words(name[:LONGEST])
    for known_end in ("txt", "md", "csv", "docx", "doc", "pdf", "xlsx", "pptx"):
        if len(own) > 1 and own[-1] == known_end and not text.find(name):
            own = own[:-1]
    if own and not set(own) <= COMMON and (places := text.find(" ".join(own))):
        return [(at, len(own), True) for at in places]
    if len(own) > 1 and not set(own) <= COMMON:
        # A part of a name is a weaker sign: "the grocery list" for "grocery-list-today.docx".
        own = own[:MOST_WORDS]
        for size in range(len(own) - (len(own) < MOST_WORDS), 1, -1):
            for start in range(len(own) - size + 1):
                part = own[start : start + size]
                if not set(part) <= COMMON and (places := text.find(" ".join(part))):
                    return [(at, size, False) for at in places]
        distinct = [word for word in own if len(word) > 3 and not word.isdigit() and word not in COMMON]
        return [(at, 0, False) for word in distinct for at in text.find(word)]
    return []


class Naming:
    """The records of one kind that a request names."""

    def __init__(self, records: Iterable[Record], text: Text) -> None:
        self.named: dict[str, str] = {}
        self.touched: list[Record] = []
        records = list(records)
        spots: dict[int, list[tuple[int, bool, Record]]] = {}
        said = {key for kind, key in text.typed}
        for record in records:
            found = [match for name in record.names for match in name_matches(name, text)]
            for at, size, whole in found:
                if size:
                    spots.setdefault(at, []).append((size, whole, record))
            if found or record.parties & said:
                self.touched.append(record)
        self._choose(spots, text)
        self._extremes(records, text)
        if not self.named:
            self._by_amount(records, text)

    def _choose(self, spots: dict[int, list[tuple[int, bool, Record]]], text: Text) -> None:
        """At each place the longest name counts, whole names before parts; a name for several things names nothing."""
        whole_ones = [(at, min(size, NEAR)) for at, each in spots.items() for size, whole, _ in each if whole]
        taken = {at + step for at, size in whole_ones for step in range(1, size)}
        for at, each in spots.items():
            if at in taken:
                continue
            best = max((whole, size) for size, whole, _ in each)
            fitting = {r.key: r for size, whole, r in each if (whole, size) == best}
            if len(fitting) > 1 and (days := text.days_in(set())):
                on_day = {key: r for key, r in fitting.items() if same_day(days, r.days)}
                fitting = on_day or fitting
            if len(fitting) == 1:
                self.named.update((key, f"the {r.title} that you named") for key, r in fitting.items())

    def _by_amount(self, records: list[Record], text: Text) -> None:
        """ "That 10.00 I just got": the one record with an amount that was said."""
        said = {float(key) for key, _ in text.amounts()}
        fitting = {r.key: r for r in records if said & {number(each) for each in r.values.get("amount", ())}}
        if len(fitting) == 1:
            self.named.update((key, f"the {r.title} with the amount that you said") for key, r in fitting.items())

    def _extremes(self, records: list[Record], text: Text) -> None:
        """ "The largest file": the one that is, if no other is as large."""
        sized = [(r.size, r.key, r) for r in records if r.size is not None]
        for word, sign in _MOST.items():
            if sized and text.find(word):
                best = max(sign * size for size, _, _ in sized)
                fitting = {key: r for size, key, r in sized if sign * size == best}
                if len(fitting) == 1:
                    self.named.update((key, f"the {word} {r.kind} of {len(sized)}") for key, r in fitting.items())


def all_strings(value: Any) -> Iterator[tuple[str, str]]:
    """Every text in a JSON value with its dotted path, names of parts as well; the items of lists count as ``*``."""
    return ((path, each) for path, each in leaves(value, keys=True) if isinstance(each, str))
