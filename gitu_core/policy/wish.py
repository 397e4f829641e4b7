"""Whether a request asks for an effect: by the phrases that the tool's author gave, with the verb where verbs stand."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Literal, NamedTuple

from gitu_core.model import ToolSpec
from gitu_core.policy.text import Text, Token, fold, stem

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
_PRONOUNS = frozenset("it them this that these those one ones".split())
_IDIOMS = {("make", "sure"), ("make", "certain"), ("take", "care"), ("set", "aside")}
_MAKE = stem("make")
_DOES = frozenset(stem(w) for w in "make do take arrange handle execute process complete initiate perform".split())
"""Verbs that say with a noun what "make" says with it: "make the payment", "take care of the payment"."""
_STARTS = frozenset("please and then just also now".split())
_URGES = frozenset("you want need like forget sure remember try".split())
_OBJECTS = frozenset("the a an my me this that these those it them him her us all every each our".split())
_INFORMS = frozenset(
    "show tell list find search look check see read summarize summarise sum get give what when where who which whose why "
    "how whether if count compare explain describe translate calculate compute know retrieve fetch review analyze analyse "
    "help think remember let suggest recommend mention include note consider ensure keep use have take need want like is "
    "are was were do does did can could would should will may in on at by for from with about of to as than before after "
    "during since until because while so but or and not only also then i you we they he she it there here be been but "
    "during the a an my your our his her their this that these those all any some each every both it's that's what's "
    "based according using given except plus more less most least using say said says going "
    "perform do execute follow complete carry sent wrote got gave forget discuss".split()
)
"""Words at the beginning of a clause that ask for no effect."""
_WANTS = frozenset("please need needs want wants should must like could can let let's wish has may would".split())
_DETAILS = frozenset("it its his her their this that they he she".split())
_FILLERS = frozenset("please can could would will you i i'd we like want need to kindly also just first second hi hello hey "
                     "and then if so me the a my there's".split())  # fmt: skip
_ASKING = frozenset("show tell list find search look check see read summarize summarise count compare explain describe "
                    "translate calculate compute know retrieve fetch review analyze analyse what when where who which whose "
                    "why how whether is are was were do does did am get give result".split())  # fmt: skip
_FUNCTION = frozenset("to the a up out off in on of".split())
_FITTING = {"recipient": ("email", "account"), "url": ("url",), "amount": ("amount",), "path": ("file",),
            "when": ("date", "time")}  # fmt: skip
_LIGHT = frozenset("get make put set take give do have add let write bring".split())
"""Verbs that say nothing without their object."""
_REPLIES = frozenset(stem(word) for word in "reply respond answer refund return back".split())


class Wish(NamedTuple):
    """`asked`: ``yes``, ``no``, ``likely`` where it wants something with such a thing, or ``unclear``; `clauses` are where it was asked; `reply` if it answers somebody;
    `open` if the request leaves room for more than it names ("all", "everyone"), `delegated` if it tells to do what
    somebody else wrote."""

    asked: Literal["yes", "likely", "no", "unclear"]
    clauses: frozenset[int] = frozenset()
    reply: bool = False
    open: bool = False
    delegated: bool = False


_OPEN = frozenset("all every everyone everybody everything each any other others rest both them their".split())


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
