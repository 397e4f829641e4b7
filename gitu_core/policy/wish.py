"""Whether a request asks for an effect: by the phrases that the tool's author gave, with the verb where verbs stand."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Literal, NamedTuple

from gitu_core.model import ToolSpec
from gitu_core.policy.text import WORDS, Text, Token, fold, stem

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
_MAKE, _NONE = stem("make"), list[frozenset[str]]()
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
_VERBS = WORDS["verbs"] | WORDS["more verbs"]
_RELATIVES, _NOBODY = WORDS["relatives"], [Token("stop", "", -1, -1)]
_LIGHT = WORDS["light verbs"]
"""Verbs that say nothing without their object."""
_REPLIES = frozenset(map(stem, WORDS["replies"]))


class Wish(NamedTuple):
    """What a request says about an effect.

    `asked`: ``yes``, ``no``, ``maybe`` where the words are there and do not clearly ask, ``likely`` where it wants
    something with such a thing, or ``unclear``; `clauses` are where it was asked; `reply` if it answers somebody;
    `open` if it leaves room for more than it names ("all", "everyone"); `delegated` if it tells to do what somebody
    else wrote; `reads` if the call only reads; `guessed` if nobody said how people ask for it; `taken` are the clauses
    that ask for something else.
    """

    asked: Literal["yes", "maybe", "likely", "no", "unclear"]
    clauses: frozenset[int] = frozenset()
    reply: bool = False
    open: bool = False
    delegated: bool = False
    reads: bool = False
    guessed: bool = False
    taken: frozenset[int] = frozenset()


_OPEN = WORDS["open"]


def is_assent(text: str) -> bool:
    """True if a text only agrees with what was said before."""
    return _ASSENT.fullmatch(fold(text)) is not None


class Phrases(NamedTuple):
    """How people ask for one tool: what goes with each verb, the words for its things, the types of its values; whether
    nobody said so, and its name has to do."""

    rests: dict[str, list[frozenset[str]]]
    nouns: frozenset[str]
    kinds: frozenset[str]
    guessed: bool


@lru_cache(2_000)
def _phrases(name: str, asked: tuple[str, ...], roles: frozenset[str]) -> Phrases:
    rests: dict[str, list[frozenset[str]]] = {}
    nouns: set[str] = set()
    for phrase in asked or (re.sub(r"[\W_]+", " ", name),):
        head, *rest = fold(phrase).split() or [""]
        rests.setdefault(stem(head), []).append(frozenset(map(stem, rest)))
        nouns.update(stem(word) for word in rest if word not in _FUNCTION)
    return Phrases(rests, frozenset(nouns), frozenset(kind for role in roles for kind in _FITTING.get(role, ())),
                   not asked)  # fmt: skip


class Wishes:
    """What a request says about the effects of tools; found out once, for all that act."""

    def __init__(self, request: Text | None = None, tools: Iterable[ToolSpec] = ()) -> None:
        self._request, self._wishes = request, dict[str, Wish]()
        if request is None:
            return
        self._verbs = [(at, stem(t.key)) for at, t in enumerate(request.tokens) if t.kind == "word"]
        said = {verb for _, verb in self._verbs}
        said_only = request.quoted()
        self._verbs = [each for each in self._verbs if each[0] not in said_only] or self._verbs
        self._verbs = [(at, verb) for at, verb in self._verbs if not _idiom(request, at)]
        self._base = Wish("no", frozenset(), bool(_REPLIES & said), any(t.key in _OPEN for t in request.tokens))
        phrases = {tool.name: phrases_of(tool) for tool in tools if tool.acts}
        places = {name: self._places(each) for name, each in phrases.items()}
        self._explained = set[int]().union(*(full for full, _, _ in places.values()))
        asking = {at for at, _ in self._verbs if request.tokens[at].key in _ASKING and request.verb_at(at)}
        self._taken = frozenset(request.tokens[at].clause for at in self._explained | asking)
        self._delegated = _DELEGATES.search(fold(request.text)) is not None
        self._riddle = _riddle(request, self._explained, {head for each in phrases.values() for head in each.rests})
        self._wishes = {name: self._judged(each, *places[name]) for name, each in phrases.items()}

    def of(self, tool: ToolSpec) -> Wish:
        """Whether the request asks for what *tool* does. A verb that asks for another tool does not ask for this."""
        found = self._wishes.get(tool.name)
        if found is None:
            each = phrases_of(tool)
            found = self._judged(each, *self._places(each)) if self._request is not None else Wish("unclear")
            self._wishes[tool.name] = found
        return found

    def _judged(self, phrases: Phrases, full: set[int], weak: set[int], negated: bool) -> Wish:
        request, base = self._request, self._base
        if request is None:
            return Wish("unclear")
        if full:
            own = frozenset(request.tokens[at].clause for at in full)
            return base._replace(asked="yes", clauses=own, taken=self._taken - own)
        if not negated:
            if phrases.guessed:
                return base._replace(asked="unclear", guessed=True)
            if weak - self._explained and not self._delegated:
                return base._replace(asked="maybe")
            if not self._delegated and _longing(request, self._explained, phrases):
                return base._replace(asked="likely")
            if self._delegated or self._riddle:
                return base._replace(asked="unclear", delegated=self._delegated)
        return base if negated or request.english else base._replace(asked="unclear")

    def _places(self, phrases: Phrases) -> tuple[set[int], set[int], bool]:
        """The verbs that ask for the effect, those that may, and whether the text says not to."""
        full, weak, negated, request = set[int](), set[int](), False, self._request
        for at, head in self._verbs if request is not None else ():
            rests = phrases.rests.get(head, _NONE) + (phrases.rests.get(_MAKE, _NONE) if head in _DOES else _NONE)
            if not rests or request is None:
                continue
            verb, token = request.verb_at(at), request.tokens[at]
            here = any(rest <= request.stems[token.sentence] for rest in rests) or _points_back(request, at, rests)
            if verb is None:
                negated |= here
            elif verb and here:
                full.add(at)
            elif (verb and token.key not in _LIGHT) or (here and frozenset() not in rests and head in phrases.rests):
                weak.add(at)
        return full, weak, negated


def phrases_of(tool: ToolSpec) -> Phrases:
    """How people ask for *tool*."""
    return _phrases(tool.name, tool.asked, frozenset(role.partition(":")[0] for role in tool.roles.values()))


def _longing(request: Text, explained: set[int], phrases: Phrases) -> bool:
    """True if a sentence wants something that no verb explains, and speaks of what the tool works on."""
    clear = {request.tokens[at].clause for at in explained}
    for number, tokens in request.clauses.items():
        keys = [token.key for token in tokens if token.kind == "word"]
        if number in clear or not _WANTS & set(keys):
            continue
        if keys[0] in _DETAILS or (keys[0] == "the" and any(each < number for each in clear)):
            continue  # "the description should be": more about what was asked for before
        joined = tokens[0].sentence == request.clauses.get(number - 1, _NOBODY)[0].sentence  # "…, which should be sent"
        said = keys[1:] if joined and keys[0] in _RELATIVES else keys
        first = next((key for key in said if key not in _FILLERS), "")
        if first in _ASKING:
            continue
        near, sentence = request.stems[tokens[0].sentence], tokens[0].sentence
        back = any(request.first.get(noun, sentence + 1) <= sentence for noun in phrases.nouns) and near & _PRONOUNS
        if back or phrases.nouns & near or any(token.kind in phrases.kinds for token in tokens):
            return True
    return False


def _riddle(request: Text, explained: set[int], heads: set[str]) -> bool:
    """True if a sentence tells to do something, a verb with an object, and no tool knows such a verb."""
    clear = {request.tokens[at].sentence for at in explained}
    for at, token in enumerate(request.tokens[:-1]):
        after = request.tokens[at + 1]
        form = token.key not in _VERBS and token.key.endswith(("ing", "ed", "ly"))
        known = token.key in _INFORMS or stem(token.key) in heads or form
        if token.kind != "word" or known or token.sentence in clear or _idiom(request, at):
            continue
        before = [each for each, _ in zip(request.before(at), range(2), strict=False)]
        starts = not before or before[0].kind == "stop" or before[0].key in _STARTS
        starts |= len(before) == 2 and before[0].key == "to" and before[1].key in _URGES
        if starts and (after.key in _OBJECTS or after.kind not in ("word", "stop", "number", "time")):
            return True
    return False


def _points_back(request: Text, at: int, rests: list[frozenset[str]]) -> bool:
    """True if "it" or "them" after the verb stands for a thing that was named before."""
    after = [token.key for token in request.tokens[at + 1 : at + 4]]
    first, end = request.first, request.tokens[at].sentence
    said = (all(first.get(word, end + 1) <= end for word in rest) for rest in rests)
    return any(key in _PRONOUNS for key in after) and any(said)


def _idiom(request: Text, at: int) -> bool:
    """True for the verb in "make sure to", "take care that"."""
    after = request.tokens[at + 1].key if at + 2 < len(request.tokens) else ""
    return (request.tokens[at].key, after) in _IDIOMS and request.tokens[at + 2].key != "of"
