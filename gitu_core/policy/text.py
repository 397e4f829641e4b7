"""Text as the policy reads it: typed values, words, sentences and clauses; normalised, never guessed.

NFKC and case are folded. Letters that merely look alike are not: what is written with others is another value.
"""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from functools import cache, lru_cache
from itertools import islice, pairwise
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

LISTS: dict[str, str] = msgspec.json.decode(Path(__file__).with_name("words.json").read_bytes())
"""The words of a language, English, that the policy knows, by what it knows them as."""
WORDS = {name: frozenset(line.split()) for name, line in LISTS.items()}

_MONTHS = LISTS["months"].split()
_MONTH = "|".join(f"{name}|{name[:3]}" for name in _MONTHS) + "|sept"
_DAY = r"\d{1,2}(?:st|nd|rd|th)?"
_YEAR = r"(?:,?\s+\d{4}(?![\d:]))?"
_CURRENCY = r"(?:dollars?|euros?|pounds?|francs?|cents?|bucks|usd|eur|gbp|chf|jpy)\b|[$€£¥]"
_TOKEN = re.compile(
    rf"""(?P<url>(?:https?://|www\.)(?:(?!\.(?-i:[A-Z]))[^\s<>"'\u2019\u201d)\]])+)
    |(?P<email>[\w.+%-]{{1,64}}@[\w-]++(?:\.[\w-]++)++)
    |(?P<date>\d{{4}}[-/]\d{{1,2}}[-/]\d{{1,2}}(?!\d)|\d{{1,2}}[./]\d{{1,2}}[./]\d{{2,4}}(?!\d)
        |\b(?:{_MONTH})\.?\s+{_DAY}(?![\d:]){_YEAR}\b|\b{_DAY}(?:\s+of)?\s+(?:{_MONTH})\b{_YEAR})
    |(?P<time>\d{{1,2}}:\d{{2}}(?::\d\d)?(?:\s?[ap]m\b)?|\b\d{{1,2}}\s?[ap]m\b)
    |(?P<account>\b[a-z]{{2}}\d{{2}}(?:[a-z0-9]{{8,30}}\b|\s[a-z0-9]{{4}}(?:\s\d{{4}}){{1,6}}(?:\s\d{{1,3}})?\b)
        |(?<![\w.-])\+\d[\d\s()/-]{{6,30}}\d|(?<![\w.,-])\d{{8,}}(?![\w.,-]\d))
    |(?P<dotted>[^\W_][\w-]{{1,63}}(?:\.[\w-]{{1,63}}){{0,9}}\.[^\W\d_][\w-]{{1,23}}(?:/[^\s<>"'\u2019\u201d)\]]*)?)
    |(?P<share>\d[\d,]*(?:\.\d+)?\s?%)
    |(?P<amount>(?<![\w-])(?:[$€£¥]\s?\d[\d,]*(?:\.\d+)?|\d[\d,]*(?:\.\d+)?\s?(?:{_CURRENCY})))
    |(?P<number>(?<![\w-])\d[\d,]*(?:\.\d+)?(?![\w%-]|\.\d|\s?%))
    |(?P<word>[^\W_]+(?:['\u2019][^\W\d_]+)?)
    |(?P<stop>[.!?;:\n]+|,|\(|\)|"|'|\u201c|\u201d|\u2018|\u2019)""",
    re.IGNORECASE | re.VERBOSE,
)
_SUM = re.compile(rf"[^\d\-+\u2212]*([-+]?\d[\d,]*(?:\.\d+)?)\s*(?:{_CURRENCY})?[\s.!?]*", re.IGNORECASE)
_OTHER_HOST = re.compile(r"\.\S|[^\s/?#\\]*@")
"""What makes another link of one that goes on with it."""
_SIGN = re.compile(r"[@/0-9.](?:(?<!\.)|(?=\w))")
"""What only a link, an address or an account has, among words."""
_WORD = re.compile(r"[^\W_]+")
_FILES = WORDS["file endings"]
_SKIPPED = WORDS["skipped before a verb"]
VERBS = WORDS["verbs"]
"""Words with which a new clause begins after a comma or an "and"."""
_BEFORE_VERB = WORDS["before a verb"]
_PASSIVE = WORDS["passive"]
_WISHES = WORDS["wishes"]
_NOT, _DOUBLE = WORDS["not"], WORDS["not negated"]
_SUBJECTS, _MODALS, _RELATIVES = WORDS["subjects"], WORDS["modals"], WORDS["relatives"]
_SOURCE, _TARGET = WORDS["from"], WORDS["to"]
_AFTER_AMOUNT = WORDS["after an amount"]
_ENGLISH = WORDS["common"]
_IRREGULAR = dict(zip(LISTS["irregular"].split()[::2], LISTS["irregular"].split()[1::2], strict=True))
LONGEST, NEAR = 2_048, 40
"""Characters of what may be one value; words before a word that may say something about it."""
_EXCEPT, _MARKS = frozenset(("without", "except", "excluding")), "\"'\u201c\u201d\u2018\u2019"
_QUOTES, _AROUND = dict.fromkeys((0x2018, 0x2019), "'"), ".,;:!?\"'()[]<>"
_TWINS = {ord(pair[0]): pair[1] for pair in WORDS["twins"]}
_GERUND = re.compile(r"(?:ing|ed|es|s)$")


def fold(text: str) -> str:
    """*text* in the form in which values are compared: NFKC, lower case, straight quotes, single spaces."""
    return " ".join(_plain(text).casefold().split())


def _plain(text: str) -> str:
    return text if text.isascii() else unicodedata.normalize("NFKC", text).translate(_QUOTES)


@lru_cache(512)
def nouns_of(kind: str) -> frozenset[str]:
    """The nouns that stand beside the number of a record of *kind*."""
    return frozenset(map(stem, words(kind)))


def words(text: str) -> list[str]:
    """The words of *text*, folded; what joins them does not count."""
    return _WORD.findall(fold(text))


@lru_cache(4096)
def stem(word: str) -> str:
    """*word* without the ending that tense and number give it."""
    if word in _NOT:
        return f"{word}!"  # "note" without its ending is another word
    word = _IRREGULAR.get(word, word)
    short = _GERUND.sub("", word)
    if len(short) < 3 or short == word:
        return word.removesuffix("e") if len(word) > 3 else word
    if len(short) > 3 and short[-1] == short[-2] and short[-1] not in "ls":
        short = short[:-1]
    return (short[:-1] + "y" if short.endswith("i") else short).removesuffix("e")


def number(value: Any) -> float | None:
    """*value* as an amount; None where it is none."""
    if isinstance(value, bool) or value is None:
        return None
    if isinstance(value, int | float):
        return float(value) if abs(value) < 1e15 else None
    found = _SUM.fullmatch(str(value).strip())
    return float(found[1].replace(",", "")) if found else None


@lru_cache(4096)
def look_alike(value: str) -> str:
    """What *value* looks like to a person in a hurry; only for telling them, never for trusting it."""
    plain = unicodedata.normalize("NFKD", "".join(c for c in value if unicodedata.category(c) != "Cf")).casefold()
    kept = "".join(c for c in plain if not unicodedata.combining(c)).translate(_TWINS)
    return kept.replace("rn", "m").replace("1", "l").replace("i", "l")


def key_of(kind: str, text: str) -> str:
    """The form in which two values of a kind are equal iff they mean the same."""
    if kind == "url":
        bare = re.sub(r"^(?:https?://)?(?:www\.)?", "", text.strip(), flags=re.IGNORECASE).rstrip(".,;:!?/")
        host, slash, rest = bare.partition("/")
        return host.casefold() + slash + rest
    if kind == "account":
        return re.sub(r"[^0-9a-z+]", "", text.casefold())
    if kind in ("amount", "number"):
        value = number(text)
        return "" if value is None else f"{value:.2f}"
    return fold(text).rstrip(".") if kind in ("email", "file") else fold(text)


def dates(text: str) -> Iterator[str]:
    """The days that *text*, one date, may mean: ``2024-05-19``, without a year ``-05-19``."""
    numbers = re.findall(r"\d+", text)
    month = next((n for n, name in enumerate(_MONTHS, 1) if re.search(rf"\b{name[:3]}", text, re.IGNORECASE)), 0)
    if month:
        day, year = numbers[0], numbers[1] if len(numbers) > 1 else ""
        yield f"{year}-{month:02}-{int(day):02}"
    elif len(numbers[0]) == 4:
        yield f"{numbers[0]}-{int(numbers[1]):02}-{int(numbers[2]):02}"
    else:
        year = numbers[2] if len(numbers[2]) == 4 else f"20{numbers[2]:0>2}"
        for day, month_ in ((numbers[0], numbers[1]), (numbers[1], numbers[0])):
            if int(month_) <= 12:
                yield f"{year}-{int(month_):02}-{int(day):02}"


def pieces(text: str) -> list[str]:
    """The words of a text with what is joined to them, folded, without the punctuation around them."""
    return [piece.strip(_AROUND) for piece in fold(text).split(" ")]


@lru_cache(4096)
def type_of(text: str) -> tuple[str, str] | None:
    """What a text is, if it is one address, link or account and nothing else: its kind and key."""
    found = scan(text) if len(text) < LONGEST else ()
    return next(((kind, key) for kind, key in found if key == key_of(kind, text)), None)


def same_day(said: set[str], days: set[str]) -> bool:
    """True if one of *days* is one of those that were said, some of them without a year."""
    return any(day == own or (day.startswith("-") and own.endswith(day)) for day in said for own in days)


def scan(text: str) -> Sequence[tuple[str, str]]:
    """The addresses, links and accounts in a text that may leave, each as its kind and key."""
    # A call is decided about again when grants were read, and when something was looked up.
    return _known(text) if len(text) < 4_000 else _scan(text)


def _scan(text: str) -> Sequence[tuple[str, str]]:
    text, found, done = _plain(text), list[tuple[str, str]](), 0
    for sign in _SIGN.finditer(text):
        if sign.start() < done:
            continue
        # From the beginning of the word on; an account may go on in groups, divided by spaces.
        start = max(text.rfind(" ", done, sign.start()) + 1, done)
        space = text.find(" ", sign.end() + (40 if sign[0].isdigit() else 0))
        done = space if space >= 0 else len(text)
        for each in _TOKEN.finditer(text, start, done):
            if (kind := _kind(each)) in ("url", "email", "account"):
                found.append((kind, key_of(kind, each[0])))
            if kind == "url" and _OTHER_HOST.match(text, each.end()):
                found.append((kind, key_of(kind, text[each.start() :].split(None, 1)[0])))
    return found


_known = lru_cache(512)(_scan)


def _kind(found: re.Match[str]) -> str:
    kind = found.lastgroup or "stop"
    if kind == "dotted":
        ending = found[0].partition("/")[0].rpartition(".")[2].casefold()
        return "file" if ending in _FILES else "url" if ending.isalpha() else "word"
    return kind


class Token(NamedTuple):
    """A word, a value or a stop, and where it stands."""

    kind: str
    key: str
    sentence: int
    clause: int


class Text:
    """A text that a trusted person wrote, taken apart once."""

    def __init__(self, text: str) -> None:
        self.text = text if text.isascii() else unicodedata.normalize("NFKC", text)
        self.tokens: list[Token] = []
        self.typed: dict[tuple[str, str], list[int]] = {}
        self.days: dict[int, set[str]] = {}
        self.stems: dict[int, set[str]] = {}
        self.first: dict[str, int] = {}
        self.excluded = cache(self._excluded)
        self.from_source = cache(self._from_source)
        self._flat, self._length = [" "], 1
        self._starts: list[int] = []
        self._owners: list[int] = []
        self._read()
        self.flat = "".join(self._flat)
        self.clauses: dict[int, list[Token]] = {}
        for token in self.tokens:
            self.clauses.setdefault(token.clause, []).append(token)
        known = [t.key for t in self.tokens if t.kind == "word"]
        self.english = len(known) >= 3 and sum(word in _ENGLISH for word in known) * 6 >= len(known)

    def _read(self) -> None:
        sentence, clause, fresh = 0, 0, True
        for found in _TOKEN.finditer(self.text):
            kind, raw = _kind(found), found[0]
            if kind == "stop":
                if raw[0] in ".!?;:\n" and not (fresh and self.tokens):
                    sentence, clause, fresh = sentence + 1, clause + 1, True
                self.tokens.append(Token(kind, raw, sentence, clause))
                continue
            key = key_of(kind, raw)
            if kind == "number" and fresh and self.text[found.end() : found.end() + 2] in (". ", ") "):
                continue  # the number of an item in a list
            if kind == "word" and self._begins(key):
                clause += 1
            fresh = False
            number_ = len(self.tokens)
            self.tokens.append(Token(kind, key, sentence, clause))
            for each in {stem(word) for word in (*words(raw), *_NOUNS.get(kind, ()))}:
                self.stems.setdefault(sentence, set()).add(each)
                self.first.setdefault(each, sentence)
            if kind == "date":
                self.days.setdefault(sentence, set()).update(dates(raw))
            elif kind != "word":
                self.typed.setdefault((kind, key), []).append(number_)
            for word in words(raw):
                self._starts.append(self._length)
                self._owners.append(number_)
                self._flat.append(f"{word} ")
                self._length += len(word) + 1

    def _begins(self, key: str) -> bool:
        """True if a word begins a clause: a verb that is joined to others, or "…, which"."""
        last = self.tokens[-1].key if self.tokens else ""
        return (last == "," and key in _RELATIVES) or (stem(key) in _VERB_STEMS and self._joins())

    def _joins(self) -> bool:
        """True if the words before lead to a new clause."""
        for token in reversed(self.tokens):
            if token.kind == "stop":
                return token.key in (",", "(", ")")
            if token.key not in _SKIPPED:
                return token.key in ("and", "then", "but", "or")
        return False

    def quoted(self) -> set[int]:
        """The words in quotation marks: they are to be said, or name something."""
        found = set[int]()
        for opens, closes in ('""', "''", "\u201c\u201d", "\u2018\u2019"):
            one, two = ([n for n, each in enumerate(self.tokens) if each.key == mark] for mark in (opens, closes))
            if opens == closes:
                one, two = one[::2], two[1::2]
            if len(one) == len(two):
                found.update(*(range(start, end) for start, end in zip(one, two, strict=True)))
        return found

    def find(self, name: str) -> list[int]:
        """Where the words of *name* stand one after the other, as token numbers."""
        wanted, found, at = f" {' '.join(words(name))} ", [], -1
        if len(wanted) < 3:
            return []
        while (at := self.flat.find(wanted, at + 1)) >= 0:
            found.append(self._owners[bisect_right(self._starts, at + 1) - 1])
        return found

    def of_kind(self, *kinds: str) -> list[tuple[str, int]]:
        """All values of these kinds, each with its token number."""
        return [(key, at) for (kind, key), places in self.typed.items() if kind in kinds for at in places]

    def days_in(self, sentences: set[int]) -> set[str]:
        """The days that are named in these sentences, or else anywhere."""
        near = [days for sentence, days in self.days.items() if sentence in sentences]
        return set[str]().union(*(near or self.days.values()))

    def before(self, at: int) -> Iterator[Token]:
        """The words of the sentence before a token, the nearest first."""
        sentence = self.tokens[at].sentence
        for token in map(self.tokens.__getitem__, range(at - 1, max(-1, at - NEAR), -1)):
            if token.sentence != sentence:
                return
            yield token

    def _excluded(self, at: int) -> bool:
        """True if the words before a value rule it out: "not to", "except", "do not run"."""
        near = True
        for steps, token in enumerate(self.before(at), 1):
            if token.key in _NOT or token.key in _EXCEPT:
                return near or token.key not in _EXCEPT
            if token.key == "but" or (token.kind == "stop" and token.key not in _MARKS):
                return False
            if token.kind == "word" and stem(token.key) in _VERB_STEMS:
                return self.verb_at(at - steps) is None
            near = near and (token.kind != "word" or token.key in _SKIPPED or token.key in _TARGET)
        return False

    def _from_source(self, at: int) -> bool:
        """True if the words before a value say that something comes from there, not that it goes there."""
        for key, before in pairwise((*(token.key for token in islice(self.before(at), 9)), "")):
            if key in _TARGET or stem(key) in _VERB_STEMS:
                return before in _NOT
            if key in _SOURCE:
                return True
        return False

    def amounts(self) -> list[tuple[str, int]]:
        """The numbers that may be sums of money: no dates, counts, ids or percentages."""
        return [(key, at) for key, at in self.of_kind("amount", "number") if self._is_amount(at)]

    def _is_amount(self, at: int) -> bool:
        if self.tokens[at].kind == "amount":
            return True
        after = self.tokens[at + 1] if at + 1 < len(self.tokens) else None
        before = next(self.before(at), None)
        free = after is None or after.kind != "word" or after.key in _AFTER_AMOUNT
        return free and not (before is not None and before.key in ("id", "number", "no"))

    def belongs(self, at: int, kind: str) -> bool:
        """True if a number is an id of a *kind*, next to its noun: "file 13", "the file with ID 13"."""
        identified = False
        for steps, token in enumerate(self.before(at)):
            if token.kind == "stop" or token.kind == "number" or token.key in ("and", "with", "the", "or", "no"):
                continue
            if stem(token.key) in nouns_of(kind):
                return True
            if token.key in ("id", "ids", "number", "numbers", "nr", "whose", "has", "having") and steps < 8:
                identified = True
                continue
            return identified and stem(token.key) in _VERB_STEMS
        return identified

    def verb_at(self, at: int) -> bool | None:
        """Whether the word there tells what to do: True, False, or None where the text says not to."""
        before = list(self.before(at))
        if self.tokens[at].key in _IRREGULAR or self.tokens[at].key.endswith("ed"):
            return self._wanted(before)  # what somebody did is not what they ask for
        for step, token in enumerate(before):
            if token.key in _NOT:
                return None
            if token.key in _SUBJECTS:  # "what I pay" asks for nothing, "can you pay" does
                return step + 1 < len(before) and before[step + 1].key in _MODALS
            if token.key in _BEFORE_VERB or token.kind in ("stop", "time"):
                return None if _negated(before[:4]) else True
            if token.key in ("that", "this") and step + 1 < len(before) and before[step + 1].key in ("after", "with"):
                return True
            if not token.key.endswith("ly"):
                return False
        return True

    def _wanted(self, before: list[Token]) -> bool | None:
        """Whether a participle is what is wanted: "must be paid", "I want it paid", not "was paid" or "I paid"."""
        keys = [token.key for token in before if not token.key.endswith("ly")]
        if keys and keys[0] in _PASSIVE:
            wished = keys[0] in ("be", "get") and any(key in _BEFORE_VERB or key in _WISHES for key in keys[1:3])
            return None if set(keys[1:4]) & _NOT else wished
        for step, key in enumerate(keys):
            if key in _WISHES:
                return (None if set(keys[step:]) & _NOT else True) if step and keys[step - 1] != "to" else False
            if stem(key) in _VERB_STEMS or key in _PASSIVE:
                return False
        return False


_NOUNS = {"file": ("file", "document"), "email": ("email",), "url": ("link", "page"), "amount": ("money",)}
"""What a value is, for phrases that name the thing."""
_VERB_STEMS = frozenset(stem(verb) for verb in VERBS | WORDS["more verbs"])


def _negated(before: Sequence[Token]) -> bool:
    """True for words, the nearest first, that say not to; "if not, send" and "do not forget to send" do not."""
    keys = ["", *(token.key for token in before), ""]
    return any(key in _NOT and keys[n - 1] not in _DOUBLE and keys[n + 1] != "if" for n, key in enumerate(keys))
