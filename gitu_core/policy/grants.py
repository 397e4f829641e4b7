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

_CHUNKS = re.compile(r"[*?\[].*[*?\]]|[*?\[]")


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
        self._all, self._shelves = tuple(grants), dict[str, _Shelf]()

    def find(self, principal: str, tool: str, arguments: dict[str, Any], now: float, trusted: bool) -> Grant | None:
        """The first grant that covers a call."""
        if not self._all:
            return None
        shelf = self._shelves.get(tool)
        if shelf is None:
            shelf = self._shelves[tool] = _Shelf(each for each in self._all if fnmatchcase(tool, each.tool))
        for grant in shelf.near(arguments):
            usable = grant.principal == principal and (trusted or grant.outside) and grant.uses != 0
            if usable and (grant.expires is None or now < grant.expires) and grant.covers(arguments):
                return grant
        return None


class _Shelf:
    """Grants, by the end or the beginning of the first value that they ask for; an exact value is all of its end."""

    def __init__(self, grants: Iterable[Grant]) -> None:
        self._ends: dict[str, dict[tuple[bool, int], dict[str, list[Grant]]]] = {}
        self._rest: list[Grant] = []
        for grant in grants:
            self._put(grant)

    def _put(self, grant: Grant) -> None:
        for path, pattern in grant.when.items():
            chunks = _CHUNKS.split(fold(pattern))
            by_end = len(chunks[-1]) >= len(chunks[0])
            if fixed := chunks[-1 if by_end else 0]:
                ends = self._ends.setdefault(path, {}).setdefault((by_end, len(fixed)), {})
                ends.setdefault(fixed, []).append(grant)
                return
        self._rest.append(grant)

    def near(self, arguments: dict[str, Any]) -> list[Grant]:
        """The grants that may cover these arguments."""
        found = list(self._rest)
        for path, ends in self._ends.items():
            for each in follow(arguments, path):
                value = fold(str(each))
                for (by_end, size), grants in ends.items():
                    found += grants.get(value[-size:] if by_end else value[:size], ())
                break  # every item has to fit, so the first one tells which may
        return found
