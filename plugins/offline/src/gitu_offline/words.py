"""Words: cut, stemmed, and the few sets of English words that mean the same."""

from __future__ import annotations

import re
from functools import lru_cache

_WORD = re.compile(r"[^\W_]+(?:['\u2019][^\W\d_]+)?", re.UNICODE)
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_SUFFIXES = (
    *("ations", "ation", "ators", "ator", "ates", "ated", "ating", "ate", "ingly", "ings", "ing", "edly", "ied"),
    *("ies", "ed", "es", "s", "e", "y"),
)


def words(text: str) -> frozenset[str]:
    """The words of a list that is written as one text."""
    return frozenset(text.split())


STOP = words(
    "a an the this that these those it its it's i i'm me my mine you your we us our he she they them is "
    "are was were be been am do does did doing done have has had can could will would shall should may "
    "might must to of in on at by for from with about as into than then so and or but if not no please "
    "thanks thank hey hi hello there here what what's whats which who whom whose when where why how many "
    "much just now right tell give let want need like get got some any all also too up out off over again "
    "very really actually currently current exactly s t re ve ll d o'clock"
)
"""Words that say nothing about what is asked."""

QUESTION = words(
    "what what's whats which who whom whose when where why how is are was were do does did can could list show find"
)
"""Words that begin a question."""

DAYS = words(
    "monday tuesday wednesday thursday friday saturday sunday january february march april june july august september "
    "october november december today tomorrow tonight yesterday"
)
"""Words that are written or used like names and name a day."""

_SAME = (
    "time clock hour oclock timezone",
    "date day today weekday calendar",
    "calculate compute evaluate solve arithmetic math maths sum expression",
    "convert conversion change turn express unit units",
    "note remember memo jot memorize memorise keep save store",
    "notes recall remembered noted",
    "search find lookup look query",
    "mail email e-mail message",
    "send mail write",
    "delete remove erase drop forget",
    "list show display enumerate",
    "buy order purchase",
    "remind reminder alarm",
    "schedule appointment meeting event book",
    "weather forecast temperature rain sunny umbrella",
    "picture image photo",
    "turn switch",
    "price cost quote worth",
    "stock share ticker",
    "make create new add",
    "open launch start run",
    "translate translation",
    "word definition define meaning mean dictionary",
    "play listen song music",
    "film movie",
    "random roll dice toss flip",
    "bright brightness dim light lamp",
    "shorten short",
    "count number length",
)


def cut(text: str) -> list[str]:
    """The words of *text*, in lower case; names like ``readFile`` and ``read_file`` fall apart."""
    return [word.lower().replace("\u2019", "'") for word in _WORD.findall(_CAMEL.sub(" ", text))]


@lru_cache(4096)
def stem(word: str) -> str:
    """A word without its ending, so that forms of one word meet."""
    word = word.removesuffix("'s")
    for suffix in _SUFFIXES:
        if word.endswith(suffix) and len(word) - len(suffix) >= 3:
            word = word[: -len(suffix)]
            return word[:-1] if len(word) > 3 and word[-1] == word[-2] and word[-1] not in "aeiousl" else word
    return word


def content(text: str) -> list[str]:
    """The stems of the words that say something."""
    return [stem(word) for word in cut(text) if word not in STOP and not word.isdigit()]


def _groups() -> dict[str, frozenset[str]]:
    found: dict[str, frozenset[str]] = {}
    for line in _SAME:
        stems = frozenset(stem(word) for word in line.split())
        for each in stems:
            found[each] = found.get(each, frozenset()) | stems
    return found


_MEANS = _groups()


def similar(word: str) -> frozenset[str]:
    """The stems that mean about the same as a stem."""
    return _MEANS.get(word, frozenset())
