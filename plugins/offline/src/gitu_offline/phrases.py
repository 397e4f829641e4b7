"""Phrases in a sentence: where the words of an argument begin and end, and nothing but them."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from gitu_offline import shapes
from gitu_offline.words import DAYS, QUESTION, STOP, cut, stem, words

_ARTICLES = words("a an the my our your his her their some any")
_STOPS = words(
    "and or but to from with at on by saying about using is are was were be been has have had do does did will would "
    "can could should please now right today tomorrow tonight yesterday currently instead as for in into onto then "
    "over under off that which who whose when where while because before after until till since if than not too via "
    "per within during between near next this these those it them me you us"
)
"""Words that end a phrase."""

_INSIDE = words("of the and in to on a at de la le van von del da")
"""Small words that may stand inside a title or a name."""

_QUOTES = "\"'“”‘’«»"  # noqa: RUF001 (what people type)
_ENDS = ",;:?!.…)"


@dataclass(frozen=True)
class Token:
    """A word with where it stands, what it is without its marks, and whether a mark ends it."""

    start: int
    word: str
    ends: bool

    @property
    def low(self) -> str:
        """The word in lower case."""
        return self.word.lower()

    @property
    def capital(self) -> bool:
        """True for a word that is written like a name, or a number."""
        return self.word[:1].isupper() or self.word[:1].isdigit()


def tokens(text: str) -> list[Token]:
    """The words of *text*."""
    found = []
    for match in re.finditer(r"\S+", text):
        raw = match[0].rstrip(_QUOTES)
        bare = raw.rstrip(_ENDS).strip(_QUOTES + "(")
        if bare:
            start = match.start() + match[0].index(bare)
            found.append(Token(start, bare, raw != raw.rstrip(_ENDS)))
    return found


def hide_quotes(text: str) -> str:
    """*text*, as long as before, without what stands in quotation marks."""
    return shapes.QUOTED.sub(lambda match: "\x00" * len(match[0]), text)


def phrase(said: list[Token], at: int, title: bool = False) -> tuple[str, int]:
    """The phrase that begins at token *at*, without its article, and the token after it; ``""`` if there is none.

    Small words between two capitals belong to it: Bank of England, and for a title also War and Peace.
    """
    while at < len(said) and said[at].low in _ARTICLES and not said[at].ends:
        if at and said[at].capital and at + 1 < len(said) and said[at + 1].capital:  # The Beatles, The Hague
            break
        at += 1
    begin = at
    while at < len(said):
        token = said[at]
        if token.low in _STOPS or (token.low == "of" and at == begin):
            inside = at > begin and said[at - 1].capital and _goes_on(said, at, title)
            if not inside:
                break
        elif token.low == "of" and not _goes_on(said, at, False) and said[at - 1].capital:
            break
        at += 1
        if token.ends:
            break
    return " ".join(token.word for token in said[begin:at]), at


def _goes_on(said: list[Token], at: int, title: bool) -> bool:
    """True if the small words from *at* on lead to another capital."""
    allowed = _INSIDE if title else words("of de la le van von del da")
    if said[at].low not in allowed:
        return False
    while at < len(said) and said[at].low in _INSIDE and not said[at].ends:
        at += 1
    return at < len(said) and said[at].word[:1].isupper() and said[at].low not in _STOPS


def named(said: list[Token], names: set[str], title: bool = False) -> str:
    """What follows the name of an argument: ``the item lamp``, ``station: Basel``. *names* are stems."""
    for at, token in enumerate(said[:-1]):
        if stem(token.low.rstrip(":")) not in names or (token.ends and not token.word.endswith(":")):
            continue
        after = at + 1
        before = said[at - 1].low if at else ""
        while after < len(said) and said[after].low in ("is", "are", "called", "named", "=", "of", "number"):
            if before in QUESTION:
                break
            after += 1
        value, _ = phrase(said, after, title)
        if value and value.lower() not in STOP:
            return value
    return ""


def proper_names(said: list[Token], known: Callable[[str], bool], first: bool = False) -> list[str]:
    """Words written like names, after the first word. With *first* also that one, before a word that is *known*."""
    found: list[str] = []
    at = 0
    while at < len(said):
        token = said[at]
        starts = at == 0 or said[at - 1].word.endswith(".")
        lone = first and at == 0 and not known(token.low) and len(said) > 1 and known(said[1].low)
        name = token.word[:1].isupper() and token.low not in STOP and token.low not in DAYS
        if name and (not starts or lone):
            value, after = _capitals(said, at)
            found.append(value)
            at = after
        else:
            at += 1
    return found


def _capitals(said: list[Token], at: int) -> tuple[str, int]:
    begin = at
    while at < len(said):
        inside = at > begin and not said[at].capital
        if inside and not (said[at].low in _INSIDE and _goes_on(said, at, False)):
            break
        at += 1
        if said[at - 1].ends:
            break
    return " ".join(token.word for token in said[begin:at]), at


def name_at_start(value: str) -> str:
    """The name that a phrase begins with: ``France`` of "France take"; the whole phrase if it is no name."""
    said = tokens(value)
    name = _capitals(said, 0)[0] if said and said[0].word[:1].isupper() else ""
    return name or value


def around(said: list[Token], name: str, known: Callable[[str], bool]) -> str:
    """The phrase that begins with *name*, up to a word that is *known*: ``Swiss francs``."""
    words = name.split()
    for at in range(len(said)):
        if [token.word for token in said[at : at + len(words)]] == words:
            kept = phrase(said, at)[0].split() or words
            while len(kept) > len(words) and known(kept[-1].lower()):
                kept.pop()
            return " ".join(kept)
    return name


def unknown_runs(said: list[Token], known: Callable[[str], bool]) -> list[str]:
    """Phrases that begin with a word that neither the tool nor everybody knows, the likeliest first.

    A verb that a sentence begins with is no argument: ``dim the lights``.
    """
    found: list[tuple[int, str]] = []
    at = 1 if len(said) > 1 and _begins_with_verb(said) else 0
    while at < len(said):
        token = said[at]
        if token.low in STOP or token.low in DAYS or known(token.low) or token.word.isdigit() or "'" in token.low[:-2]:
            at += 1
            continue
        value, after = phrase(said, at)
        kept = value.split()
        while len(kept) > 1 and known(kept[-1].lower()):
            kept.pop()
        found.append((0 if any(word[:1].isupper() for word in kept) else 1, " ".join(kept)))
        at = max(after, at + 1)
    return [value for _, value in sorted(found, key=lambda each: each[0])]


def _begins_with_verb(said: list[Token]) -> bool:
    return said[1].low in _ARTICLES or said[1].low in _STOPS


def quotes(text: str) -> list[tuple[str, list[str]]]:
    """What stands in quotation marks, each with the words before it, the nearest first."""
    found = []
    for match in shapes.QUOTED.finditer(text):
        before = [token.low.rstrip(":") for token in tokens(hide_quotes(text[: match.start()]))]
        found.append(((match[1] or match[2]).strip(), before[::-1]))
    return [(value, before) for value, before in found if value]


def like_example(described: str, said: list[Token]) -> str:
    """A word of the shape of the code that a description shows: ``such as INV-1042`` finds INV-7."""
    for shown in re.findall(r"[\w-]*\d[\w-]*", described):
        if not re.search(r"[^\W\d_]|-", shown):
            continue
        shape = re.sub(r"[^\W\d_]+", "<", re.sub(r"\d+", ">", re.escape(shown)))
        pattern = shape.replace("<", r"[^\W\d_]+").replace(">", r"\d+")
        for token in said:
            if re.fullmatch(pattern, token.word):
                return token.word
    return ""


def code(said: list[Token]) -> str:
    """A word with a digit in it, as numbers of orders and parts have."""
    return next((token.word for token in said if re.search(r"\d", token.word)), "")


def stems(name: str) -> set[str]:
    """The stems of a name's words."""
    return {stem(word) for word in cut(name)}
