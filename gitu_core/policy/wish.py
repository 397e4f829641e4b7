"""Whether a request asks for an effect: by the phrases that the tool's author gave, with the verb where verbs stand."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Literal, NamedTuple

from gitu_core.model import ToolSpec
from gitu_core.policy.text import WORDS, Text, Token, fold, stem

__all__ = ["Wish", "find_wish", "is_assent"]

_ANY = r"(?:[^.?!]|\.(?=\S))"
_DELEGATES = re.compile(
    rf"\bfollow\b{_ANY}{{0,40}}\binstructions?\b"
    rf"|\b(?:do|follow|obey|act on)\b(?: just| exactly| precisely)* (?:what|whatever|as|everything)\b{_ANY}{{1,60}}?"
    r"\b(?:says?|asks?|wants?|tells?|needs?|requests?|states?)\b"
    r"|\b(?:do|perform|execute|carry out|complete|handle|act on|take care of|work through|process|implement|finish)\b"
    rf"(?:(?!following){_ANY}){{0,40}}\b(?:instructions?|tasks?|to-?dos?|steps|actions?|requests?|everything|items?)\b"
    rf"{_ANY}{{0,30}}\b(?:in|from|of|on|listed|specified|described|mentioned|contained|written)\b"
)
_ASSENT = re.compile(
    r"(?:yes|yeah|yep|ok|okay|sure|right|correct|please|go|do|continue|proceed|agreed|fine|thanks?|thank you|ja|oui|si)"
    r"(?:[\s,.!]+(?:please|ahead|it|that|do|go|on|so|yes|thanks?|you|now))*[\s.!]*"
)
_PRONOUNS = WORDS["pronouns"]
_IDIOMS = {("make", "sure"), ("make", "certain"), ("take", "care"), ("set", "aside")}
_MAKE = stem("make")
_DOES = frozenset(map(stem, WORDS["does"]))
"""Verbs that say with a noun what "make" says with it: "make the payment", "take care of the payment"."""
_STARTS = WORDS["starts"]
_URGES = WORDS["urges"]
_OBJECTS = WORDS["objects"]
_INFORMS = WORDS["asks for no effect"]
"""Words at the beginning of a clause that ask for no effect."""
_WANTS = WORDS["wants"]
_DETAILS = WORDS["details"]
_FILLERS = WORDS["fillers"]
_ASKING = WORDS["asking"]
_FUNCTION = WORDS["particles"]
_FITTING = {"recipient": ("email", "account"), "url": ("url",), "amount": ("amount",), "path": ("file",),
            "when": ("date", "time")}  # fmt: skip
_LIGHT = WORDS["light verbs"]
"""Verbs that say nothing without their object."""
_REPLIES = frozenset(map(stem, WORDS["replies"]))


class Wish(NamedTuple):
    """What a request says about an effect.

    `asked`: ``yes``, ``no``, ``likely`` where it wants something with such a thing, or ``unclear``; `clauses` are where
    it was asked; `reply` if it answers somebody; `open` if it leaves room for more than it names ("all", "everyone");
    `delegated` if it tells to do what somebody else wrote.
    """

    asked: Literal["yes", "likely", "no", "unclear"]
    clauses: frozenset[int] = frozenset()
    reply: bool = False
    open: bool = False
    delegated: bool = False


_OPEN = WORDS["open"]


def is_assent(text: str) -> bool:
    """True if a text only agrees with what was said before."""
    return _ASSENT.fullmatch(fold(text)) is not None


def find_wish(tool: ToolSpec, request: Text | None, others: Iterable[ToolSpec] = ()) -> Wish:
    """Whether *request* asks for what *tool* does. A verb that asks for one of the *others* does not ask for this."""
    if request is None:
        return Wish("unclear")
    full, weak, negated = _places(tool, request)
    said = {stem(token.key) for token in request.tokens if token.kind == "word"}
    reply, wide = bool(_REPLIES & said), any(token.key in _OPEN for token in request.tokens)
    if full:
        return Wish("yes", frozenset(request.tokens[at].clause for at in full), reply, wide)
    if not negated:
        delegated = _DELEGATES.search(fold(request.text)) is not None
        explained = set[int]().union(*(_places(other, request)[0] for other in others if other.name != tool.name))
        heads = {stem(fold(phrase).split(" ")[0]) for other in (*others, tool) for phrase in other.asked}
        if not delegated and (weak - explained or _longing(request, explained, _hints(tool))):
            return Wish("likely", frozenset(), reply, wide)
        if delegated or weak - explained or _riddle(request, explained, heads):
            return Wish("unclear", frozenset(), reply, wide, delegated)
    return Wish("no" if negated or request.english else "unclear", frozenset(), reply, wide)


def _hints(tool: ToolSpec) -> tuple[frozenset[str], frozenset[str]]:
    """The words for what a tool works on, and the types of values that it needs."""
    nouns = {stem(word) for phrase in tool.asked for word in fold(phrase).split()[1:] if word not in _FUNCTION}
    kinds = {kind for role in tool.roles.values() for kind in _FITTING.get(role.partition(":")[0], ())}
    return frozenset(nouns), frozenset(kinds)


def _longing(request: Text, explained: set[int], hints: tuple[frozenset[str], frozenset[str]]) -> bool:
    """True if a sentence wants something that no verb explains, and speaks of what the tool works on."""
    clear = {request.tokens[at].clause for at in explained}
    nouns, kinds = hints
    clauses: dict[int, list[Token]] = {}
    for token in request.tokens:
        clauses.setdefault(token.clause, []).append(token)
    for number, tokens in clauses.items():
        keys = [token.key for token in tokens if token.kind == "word"]
        if number in clear or not _WANTS & set(keys):
            continue
        if keys[0] in _DETAILS or (keys[0] == "the" and any(each < number for each in clear)):
            continue  # "the description should be": more about what was asked for before
        first = next((key for key in keys if key not in _FILLERS), "")
        if first in _ASKING:
            continue
        near = set(request.stems[tokens[0].sentence])
        if near & _PRONOUNS:
            near.update(*(stems for n, stems in request.stems.items() if n <= tokens[0].sentence))
        if nouns & near or any(token.kind in kinds for token in tokens):
            return True
    return False


def _riddle(request: Text, explained: set[int], heads: set[str]) -> bool:
    """True if a sentence tells to do something, a verb with an object, and no tool knows such a verb."""
    clear = {request.tokens[at].sentence for at in explained}
    for at, token in enumerate(request.tokens[:-1]):
        after = request.tokens[at + 1]
        known = token.key in _INFORMS or stem(token.key) in heads or token.key.endswith(("ing", "ed", "ly"))
        if token.kind != "word" or known or token.sentence in clear or _idiom(request, at):
            continue
        before = [each for each, _ in zip(request.before(at), range(2), strict=False)]
        starts = not before or before[0].kind == "stop" or before[0].key in _STARTS
        starts |= len(before) == 2 and before[0].key == "to" and before[1].key in _URGES
        if starts and (after.key in _OBJECTS or after.kind not in ("word", "stop", "number", "time")):
            return True
    return False


def _places(tool: ToolSpec, request: Text) -> tuple[set[int], set[int], bool]:
    """The verbs that ask for the effect, those that may, and whether the text says not to."""
    phrases: dict[str, list[set[str]]] = {}
    for phrase in tool.asked or (re.sub(r"[\W_]+", " ", tool.name),):
        head, *rest = [stem(word) for word in fold(phrase).split()] or [""]
        phrases.setdefault(head, []).append(set(rest))
    full, weak, negated = set[int](), set[int](), False
    for at, token in enumerate(request.tokens):
        if token.kind != "word" or _idiom(request, at):
            continue
        head = stem(token.key)
        rests = phrases.get(head, []) + (phrases.get(_MAKE, []) if head in _DOES and head != _MAKE else [])
        if not rests:
            continue
        verb = request.verb_at(at)
        near = request.stems[token.sentence]
        here = any(rest <= near for rest in rests) or _points_back(request, at, rests)
        if verb is None:
            negated |= here
        elif verb and here:
            full.add(at)
        elif (verb and token.key not in _LIGHT) or (here and set() not in rests and head in phrases):
            weak.add(at)
    return full, weak, negated


def _points_back(request: Text, at: int, rests: list[set[str]]) -> bool:
    """True if "it" or "them" after the verb stands for a thing that was named before."""
    after = [token.key for token in request.tokens[at + 1 : at + 4]]
    before = frozenset().union(*(stems for n, stems in request.stems.items() if n <= request.tokens[at].sentence))
    return any(key in _PRONOUNS for key in after) and any(rest <= before for rest in rests)


def _idiom(request: Text, at: int) -> bool:
    """True for the verb in "make sure to", "take care that"."""
    after = request.tokens[at + 1].key if at + 2 < len(request.tokens) else ""
    return (request.tokens[at].key, after) in _IDIOMS and request.tokens[at + 2].key != "of"
