"""What a decision may rest on. Built up as a session goes on, so that everything is read and indexed once."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from functools import cache, lru_cache
from typing import NamedTuple

from gitu_core.contracts.authority import Mode
from gitu_core.model import UNLABELLED, Label, ToolCall, ToolResult, ToolSpec
from gitu_core.model.spec import is_sink
from gitu_core.policy.grants import Grants
from gitu_core.policy.paths import follow, leaves, within
from gitu_core.policy.records import Naming, Record, all_strings, name_matches, read_records
from gitu_core.policy.text import Text, fold, number, scan
from gitu_core.policy.wish import Wish, Wishes, is_assent

_SECRET = re.compile(
    r"(?:code|password|passcode|passphrase|pin|otp|token|secret|cvv|api[ _-]?key|recovery key)\b"
    r"(?:\s+(?:is|for|to|:)|\s*[:=]|\s+[\w ]{0,40}?(?:is|:))\s*[\"'\u201c\u2018]?([^\s\"'\u201d\u2019,;]{4,})",
    re.IGNORECASE,
)


class Role(NamedTuple):
    """What an argument is for, taken apart once for each tool."""

    path: str
    base: str
    kind: str
    sink: bool


class Evidence:
    """All that is known when a call is to be decided about (the contract `Evidence`).

    `label` is the join of the labels of everything the model has seen, `principal` for whom it acts. `people` are the
    addresses that the user wrote to, each with the words of its name. `begun` counts the effects of this turn by what
    they do and where, `declined` are the tools for which a person said no in this turn, `tools` those that the model
    has. `read` tells what is new.
    """

    def __init__(
        self, principal: str, label: Label = UNLABELLED, *, mode: Mode = "default", people: Iterable[str] = (),
        tools: Iterable[ToolSpec] = (), session: str = "", read: Callable[[Evidence], None] | None = None,
    ) -> None:  # fmt: skip
        self.principal, self.label, self.mode, self.session = principal, label, mode, session
        self.now, self.book, self._read = 0.0, _NO_GRANTS, read
        self.tools = {tool.name: tool for tool in tools}
        self.people: dict[str, frozenset[str]] = {}
        self.said: list[Text] = []
        self.request: Text | None = None
        self.begun: list[tuple[str, tuple[str, ...]]] = []
        self.declined: set[str] = set()
        self.minted: set[tuple[str, str]] = set()
        self.secrets: dict[str, str] = {}
        self.known: set[tuple[str, str]] = set()
        self.outside: dict[tuple[str, str], str] = {}
        self.pointed: set[tuple[str, str]] = set()
        self._records: dict[str, dict[str, Record]] = {}
        self._wishes: Wishes | None = None
        self._roles: dict[str, tuple[ToolSpec, list[Role]]] = {}
        self._namings: dict[str, Naming] = {}
        self._looked: set[str] = set()
        for each in people:
            self.wrote_to(each)

    def catch_up(self) -> None:
        """Takes in what is new, and finds out what it means, so that decisions only look."""
        if self._read is not None:
            self._read(self)
        if self._wishes is None:
            self._wishes = Wishes(self.request, self.tools.values())
        for kind in self._records:
            self.naming(kind)

    def heard(self, text: str) -> bool:
        """A trusted person said *text*; it is the current request, unless it only agrees with the one before."""
        new = text_of(text)
        self.said.append(new)
        fresh = self.request is None or not is_assent(text)
        if fresh:
            self.request = new
        self._wishes = None
        self._namings.clear()
        return fresh

    def unasked(self) -> None:
        """Nothing is asked for by anybody who may."""
        self.request, self._wishes = None, None
        self._namings.clear()

    def wrote_to(self, address: str) -> None:
        """The user wrote to this address, or paid it, of their own accord."""
        key = fold(address)
        name = key.partition("@")[0]
        self.people[key] = frozenset(word for word in re.split(r"[\W\d_]+", name) if len(word) > 1)

    def effects(self, begun: Iterable[tuple[ToolCall, ToolSpec]]) -> None:
        """All effects that began since the request was said."""
        self.begun = [(call.id, identity(call, tool, self)) for call, tool in begun]

    def repeated(self, call: ToolCall, tool: ToolSpec) -> bool:
        """True if another call did the same. Where effects share a value in each place that both name, they are."""
        places = _places(identity(call, tool, self))
        others = [_places(key) for id, key in self.begun if id != call.id and key[0] == tool.name]
        return any(all(places[path] & other[path] for path in places.keys() & other.keys()) for other in others)

    def refused(self, tool: str) -> None:
        """A person declined a call of this tool."""
        self.declined.add(tool)

    def lacks(self, call: ToolCall, tool: ToolSpec) -> list[str]:
        """The reading tools that tell, without being asked anything, of the records that a call refers to and nobody
        has seen, or whom the user wrote to, where it goes to somebody."""
        wanted = {
            f"reference:{role.kind}" if role.base == "reference" else "wrote"
            for role in self.roles(tool)
            if role.base == "recipient" or (role.base == "reference" and self._unseen(call, role))
        }
        found = [each for each in self.tools.values() if each.name not in self._looked and asks_nothing(each)]
        return [each.name for each in found if wanted & set(each.records.values())]

    def _unseen(self, call: ToolCall, role: Role) -> bool:
        known = self._records.get(role.kind, {})
        return any(str(each) not in known for each in follow(call.arguments, role.path))

    def saw(self, tool: ToolSpec, result: ToolResult, call: ToolCall | None = None, *, earlier: bool = False) -> None:
        """What a call gave; without one, it was made only to decide about another one, and the model did not read it.
        What an *earlier* turn made is no longer fresh."""
        if call is None or not call.arguments:
            self._looked.add(tool.name)
        if result.status != "ok":
            return
        handed = {fold(str(each)) for _, each in leaves(call.arguments)} if call is not None else set[str]()
        is_outside = cache(lambda path: self._is_outside(tool, result, path))
        for path, role in tool.records.items():
            if role == "secret" or (role == "wrote" and not is_outside(path)):
                for value in follow(result.content, path):
                    self.wrote_to(str(value)) if role == "wrote" else self.secrets.update({fold(str(value)): tool.name})
        for record in read_records(tool, result.content, is_outside):
            record.key = record.key or f"{tool.name}:{record.names}{sorted(record.values.items())}"
            self._records.setdefault(record.kind, {})[record.key] = record
            if tool.acts and record.kind and not earlier and fold(record.key) not in handed:
                self.minted.add((record.kind, fold(record.key)))
            self._namings.pop(record.kind, None)
        pointed, said = self._points_to(call), {value for each in handed for value in scan(each)}
        for path, text in all_strings(result.content):
            self._index(text, is_outside(path), tool.name, pointed, said)

    def _points_to(self, call: ToolCall | None) -> bool:
        """True if the request names what was read: the file, the page, the words that were searched for."""
        said = self.request
        texts = [text for _, text in all_strings(call.arguments)] if call is not None and said is not None else []
        return any(name_matches(text, said) for text in texts if said is not None)

    def _index(self, text: str, outside: bool, source: str, pointed: bool, handed: set[tuple[str, str]]) -> None:
        if outside:
            for value in scan(text):
                self.outside.setdefault(value, source)
                if pointed:
                    self.pointed.add(value)
            for found in _SECRET.finditer(text):
                self.secrets.setdefault(fold(found[1]).rstrip(".!?)"), source)
        else:
            self.known.update(each for each in scan(text) if each not in handed)  # nobody vouches for an echo

    def _is_outside(self, tool: ToolSpec, result: ToolResult, path: str) -> bool:
        """Whether somebody outside wrote the part of a result at *path*: the most exact word about it counts."""
        best, writer = -1, ""
        for pattern, who in tool.writers.items():
            if within(path, pattern) and len(pattern) > best:
                best, writer = len(pattern), who
        if best >= 0:
            return writer not in ("system", "principal")
        label = result.label
        for pattern, each in result.fields.items():
            if within(path, pattern):
                label = label.join(each)
        return not label.trusted_for(self.principal)

    def roles(self, tool: ToolSpec) -> list[Role]:
        """The roles of a tool's arguments."""
        known = self._roles.get(tool.name)
        if known is None or known[0] is not tool:
            split = [(path, *role.partition(":")) for path, role in tool.roles.items()]
            known = tool, [Role(path, base, kind or base, is_sink(base)) for path, base, _, kind in split]
            self._roles[tool.name] = known
        return known[1]

    def wish(self, tool: ToolSpec) -> Wish:
        """Whether the request asks for what the tool does."""
        if self._wishes is None:
            self._wishes = Wishes(self.request, self.tools.values())
        return self._wishes.of(tool)

    @property
    def understood(self) -> bool:
        """True if the request is in a language that the policy reads."""
        return self.request is not None and self.request.english

    def naming(self, kind: str) -> Naming:
        """The records of a kind that the request names."""
        found = self._namings.get(kind)
        if found is None:
            records = self._records.get(kind, {}).values()
            found = self._namings[kind] = Naming(records, self.request or _SILENCE)
        return found

    def suppliers(self, *roles: str) -> Iterable[tuple[Record, str]]:
        """The records that the request names and that hold values in one of *roles*."""
        for kind, records in self._records.items():
            for key, why in self.naming(kind).named.items():
                record = records.get(key)
                if record is not None and any(role in record.values for role in roles):
                    yield record, why

    def touched(self, role: str) -> Iterable[Record]:
        """The records that the request speaks of in any way and that hold a value in *role*."""
        for kind in self._records:
            yield from (r for r in self.naming(kind).touched if role in r.values)

    def contact(self, address: str) -> str:
        """Why an address is one that the user named by its person's name; empty if it is not."""
        name, request = self.people.get(address), self.request
        if not name or request is None:
            return ""
        score = {each: sum(bool(request.find(word)) for word in own) for each, own in self.people.items() if own & name}
        best = max(score.values())
        if score[address] == best > 0 and sum(points == best for points in score.values()) == 1:
            return "somebody you wrote to before and named now"
        return ""

    def trusts(self, kind: str, key: str) -> bool:
        """True if a value stands in what trusted people said or wrote."""
        value = kind, key
        return value in self.known or key in self.people or any(value in text.typed for text in self.said)


def identity(call: ToolCall, tool: ToolSpec, evidence: Evidence) -> tuple[str, ...]:
    """What an effect is: the tool, where it goes, what the user called it, and each sum that they said."""
    parts, request = set[str](), evidence.request
    sums = {float(key) for key, _ in request.amounts()} if request is not None else set[float]()
    for role in evidence.roles(tool):
        for value in follow(call.arguments, role.path) if role.sink or role.base == "title" else ():
            folded = fold(str(value))
            told = number(value) in sums if role.base == "amount" else role.sink
            if told or (role.base == "title" and any(text.find(folded) for text in evidence.said)):
                parts.add(f"{role.path}={folded}")
    return (tool.name, *sorted(parts))


def _places(key: tuple[str, ...]) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for path, _, value in (part.partition("=") for part in key[1:]):
        found.setdefault(path, set()).add(value)
    return found


def asks_nothing(tool: ToolSpec) -> bool:
    """True if a tool only reads, goes nowhere and needs no arguments."""
    return not tool.acts and not tool.sinks and not tool.input_schema.get("required")


_NO_GRANTS, _SILENCE, text_of = Grants(), Text(""), lru_cache(256)(Text)
