"""Where the value of an argument comes from: what the user said, a record they named, somebody they wrote to."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Literal, NamedTuple

from gitu_core.model import ToolCall, ToolSpec
from gitu_core.policy.evidence import Evidence, Role
from gitu_core.policy.paths import follow
from gitu_core.policy.records import COMMON
from gitu_core.policy.text import WORDS, Text, fold, key_of, look_alike, number, same_day, stem, type_of, words
from gitu_core.policy.wish import Wish

LEEWAY = 1.1
"""How much more than the amounts of the records that the user named an amount may be: a tenth."""

_THOUSANDS = re.compile(r"(?<![\d.])\d{1,3}(?:\.\d{3})+(?!\d)")
"""What is a thousand times as much in some countries."""
_SUMS = WORDS["sums"]
_PLAIN, _PRONOUNS = WORDS["plain"], WORDS["pronouns"]
_DULL = WORDS["verbs"] | WORDS["plain"] | WORDS["common"]
_GIVES = (":", "=", *(f" {word}" for word in WORDS["hands over"]))
_QUOTES = ('"', "'", "`", "\u201c", "\u201d")


class Finding(NamedTuple):
    """`how`: ``ok`` if trusted people chose the value, ``ask`` if that is not known, ``no`` if they chose another."""

    how: Literal["ok", "ask", "no"]
    words: str


def trace(role: Role, value: Any, wish: Wish, evidence: Evidence) -> Finding:
    """Where *value* comes from, in words."""
    if isinstance(value, dict | list):
        return Finding("ask", "it has parts that nobody described")
    if evidence.request is None:
        return Finding("ask", "nobody said anything yet")
    return _CHECKS.get(role.base, _exact)(value, role.kind, wish, evidence.request, evidence)


def unanchored(call: ToolCall, tool: ToolSpec, wish: Wish, evidence: Evidence) -> list[str]:
    """What speaks against an effect that goes nowhere in particular: a title or a day that the user never said."""
    request, doubts = evidence.request, list[str]()
    if request is None:
        return doubts
    said = set[str]().union(*request.stems.values())
    days = request.days_in({token.sentence for token in request.tokens if token.clause in wish.clauses})
    for role in evidence.roles(tool):
        for text in (str(each) for each in follow(call.arguments, role.path)):
            own = {stem(word) for word in words(text)} - COMMON
            if role.base == "title" and 2 * len(own & said) < len(own):
                doubts.append(f"{role.path}: not in your words")
            elif role.base == "when" and days and not same_day(days, {text[:10]}):
                doubts.append(f"{role.path}: not a day that you said")
    return doubts


Check = Callable[[Any, str, Wish, Text, Evidence], Finding]


def _recipient(value: Any, kind: str, wish: Wish, request: Text, evidence: Evidence) -> Finding:
    text = str(value)
    typed = type_of(text)
    if typed is None:
        return _supplied(text, ("recipient",), wish, evidence) or _plain(value, kind, wish, request, evidence)
    if (found := _typed(typed, wish, request, evidence)).how == "ok":
        return found
    beside = any(request.tokens[at].clause in wish.clauses for _, at in request.of_kind(typed[0]))
    if (not beside or wish.open) and (supplied := _supplied(text, ("recipient",), wish, evidence)):
        return supplied
    return Finding("ok", why) if (why := evidence.contact(typed[1])) else found


def _typed(value: tuple[str, str], wish: Wish, request: Text, evidence: Evidence) -> Finding:
    """A value of a type of its own: an address, a link, an account."""
    kind, key = value
    pool = _pool(request, wish, request.of_kind(kind))
    if key in {each for each, _ in pool}:
        return Finding("ok", "you said it")
    if value in request.typed:
        return Finding("ask", "you said it, but about something else")
    if not pool and any(not text.excluded(at) for text in evidence.said for at in text.typed.get(value, ())):
        return Finding("ok", "you said it earlier")
    if any(look_alike(each) == look_alike(key) for each, _ in request.of_kind(kind)):
        return Finding("no", "it only looks like one that you said")
    source = evidence.outside.get(value)
    where = f"it comes from what {source} found" if source else "nobody you trust said it"
    if kind == "account" and pool and not wish.open and wish.asked == "yes" and len(wish.clauses) == 1:
        return Finding("no", f"you said another one; {where}")
    if kind == "account" and source and value not in evidence.pointed:
        return Finding("no", f"{where}, to which you did not point; say it yourself")
    return Finding("ask", where)


def _pool(request: Text, wish: Wish, places: list[tuple[str, int]]) -> list[tuple[str, int]]:
    """The values that may be meant: those beside the effect that was asked for, else all; never sources."""
    places = [(key, at) for key, at in places if not request.excluded(at)]
    if wish.reads:
        return places
    inside = [(key, at) for key, at in places if request.tokens[at].clause in wish.clauses]
    free = inside or [each for each in places if request.tokens[each[1]].clause not in wish.taken]
    pool = [(key, at) for key, at in free if not request.from_source(at)]
    return pool if pool or not wish.reply else inside or places


def _supplied(text: str, roles: tuple[str, ...], wish: Wish, evidence: Evidence) -> Finding | None:
    """A value of its own kind from a record that the user named."""
    wanted = fold(text)
    for record, why in evidence.suppliers(*roles, *(("reply",) if wish.reply else ())):
        for role, values in record.values.items():
            usable = role == "reply" if role not in roles else role not in record.outside
            if usable and (role != "reply" or wish.reply) and any(fold(str(each)) == wanted for each in values):
                return Finding("ok", f"it belongs to {why}")
    return None


def _amount(value: Any, kind: str, wish: Wish, request: Text, evidence: Evidence) -> Finding:
    amount = None if _THOUSANDS.search(str(value)) and isinstance(value, str) else number(value)
    if amount is None or amount < 0:
        return Finding("ask", "it is no amount")
    pool = _pool(request, wish, request.amounts())
    # What is said beside somebody counts for somebody: another sum in the air is no bound for what they get.
    named = {request.tokens[at].sentence for _, at in request.of_kind("email", "account") if not request.excluded(at)}
    said = [float(key) for key, at in pool if request.tokens[at].sentence in named] or [float(key) for key, _ in pool]
    if said and amount <= max(said) + 1e-9:
        return Finding("ok", "you said it" if amount in said else f"it is less than the {max(said):g} that you said")
    if said and not _computed(request, wish):
        return Finding("ask", f"it is more than the {max(said):g} that you said")
    bounds = [b for r in evidence.touched("amount") for each in r.values["amount"] if (b := number(each)) is not None]
    if bounds and amount <= min(bounds) * LEEWAY + 1e-9:
        return Finding("ok", f"it is near the {min(bounds):g} of what you named")
    return Finding("ask", "you did not say how much")


def _computed(request: Text, wish: Wish) -> bool:
    """True if the request leaves the sum to be worked out: "the difference", "19.5 %"."""
    sentences = {token.sentence for token in request.tokens if token.clause in wish.clauses}
    near = (token for token in request.tokens if token.sentence in sentences)
    return any(token.key in _SUMS or token.kind == "share" for token in near)


def _reference(value: Any, kind: str, wish: Wish, request: Text, evidence: Evidence) -> Finding:
    key = str(value)
    if (kind, fold(key)) in evidence.minted:
        return Finding("ok", "it was made in this turn")
    meant = (each for each in request.of_kind("number") if request.belongs(each[1], kind))
    numbers = [(each, at) for each, at in meant if not request.excluded(at)]
    plain = number(key) if key.isdigit() else None
    if plain is not None and any(float(each) == plain for each, _ in numbers):
        return Finding("ok", f"you said the number of the {kind}")
    if plain is None and any(c.isdigit() for c in key) and len(key) >= 4 and request.find(key):
        return Finding("ok", "you said it")
    if plain is None and not any(c.isdigit() for c in key) and _plain(key, kind, wish, request, evidence).how == "ok":
        return Finding("ok", f"you said the name of the {kind}")
    naming = evidence.naming(kind)
    if key in naming.named:
        return Finding("ok", naming.named[key])
    if (naming.named or numbers) and not wish.open and wish.asked == "yes" and len(wish.clauses) == 1:
        return Finding("no", f"you named another {kind}")
    return Finding("ask", f"you did not name this {kind}")


def _plain(value: Any, kind: str, wish: Wish, request: Text, evidence: Evidence) -> Finding:
    """A name: its words stand in what the user said, one after the other, not as where something comes from."""
    if set(words(str(value))) <= _PLAIN:
        return Finding("ask", "it names nothing")
    if _pool(request, wish, [("", at) for at in request.find(str(value))]):
        return Finding("ok", "you said it")
    if any(not t.excluded(at) for t in evidence.said if t is not request for at in t.find(str(value))):
        return Finding("ok", "you said it earlier")
    return Finding("ask", "nobody you trust said it")


def _exact(value: Any, kind: str, wish: Wish, request: Text, evidence: Evidence) -> Finding:
    """A value that must stand in what the user said as it is and as what it is: a path, a command, a secret, …"""
    same = _spaced if kind in ("command", "secret") else fold
    wanted, other = same(str(value)), False
    back = wish.reads or any(each.key in _PRONOUNS for each in request.tokens if each.clause in wish.clauses)
    if len(wanted) < 2:
        return Finding("ask", "it is too short to be recognised")
    for text in dict.fromkeys((request, *evidence.said)):
        said, at, found = same(text.text), -1, text.find(wanted)
        places = [("", each) for each in request.find(wanted) if back or request.tokens[each].clause in wish.clauses]
        meant = (text is not request or _pool(request, wish, places)) and (
            kind != "secret" or fold(wanted) not in _DULL
        )
        meant = meant and not (found and all(map(text.excluded, found)))
        while (at := said.find(wanted, at + 1)) >= 0:
            before, after = said[:at], said[at + len(wanted) :]
            if not any(each.isalnum() or each in "_-/\\@" for each in (before[-1:], after[:1]) if each):
                whole = before.endswith(_QUOTES) <= after.startswith(_QUOTES)  # of what is in quotes, not a part
                if meant and whole and (kind != "secret" or before.rstrip(" ".join(_QUOTES)).endswith(_GIVES)):
                    return Finding("ok", "you said it")
                other = True
    if supplied := _supplied(str(value), (kind,), wish, evidence):
        return supplied
    if kind == "secret" and not other:
        return Finding("no", "a secret has to come from you")
    return Finding("ask", "you said it, but not as this" if other else "nobody you trust said it")


def _spaced(text: str) -> str:
    return " ".join(text.split())


def _url(value: Any, kind: str, wish: Wish, request: Text, evidence: Evidence) -> Finding:
    found = _typed(("url", key_of("url", str(value))), wish, request, evidence)
    return found if found.how == "ok" else _supplied(str(value), ("url",), wish, evidence) or found


_CHECKS: dict[str, Check] = {"recipient": _recipient, "url": _url, "amount": _amount, "reference": _reference}
