"""Arguments out of words, guided by nothing but a JSON Schema: types, formats, choices, names and
descriptions."""

from __future__ import annotations

import datetime
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from gitu_core.errors import ConfigError, ToolInputError
from gitu_offline import phrases, shapes
from gitu_offline.phrases import Token
from gitu_offline.words import STOP, cut, stem, words

MISSING: Any = object()
"""Nothing in the text fits."""

_KINDS: dict[str, frozenset[str]] = {
    "code": words("number id code identifier reference ref key sku ticket serial order"),
    "expression": words("expression formula arithmetic equation sum calculation"),
    "email": words("email mail e-mail recipient to"),
    "url": words("url uri link website webpage page"),
    "target": words("target to destination into"),
    "source": words("source from origin"),
    "language": words("language lang"),
    "place": words(
        "place city location zone timezone country where town region area room station airport port street "
        "address venue building"
    ),
    "person": words("recipient who person contact name guest customer client guests"),
    "author": words("author writer artist composer creator singer band director"),
    "when": words("date day when time start due deadline at"),
    "topic": words("query topic subject about term search keyword keywords filter"),
    "title": words("title"),
    "body": words("text body message content note words sentence prompt comment"),
    "unit": words("unit units currency"),
}
_BEFORE: dict[str, tuple[str, ...]] = {
    "place": ("in", "for", "at", "near", "from", "to", "of", "around"),
    "target": ("to", "into", "in", "as"),
    "source": ("from",),
    "language": ("to", "into", "in"),
    "person": ("to", "for", "with"),
    "author": ("by",),
    "title": ("called", "titled", "named", "entitled"),
    "topic": ("about", "for", "on", "of", "with", "called", "titled", "named"),
    "body": ("saying", "that says", "with the text", "with the message", "with text", "reading"),
    "unit": ("in", "to"),
}


@dataclass
class Text:
    """What was said, and what of it an argument has taken already.

    *known* tells whether a word speaks for the tool whose arguments are wanted, *shown* is what that tool says
    about itself, and *acts* is true if it does more than read.
    """

    words: str
    rest: str = ""
    today: datetime.date = field(default_factory=datetime.date.today)
    known: Callable[[str], bool] = lambda word: False
    shown: str = ""
    acts: bool = False
    taken: list[str] = field(default_factory=list)
    guessed: list[str] = field(default_factory=list)
    used_numbers: set[int] = field(default_factory=set)
    quotes: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.unquoted = phrases.hide_quotes(self.words)
        self.said: list[Token] = phrases.tokens(self.unquoted.replace("\x00", " "))

    def take(self, value: str) -> str:
        """Marks *value* as taken."""
        self.taken.append(value)
        return value

    def guess(self, value: str) -> str:
        """Marks *value* as taken without a word that says so."""
        self.guessed.append(value)
        return self.take(value)

    def free(self, value: str) -> bool:
        """True if nobody took *value* or a part of it."""
        return not any(value.lower() in each.lower() or each.lower() in value.lower() for each in self.taken)


def resolve(schema: Mapping[str, Any], root: Mapping[str, Any]) -> dict[str, Any]:
    """A schema with its reference followed and, of alternatives, the first that is not null."""
    found = dict(schema)
    for _ in range(8):
        if "$ref" in found:
            target: Any = root
            for key in str(found.pop("$ref")).removeprefix("#/").split("/"):
                target = target.get(key, {}) if isinstance(target, Mapping) else {}
            found = {**target, **found}
        options = found.get("anyOf") or found.get("oneOf") or found.get("allOf")
        if not options:
            break
        picked: dict[str, Any] = next((each for each in options if each.get("type") != "null"), {})
        found = {**{key: found[key] for key in found if key not in ("anyOf", "oneOf", "allOf")}, **picked}
    if isinstance(found.get("type"), list):
        found["type"] = next((each for each in found["type"] if each != "null"), "null")
    return found


def kinds(name: str, schema: Mapping[str, Any]) -> list[str]:
    """What an argument is about, by its name first and its description next, the surest first."""
    found: list[str] = []
    # Small words say something in a name ("to"), but nothing in a sentence.
    described = [word for word in cut(str(schema.get("description", ""))) if word not in STOP]
    for said in (cut(name), described):
        for kind, marks in _KINDS.items():
            if kind not in found and any(word in marks for word in said):
                found.append(kind)
    return found


def fill(schema: Mapping[str, Any], text: Text) -> dict[str, Any] | None:
    """Arguments for an object schema; None if something required cannot be found in the text."""
    properties: Mapping[str, Any] = schema.get("properties", {})
    required = set(schema.get("required", ()))
    parts = {name: resolve(part, schema) for name, part in properties.items()}
    found: dict[str, Any] = {}
    pair = shapes.conversion(text.words)
    if pair is not None:
        found.update(_pair(pair, parts))
    text.quotes = _share_quotes({name: part for name, part in parts.items() if name not in found}, required, text)
    # Arguments with a shape of their own choose first, those that take any words last.
    for name in sorted(
        (n for n in parts if n not in found), key=lambda n: (_looseness(n, parts[n]), n not in required)
    ):
        value = value_for(name, parts[name], schema, text)
        if value is not MISSING:
            found[name] = value
    loose = [each for each in parts if each in required and each not in found and _takes_any(each, parts[each])]
    if len(loose) == 1 and (left := _left(loose[0], parts[loose[0]], text)):
        found[loose[0]] = left
    if any(name not in found for name in required):
        return None
    return {name: found[name] for name in parts if name in found}


def _share_quotes(parts: Mapping[str, Mapping[str, Any]], required: set[str], text: Text) -> dict[str, str]:
    """Which argument takes which quotation: the one that is named before it, else the one that takes any words."""
    plain = [name for name, part in parts.items() if _plain(part)]
    wide = sorted(plain, key=lambda name: (-_looseness(name, parts[name]), name not in required))
    shared: dict[str, str] = {}
    for value, before in phrases.quotes(text.words):
        near = {stem(word) for word in before[:3]}
        own = [name for name in plain if name not in shared and phrases.stems(name) & near]
        led = [
            name
            for name in plain
            if name not in shared and before and before[0] in _BEFORE.get(next(iter(kinds(name, parts[name])), ""), ())
        ]
        if taker := next(iter([*own, *led, *(name for name in wide if name not in shared)]), ""):
            shared[taker] = value
    return shared


def _plain(schema: Mapping[str, Any]) -> bool:
    """True for a text that has no shape of its own."""
    return schema.get("type", "string") == "string" and not schema.keys() & {"enum", "format", "pattern", "const"}


def _takes_any(name: str, schema: Mapping[str, Any]) -> bool:
    """True if any words will do for an argument."""
    shaped = {"expression", "email", "url", "when", "source", "target"}
    return _plain(schema) and not set(kinds(name, schema)[:1]) & shaped


def _left(name: str, schema: Mapping[str, Any], text: Text) -> str:
    """What is left for the last argument that takes any words: all of the rest for a text, else one phrase."""
    rest = text.rest
    for value in text.taken:
        shorter = re.sub(
            rf"\s*\b(?:(?:to|into|in|for|from|at|on|with|of|by)\s+)?(?:the\s+)?{re.escape(value)}(?!\w)", "", rest
        )
        rest = shorter.strip() or rest
    kind = next(iter(kinds(name, schema)), "")
    if kind in ("body", "topic"):
        return text.take(rest) if rest else ""
    names = [each for each in phrases.proper_names(text.said, text.known, not text.acts) if text.free(each)]
    runs = [each for each in phrases.unknown_runs(text.said, text.known) if text.free(each)]
    value, _ = phrases.phrase(phrases.tokens(rest), 0, title=kind == "title")
    if kind == "title" and value and text.free(value):
        return text.take(value)
    if names:
        wide = kind not in ("place", "person")
        return text.take(phrases.around(text.said, names[0], text.known) if wide else names[0])
    if value and text.free(value) and not any(text.known(word) for word in value.lower().split()):
        return text.take(value)
    return text.guess(runs[0]) if runs else ""


def _pair(pair: shapes.Conversion, parts: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """The value and the two units of a conversion, if the arguments ask for all of them."""
    number = [name for name, part in parts.items() if part.get("type") in ("number", "integer")]
    source = [name for name in parts if "source" in kinds(name, {})]
    target = [name for name in parts if "target" in kinds(name, {})]
    if len(number) != 1 or not source or not target:
        return {}
    return {number[0]: _number(pair.value, parts[number[0]]), source[0]: pair.source, target[0]: pair.target}


def _looseness(name: str, schema: Mapping[str, Any]) -> int:
    if schema.get("enum") or schema.get("format") or schema.get("type") not in ("string", None):
        return 0
    about = kinds(name, schema)
    return 3 if not about else 2 if about[0] in ("body", "topic") else 1


def value_for(name: str, schema: Mapping[str, Any], root: Mapping[str, Any], text: Text) -> Any:
    """One argument's value, or `MISSING`."""
    if "const" in schema:
        return schema["const"]
    if schema.get("enum"):
        return _choice(schema["enum"], text)
    kind = schema.get("type", "string")
    if kind in ("number", "integer"):
        return _nearest_number(name, schema, text)
    if kind == "boolean":
        return _flag(name, text)
    if kind == "array":
        return _list(name, resolve(schema.get("items", {}), root), root, text)
    if kind == "object":
        inner = fill({**schema, "$defs": root.get("$defs", {})}, text)
        return inner if inner else MISSING
    return _string(name, schema, text) if kind == "string" else MISSING


def _choice(options: list[Any], text: Text) -> Any:
    said = [stem(word) for word in cut(text.words)]
    for option in options:
        words = [stem(word) for word in cut(str(option))]
        if words and all(word in said for word in words):
            text.take(str(option))
            return option
    return MISSING


def _number(value: float, schema: Mapping[str, Any]) -> Any:
    return int(value) if schema.get("type") == "integer" or value.is_integer() else value


def _nearest_number(name: str, schema: Mapping[str, Any], text: Text) -> Any:
    """The number nearest to the argument's name, else the first that nobody took."""
    wanted = {stem(word) for word in cut(name)}
    places = [match.start() for match in re.finditer(r"\w+", text.words) if stem(match[0].lower()) in wanted]
    free = [
        (min((abs(place - at) for place in places), default=0), at, value)
        for at, value in shapes.numbers(text.unquoted)
        if at not in text.used_numbers and _within(value, schema)
    ]
    if not free:
        return MISSING
    _, at, value = min(free)
    text.used_numbers.add(at)
    return _number(value, schema)


def _within(value: float, schema: Mapping[str, Any]) -> bool:
    if schema.get("type") == "integer" and not value.is_integer():
        return False
    return bool(schema.get("minimum", value) <= value <= schema.get("maximum", value))


def _flag(name: str, text: Text) -> Any:
    said = [stem(word) for word in cut(text.words)]
    for word in cut(name):
        if stem(word) in said:
            before = said[max(0, said.index(stem(word)) - 2) : said.index(stem(word))]
            return not {"not", "no", "without", "don't"} & {*before}
    return MISSING


def _list(name: str, items: Mapping[str, Any], root: Mapping[str, Any], text: Text) -> Any:
    if items.get("type") in ("number", "integer"):
        values = [_number(value, items) for _, value in shapes.numbers(text.words)]
        return values or MISSING
    if items.get("enum"):
        said = {stem(word) for word in cut(text.words)}
        return [each for each in items["enum"] if stem(str(each).lower()) in said] or MISSING
    if items.get("type", "string") != "string":
        return MISSING
    source = " ".join(shapes.EMAIL.findall(text.words)) if "email" in kinds(name, {}) else text.rest
    pieces = shapes.quoted(text.words) or re.split(r",\s*(?:and\s+)?|\s+and\s+|;\s*", source)
    return [piece.strip(" .?!:") for piece in pieces if piece.strip(" .?!:")] or MISSING


def _string(name: str, schema: Mapping[str, Any], text: Text) -> Any:
    if schema.get("format") in _FORMATS:
        shaped = _FORMATS[schema["format"]](text)
        return text.take(shaped) if shaped else MISSING
    if schema.get("pattern"):
        matched = _by_pattern(str(schema["pattern"]), text.words)
        return text.take(matched) if matched else MISSING
    if name in text.quotes and text.free(text.quotes[name]):
        return text.take(text.quotes[name])
    about = kinds(name, schema)
    title = about[:1] == ["title"]
    if about[:1] == ["code"]:
        value = phrases.like_example(str(schema.get("description", "")), text.said) or phrases.code(text.said)
        return text.take(value) if value else MISSING
    for value in (
        *(_shaped(kind, text, about) for kind in about[:1]),
        phrases.named(text.said, phrases.stems(name), title),
    ):
        if value and text.free(value):
            return text.take(value)
    for kind in about[1:] if about[:1] != ["body"] else ():
        value = _shaped(kind, text, about)
        if value and text.free(value):
            return text.take(value)
    return MISSING


def _by_pattern(pattern: str, words: str) -> str:
    """The first word that a pattern fits as a whole. A plugin wrote it, and with `re` it might take for ever."""
    from gitu_core import Schema

    try:
        whole = Schema({"pattern": f"^(?:{pattern.strip('^$')})$"})
        pieces = [*re.findall(r"\w+(?:[^\w\s]+\w+)*", words), *re.findall(r"\w+", words)][:500]
        return next((each for each in pieces if next(whole.problems(each), None) is None), "")
    except (ConfigError, ToolInputError):
        return ""


def _shaped(kind: str, text: Text, about: list[str]) -> str:
    """What the text holds of a kind; empty if nothing."""
    if kind == "expression":
        return shapes.expression(text.words, text.shown)
    if kind == "when":
        return shapes.date_words(text.words) if about[0] == "when" else ""
    found = {"email": shapes.EMAIL, "url": shapes.URL}.get(kind)
    if found is not None:
        match = found.search(text.words)
        return match[0].rstrip(".,;!?)") if match else ""
    for word in _BEFORE.get(kind, ()):
        value = _after(word, text, kind)
        if value and not (kind == "person" and "@" in value):
            return value
    if kind not in ("place", "person"):
        return ""
    names = phrases.proper_names(text.said, text.known, first=not text.acts)
    return next((name for name in names if text.free(name)), "")


def _after(word: str, text: Text, kind: str) -> str:
    """What follows a preposition: a phrase, or everything to the end of the sentence for a text or a topic."""
    if kind in ("body", "topic"):
        for match in re.finditer(rf"(?<!\w){re.escape(word)}\s*:?\s+(.+?)(?=[?!;]|\.(?:\s|$)|$)", text.words, re.I):
            value = match[1].strip(" \"'“”")
            if value and value.lower() not in _EMPTY:
                return value
        return ""
    for at, token in enumerate(text.said[:-1]):
        if token.low == word and not token.ends:
            value, _ = phrases.phrase(text.said, at + 1, title=kind == "title")
            if kind in ("place", "person"):
                value = phrases.name_at_start(value)
            if value and value.lower() not in _EMPTY and text.free(value) and not _known_or_number(value, text):
                return value
    return ""


_EMPTY = ("me", "it", "that", "this", "you", "us", "mind")


def _known_or_number(value: str, text: Text) -> bool:
    """True for words that say what is asked, not about what: ``the time``, ``3 days``."""
    said = value.lower().split()
    return all(text.known(word) or word in STOP for word in said) or bool(re.match(r"[\d.,]+(?:\s|%|$)", value))


_FORMATS: dict[str, Callable[[Text], str]] = {
    "email": lambda text: _first(shapes.EMAIL, text.words),
    "uri": lambda text: _first(shapes.URL, text.words),
    "date": lambda text: str(shapes.date(text.words, text.today) or ""),
    "time": lambda text: _seconds(shapes.clock(text.words)),
    "date-time": lambda text: _moment(text),
}


def _first(pattern: re.Pattern[str], words: str) -> str:
    match = pattern.search(words)
    return match[0].rstrip(".,;!?)") if match else ""


def _seconds(clock: str) -> str:
    return f"{clock}:00" if clock else ""


def _moment(text: Text) -> str:
    day, clock = shapes.date(text.words, text.today), shapes.clock(text.words)
    if day is None and not clock:
        return ""
    return f"{day or text.today}T{clock or '00:00'}:00"
