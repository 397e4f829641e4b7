"""Standing permissions: what a person allowed beforehand, for which tools and arguments, until when, how often."""

from __future__ import annotations

import re
from collections.abc import Iterable
from fnmatch import fnmatchcase
from typing import Any

import msgspec

from gitu_core.model.base import Value
from gitu_core.policy.paths import follow
from gitu_core.policy.text import fold, number

__all__ = ["Grant", "Grants"]

_WILD, _CHUNKS = frozenset("*?["), re.compile(r"[*?\[].*[*?\]]|[*?\[]")


class Grant(Value, frozen=True):
    """A permission. `tool` is a pattern (``mail.*``). `when` holds a pattern for each argument (dotted path) that is
    named there, `most` the largest amount; an argument that is named must be there, and lists match item by item.
    `expires` is in seconds since 1970, UTC; `uses` says how often it may still be used (None = without limit). Without
    `outside` it does not count where outside content led to the call. Patterns know ``*``, ``?`` and ``[abc]``.
    """

    id: str
    principal: str
    tool: str
    when: dict[str, str] = msgspec.field(default_factory=dict)
    most: dict[str, float] = msgspec.field(default_factory=dict)
    expires: float | None = None
    uses: int | None = None
    outside: bool = True

    def covers(self, arguments: dict[str, Any]) -> bool:
        """True if the arguments keep its conditions."""
        for path, pattern in self.when.items():
            values = [str(value) for value in follow(arguments, path)]
            if not values or not all(fnmatchcase(fold(value), fold(pattern)) for value in values):
                return False
        for path, most in self.most.items():
            amounts = [number(value) for value in follow(arguments, path)]
            if not amounts or not all(amount is not None and 0 <= amount <= most for amount in amounts):
                return False
        return True


class Grants:
    """All grants of a person, ordered so that a decision looks at few of them. Made anew when one changes."""

    def __init__(self, grants: Iterable[Grant] = ()) -> None:
        self._exact: dict[str, _Shelf] = {}
        self._patterns: list[Grant] = []
        self._seen: dict[str, tuple[_Shelf, ...]] = {}
        for grant in grants:
            if _WILD & set(grant.tool):
                self._patterns.append(grant)
            else:
                self._exact.setdefault(grant.tool, _Shelf()).put(grant)

    def find(self, principal: str, tool: str, arguments: dict[str, Any], now: float, trusted: bool) -> Grant | None:
        """The first grant that covers a call."""
        if not self._exact and not self._patterns:
            return None
        for shelf in self._shelves(tool):
            for grant in shelf.near(arguments):
                usable = grant.principal == principal and (trusted or grant.outside) and grant.uses != 0
                if usable and (grant.expires is None or now < grant.expires) and grant.covers(arguments):
                    return grant
        return None

    def _shelves(self, tool: str) -> tuple[_Shelf, ...]:
        found = self._seen.get(tool)
        if found is None:
            fitting = _Shelf()
            for grant in self._patterns:
                if fnmatchcase(tool, grant.tool):
                    fitting.put(grant)
            exact = self._exact.get(tool)
            found = self._seen[tool] = (*((exact,) if exact else ()), fitting)
        return found


class _Shelf:
    """Grants, by the end or the beginning of the first value that they ask for; an exact value is all of its end."""

    def __init__(self) -> None:
        self._ends: dict[tuple[str, bool, int], dict[str, list[Grant]]] = {}
        self._rest: list[Grant] = []

    def put(self, grant: Grant) -> None:
        """Adds a grant."""
        for path, pattern in grant.when.items():
            chunks = _CHUNKS.split(fold(pattern))
            by_end = len(chunks[-1]) >= len(chunks[0])
            if fixed := chunks[-1 if by_end else 0]:
                self._ends.setdefault((path, by_end, len(fixed)), {}).setdefault(fixed, []).append(grant)
                return
        self._rest.append(grant)

    def near(self, arguments: dict[str, Any]) -> Iterable[Grant]:
        """The grants that may cover these arguments."""
        values: dict[str, str] = {}
        for (path, by_end, size), grants in self._ends.items():
            if path not in values:
                values[path] = next((fold(str(each)) for each in follow(arguments, path)), "")
            value = values[path]
            yield from grants.get(value[-size:] if by_end else value[:size], ())
        yield from self._rest
