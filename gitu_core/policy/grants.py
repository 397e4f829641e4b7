"""Standing permissions: what a person allowed beforehand, for which tools and arguments, until when, how often."""

from __future__ import annotations

import re
from collections.abc import Iterable
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from gitu_core.contracts.authority import ESCAPED, Grant
from gitu_core.model import ToolCall, ToolSpec, user
from gitu_core.model.spec import is_sink
from gitu_core.policy.paths import follow, leaves, within
from gitu_core.policy.text import fold, number

if TYPE_CHECKING:
    from gitu_core.policy.evidence import Evidence

_UP = re.compile(r"(?:^|[/\\]|%2f|%5c)(?:\.|%2e){2}(?:[/\\]|%2f|%5c|$)")
_CONTROL, _BESIDE = re.compile(r"[\x00-\x1f\x7f]"), re.compile(r"[\s,;<>\"()]")
_HOST_ENDS = re.compile(r"[/#\\]|\?(?!\])")
_CHUNKS = re.compile(r"[*?\[].*[*?\]]|[*?\[]")


def covers(grant: Grant, arguments: dict[str, Any]) -> bool:
    """True if the arguments keep the conditions of a grant."""
    for path, patterns in grant.when.items():
        values = list(follow(arguments, path))
        if not values or not all(any(_fits(value, each) for each in patterns) for value in values):
            return False
    for path, most in grant.most.items():
        amounts = [number(value) for value in follow(arguments, path)]
        if not amounts or not all(amount is not None and 0 <= amount <= most for amount in amounts):
            return False
    named = (*grant.when, *grant.most, *(grant.only or ()))
    return grant.only is None or all(any(within(path, each) for each in named) for path, _ in leaves(arguments))


def _fits(value: Any, pattern: str) -> bool:
    """True if a value fits a pattern. What stands for anything stands for no way up, in the host of a link for nothing
    but a part of a host, and in an address for nothing but a part of one address."""
    if isinstance(value, dict) or (_CONTROL.search(text := str(value)) and not _CONTROL.search(pattern)):
        return False
    text, pattern = fold(text), fold(pattern)
    if not fnmatchcase(text, pattern):
        return False
    if text == ESCAPED.sub(r"\1", pattern):
        return True
    if "://" in pattern:
        host, wanted = (_HOST_ENDS.split(each.partition("://")[2], 1)[0] for each in (text, pattern))
        return not _UP.search(text) and "@" not in host and fnmatchcase(host, wanted)
    return not _UP.search(text) and ("@" not in pattern or (text.count("@") == 1 and not _BESIDE.search(text)))


class Grants:
    """All grants of a person, ordered so that a decision looks at few of them. Made anew when one changes."""

    def __init__(self, grants: Iterable[Grant] = ()) -> None:
        self._all, self._shelves = tuple(grants), dict[str, _Shelf]()

    def find(self, tool: str, arguments: dict[str, Any], evidence: Evidence, trusted: bool) -> Grant | None:
        """The first grant that covers a call."""
        if not self._all:
            return None
        shelf = self._shelves.get(tool)
        if shelf is None:
            shelf = self._shelves[tool] = _Shelf(each for each in self._all if fnmatchcase(tool, each.tool))
        for grant in shelf.near(arguments):
            usable = user(grant.person) == evidence.principal and (trusted or grant.outside) and grant.uses != 0
            here = usable and grant.session in ("", evidence.session)
            if here and (grant.expires_at is None or evidence.now < grant.expires_at) and covers(grant, arguments):
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
        for path, patterns in grant.when.items():
            fixed = [_fixed(each) for each in patterns]
            if all(text for _, text in fixed):
                for by_end, text in fixed:
                    ends = self._ends.setdefault(path, {}).setdefault((by_end, len(text)), {})
                    ends.setdefault(text, []).append(grant)
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


def _fixed(pattern: str) -> tuple[bool, str]:
    """The longer of the two ends of a pattern that are plain text, and whether it is the last one."""
    chunks = _CHUNKS.split(fold(pattern))
    by_end = len(chunks[-1]) >= len(chunks[0])
    return by_end, chunks[-1 if by_end else 0]


def standing(call: ToolCall, tool: ToolSpec, person: str) -> Grant | None:
    """What a person would allow who wants calls like this one not to be asked about again: amounts up to this one,
    everything else that is no content as it is here. None where that cannot be put into words."""
    when, most = dict[str, tuple[str, ...]](), dict[str, float]()
    deeper = {path.partition(".")[0] for path in tool.roles if "." in path}
    for path, role in {**dict.fromkeys(set(call.arguments) - deeper, ""), **tool.roles}.items():
        values = list(follow(call.arguments, path)) if is_sink(role) else []
        if any(isinstance(value, dict | list) for value in values):
            return None
        amounts = [number(value) for value in values] if role == "amount" else []
        if amounts and None not in amounts:
            most[path] = max(filter(None, amounts), default=0.0)
        elif values:
            when[path] = tuple(_escaped(str(value)) for value in values)
    content = tuple(sorted(path for path, role in tool.roles.items() if not is_sink(role)))
    return Grant("", person, call.tool, dict(sorted(when.items())), most, only=content)


def _escaped(value: str) -> str:
    return re.sub(r"[*?[]", r"[\g<0>]", value)
