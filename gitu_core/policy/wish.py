"""Whether a request asks for an effect: by the phrases that the tool's author gave, with the verb where verbs stand."""

from __future__ import annotations

import re
from typing import Literal, NamedTuple

from gitu_core.model import ToolSpec
from gitu_core.policy.text import Text, fold, stem

__all__ = ["Wish", "find_wish", "is_assent"]

_DELEGATES = re.compile(
    r"\bfollow\b(?!ing)[^.?!]{0,40}\binstructions?\b|\b(?:what|whatever)(?:ever)? (?:it|he|she|they|the \w+) "
    r"(?:says?|asks?|wants?|tells?|needs?|requests?)\b"
    r"|\b(?:do|perform|execute|carry out|complete|handle|act on|take care of|work through|process|implement|finish)\b"
    r"(?:(?!following)[^.?!]){0,40}\b(?:instructions?|tasks?|to-?dos?|steps|actions?|requests?|everything|items?)\b"
    r"[^.?!]{0,30}\b(?:in|from|of|on|listed|specified|described|mentioned|contained|written)\b"
)
_ASSENT = re.compile(
    r"(?:yes|yeah|yep|ok|okay|sure|right|correct|please|go|do|continue|proceed|agreed|fine|thanks?|thank you|ja|oui|si)"
    r"(?:[\s,.!]+(?:please|ahead|it|that|do|go|on|so|yes|thanks?|you|now))*[\s.!]*"
)
_PRONOUNS = frozenset("it them this that these those one ones".split())
_REPLIES = frozenset(stem(word) for word in "reply respond answer refund return back".split())


class Wish(NamedTuple):
    """`asked`: ``yes``, ``no``, or ``unclear``; `clauses` are where it was asked; `reply` if it answers somebody;
    `open` if the request leaves room for more than it names ("all", "everyone")."""

    asked: Literal["yes", "no", "unclear"]
    clauses: frozenset[int] = frozenset()
    reply: bool = False
    open: bool = False


_OPEN = frozenset("all every everyone everybody everything each any other others rest both them their".split())


def is_assent(text: str) -> bool:
    """True if a text only agrees with what was said before."""
    return _ASSENT.fullmatch(fold(text)) is not None


def find_wish(tool: ToolSpec, request: Text | None) -> Wish:
    """Whether *request* asks for what *tool* does."""
    if request is None:
        return Wish("unclear")
    phrases = [[stem(word) for word in fold(phrase).split()] for phrase in tool.asked]
    phrases = phrases or [[stem(word) for word in re.split(r"[\W_]+", tool.name.casefold()) if word]]
    clauses: set[int] = set()
    negated = weak = False
    anywhere = frozenset().union(*request.stems.values())
    heads = {phrase[0] for phrase in phrases if phrase}
    for at, token in enumerate(request.tokens):
        if token.kind != "word" or (head := stem(token.key)) not in heads:
            continue
        verb = request.verb_at(at)
        if verb is False and len(token.key) > len(head) + 3:
            continue
        near = request.stems[token.sentence]
        for phrase in phrases:
            rest = set(phrase[1:])
            if phrase[0] != head or not rest <= anywhere:
                continue
            here = rest <= near or bool(near & _PRONOUNS)
            if verb and here:
                clauses.add(token.clause)
            negated |= verb is None and here
            weak |= bool(verb) or (verb is False and here and len(phrase) > 1)
    said = {stem(token.key) for token in request.tokens if token.kind == "word"}
    reply, wide = bool(_REPLIES & said), any(token.key in _OPEN for token in request.tokens)
    if clauses:
        return Wish("yes", frozenset(clauses), reply, wide)
    if not negated and (weak or _DELEGATES.search(fold(request.text))):
        return Wish("unclear", frozenset(), reply, wide)
    return Wish("no" if negated or request.english else "unclear", frozenset(), reply, wide)


