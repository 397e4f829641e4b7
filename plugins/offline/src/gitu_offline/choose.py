"""Which tools a request calls for: overlap of words, weighted by how rare a word is among the tools at
hand."""

from __future__ import annotations

import datetime
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gitu_core.contracts import ToolSpec
from gitu_offline import shapes
from gitu_offline.fill import Text, fill, kinds, resolve
from gitu_offline.phrases import hide_quotes
from gitu_offline.words import QUESTION, STOP, content, cut, similar, stem
from gitu_offline.words import words as word_set

SURE = 1.0
"""The score from which a tool that only reads is called."""

CARE = 1.55
"""A tool that acts needs so many times the score."""

_POLITE = re.compile(
    r"^(?:(?:hey|hi|hello|ok|okay|so|well|now|then|also|and|please|assistant|kindly)[,!.]?\s+)*"
    r"(?:(?:can|could|would|will) you\s+(?:please\s+)?|i(?:'d| would) like (?:you )?to\s+"
    r"|i (?:want|need) (?:you )?to\s+|let's\s+|please\s+|help me\s+)?",
    re.IGNORECASE,
)
_REQUEST = re.compile(r"(?:[\w']+[,!.]?\s+){0,3}?(?:can|could|would|will) you\s", re.IGNORECASE)
_CONNECT = word_set("down this the following a an me my for us to of in new up about on i did do")
_STOPS = frozenset({"that", "to", "saying"})
_LIGHT = word_set("make take create add save write put keep set start have get leave")


@dataclass(frozen=True)
class Choice:
    """A tool, its arguments and how sure the choice is."""

    tool: str
    arguments: dict[str, Any]
    score: float


class Index:
    """The words of the tools at hand."""

    def __init__(self, tools: Sequence[ToolSpec]) -> None:
        self.tools = tuple(tools)
        self._words = [_vocabulary(tool) for tool in tools]
        counts: dict[str, int] = {}
        for words in self._words:
            for word in words:
                counts[word] = counts.get(word, 0) + 1
        total = max(3, len(self.tools))
        self._rare = {word: math.log(1 + total / count) / math.log(1 + total) for word, count in counts.items()}

    def choose(self, sentence: str, today: datetime.date | None = None) -> Choice | None:
        """The tool that a sentence calls for, with its arguments; None if no tool is sure enough."""
        found = [
            choice
            for tool, words in zip(self.tools, self._words, strict=True)
            if (choice := self._try(tool, words, sentence, today or datetime.date.today())) is not None
        ]
        return max(found, key=lambda choice: choice.score, default=None)

    def _try(self, tool: ToolSpec, words: dict[str, float], sentence: str, today: datetime.date) -> Choice | None:
        asked = _POLITE.sub("", sentence, count=1).strip() or sentence
        orders = {word: weight for word, weight in words.items() if weight > 0.6}
        rest, marked = rest_of(asked, orders)
        text = Text(
            asked,
            rest=rest,
            today=today,
            known=lambda word: any(near in orders for near in (stem(word), *similar(stem(word)))),
            shown=_shown(tool),
            acts=tool.acts,
        )
        arguments = fill(_with_roles(tool), text)
        if arguments is None:
            return None
        if tool.acts and not _ordered(tool, text):
            return None
        shape = _shape_bonus(tool, text, arguments)
        if not shape and not any(
            words.get(near, 0) > 0.6 for word in content(asked) for near in {word, *similar(word)}
        ):
            return None
        score = self._score(tool, words, asked, text, marked) + shape + _mood(tool, sentence, asked)
        return Choice(tool.name, arguments, score) if score >= (SURE * CARE if tool.acts else SURE) else None

    def _score(self, tool: ToolSpec, words: dict[str, float], asked: str, text: Text, marked: bool) -> float:
        """The weight of the words that the tool knows, held down by those that it does not know."""
        taken = {stem(word) for value in text.taken for word in cut(value)}
        said = content(asked)
        head = [word for word in said if word not in taken or word in words]
        score, known = 0.0, 0
        for word in dict.fromkeys(head):
            weight = words.get(word, 0.0) * self._rare.get(word, 1.0)
            near = max((words.get(other, 0.0) * self._rare.get(other, 1.0) for other in similar(word)), default=0.0)
            weight = max(weight, 0.7 * near)
            known += weight > 0
            score += weight
        # What was taken because it was left over may as well be what the sentence is really about.
        guessed = sum(stem(word) not in words for value in text.guessed for word in cut(value))
        spare = len(set(head)) - known + guessed / 2
        exact = sum(word in cut(tool.name) for word in cut(asked) if word not in STOP)
        # "remember that …" hands over the rest on purpose; anything could be the rest of "write a poem".
        whole = 0.3 if marked else 0.2 if known and not spare and text.rest not in text.taken else 0.0
        return (score + 0.4 * exact) / (1 + 0.35 * spare) + whole


def _vocabulary(tool: ToolSpec) -> dict[str, float]:
    """The stems that speak for a tool, with their weights."""
    words: dict[str, float] = {}

    def learn(text: str, weight: float) -> None:
        for word in content(text):
            words[word] = max(words.get(word, 0.0), weight)

    for name, raw in tool.input_schema.get("properties", {}).items():
        part = resolve(raw, tool.input_schema)
        learn(name, 0.6)
        learn(str(part.get("description", "")), 0.4)
        learn(" ".join(map(str, part.get("enum", ()))), 0.7)
    first, _, more = tool.description.partition(".")
    learn(more, 0.5)
    learn(first, 1.0)
    for example in tool.examples:
        # What examples talk about says little; the way they begin says much.
        learn(example, 0.5)
        learn(" ".join(_POLITE.sub("", example).split()[:2]), 0.9)
    learn(tool.name, 1.6)
    return words


def _with_roles(tool: ToolSpec) -> dict[str, Any]:
    """The schema of a tool's arguments, where an argument that nothing describes is described by its role."""
    properties = dict(tool.input_schema.get("properties", {}))
    for name, role in tool.roles.items():
        if name in properties and not kinds(name, properties[name]):
            properties[name] = {**properties[name], "description": role.partition(":")[0]}
    return {**tool.input_schema, "properties": properties}


def _shape_bonus(tool: ToolSpec, text: Text, arguments: dict[str, Any]) -> float:
    """What the shape of the text says for a tool whose arguments have that shape."""
    properties = tool.input_schema.get("properties", {})
    bonus = 0.0
    for name, value in arguments.items():
        about = kinds(name, properties[name])
        if "expression" in about and isinstance(value, str) and value == shapes.expression(text.words, text.shown):
            bonus = max(bonus, 1.5)
        if about[:1] == ["url"] or properties[name].get("format") in ("uri", "email"):
            bonus = max(bonus, 0.4)
    pair = shapes.conversion(text.words)
    if pair is not None and pair.source in arguments.values() and pair.target in arguments.values():
        bonus = max(bonus, 1.2)
    return bonus


def _ordered(tool: ToolSpec, text: Text) -> bool:
    """True if the sentence begins with what the tool does, or is about all that the tool is called.

    "Compose a song" and "play a song" differ in nothing but that word, and one of them makes noise.
    """
    first = next((word for word in cut(text.words) if word not in STOP), "")
    if text.known(first):
        return True
    said = {stem(word) for word in cut(text.words)}
    return first in _LIGHT and all(stem(word) in said for word in cut(tool.name))


def _shown(tool: ToolSpec) -> str:
    """All that a tool says about itself in words."""
    parts = tool.input_schema.get("properties", {}).values()
    return " \n".join((tool.description, *tool.examples, *(str(part.get("description", "")) for part in parts)))


_ABOUT_ME = re.compile(r"\b(?:are|were) you\b", re.IGNORECASE)
_TELLING = word_set("i i'm i've i'll my we we're he he's she she's they they're you you're")
_ADVICE = word_set("why should shall must")


def _mood(tool: ToolSpec, sentence: str, asked: str) -> float:
    """Questions are for tools that read; being told something is for tools that act; talk is for none."""
    first = next(iter(cut(asked)), "")
    ordered = _REQUEST.match(sentence) is not None and first not in QUESTION
    question = not ordered and (first in QUESTION or asked.rstrip().endswith("?"))
    if _ABOUT_ME.search(asked) or (first in _TELLING and not question):
        return -0.8
    if first in _ADVICE:
        return -0.4
    return (-1.5 if question else 0.5) if tool.acts else (0.3 if question else 0.0)


def rest_of(asked: str, words: Mapping[str, float]) -> tuple[str, bool]:
    """What is left without the order in front, and whether a word marks where it begins.

    "remember that …" leaves what comes after "that". Empty if no order stands in front.
    """
    pieces = list(re.finditer(r"\S+", asked))
    begun, marked, position = False, False, 0
    for number, piece in enumerate(pieces):
        word = piece[0].lower().strip(",.;!?\"'")
        bare = word.rstrip(":")
        known = stem(bare) in words or any(other in words for other in similar(stem(bare)))
        if begun and (bare in _STOPS or word.endswith(":")):
            position, marked = number + 1, True
            break
        if known and (not begun or number < 4):
            begun, position = True, number + 1
            near = [at for at in range(number, min(number + 4, len(pieces))) if pieces[at][0].endswith(":")]
            if near:  # "note to self: …"
                position, marked = near[0] + 1, True
                break
            if marked := word.endswith(":"):
                break
        elif bare in _CONNECT or bare in QUESTION or (not begun and number < 2 and bare in _LIGHT):
            position = number + 1 if begun else position
        else:
            break
    rest = asked[pieces[position].start() :] if begun and position < len(pieces) else ""
    return rest.strip().strip('"').rstrip("?!. "), marked and bool(rest)


def sentences(text: str) -> list[str]:
    """The sentences of *text*; a full stop inside a number, an address or a quotation ends nothing."""
    found, begin, hidden = [], 0, hide_quotes(text)
    for match in re.finditer(r"(?<=[.?!;])\s+|\n+|$", hidden):
        found.append(text[begin : match.start()].strip())
        begin = match.end()
    return [piece for piece in found if re.search(r"\w", piece)]


def choose_all(tools: Sequence[ToolSpec], text: str, today: datetime.date | None = None, most: int = 8) -> list[Choice]:
    """What to call for a text: for each sentence, and for the halves of one that asks two things, the surest
    tool."""
    index = Index(tools)
    found: list[Choice] = []
    for sentence in sentences(text):
        for choice in _halves(index, sentence, today):
            if all((choice.tool, choice.arguments) != (other.tool, other.arguments) for other in found):
                found.append(choice)
    if not found and (whole := index.choose(text, today)) is not None:
        found.append(whole)
    return found[:most]


def _halves(index: Index, sentence: str, today: datetime.date | None) -> list[Choice]:
    whole = index.choose(sentence, today)
    for match in re.finditer(r",?\s+(?:and then|and also|and|then)\s+|,\s+", hide_quotes(sentence)):
        first, rest = sentence[: match.start()], sentence[match.end() :]
        left = index.choose(first, today)
        if left is None:
            continue
        right = _halves(index, rest, today)
        second = next(iter(cut(rest)), "")
        # "X and Y" asks two things if each half calls for a tool, and another one or again in full.
        if right and (left.tool != right[0].tool or second in QUESTION):
            return [left, *right]
        if again := _again(index, left, first, rest):
            more = _halves(index, again, today)
            if more and {each.tool for each in more} == {left.tool} and more[0].arguments != left.arguments:
                return [left, *more]
    return [whole] if whole is not None else []


def _again(index: Index, choice: Choice, first: str, rest: str) -> str:
    """The second question that "the time in Sydney and in London" leaves out; empty if it asks only one.

    Only for tools that read, and only where the second half can be nothing but another value: it begins with the
    same preposition, or both values are written like names, in quotation marks or in digits.
    """
    tool = next(each for each in index.tools if each.name == choice.tool)
    properties = tool.input_schema.get("properties", {})
    for name, value in () if tool.acts else choice.arguments.items():
        words = str(value)
        match = re.search(rf"(?:\b(\w+)\s+)?(?:the\s+)?([\"“']?){re.escape(words)}[\"”']?\W*$", first)
        about = kinds(name, resolve(properties[name], tool.input_schema))[:1]
        if match is None or about in (["body"], ["topic"], ["title"], ["expression"]):
            continue
        led = re.match(rf"{re.escape(match[1] or '?')}\s+", rest, re.IGNORECASE)
        bare = rest[led.end() :] if led else rest
        alike = (words[:1].isupper() and bare[:1].isupper()) or (words[:1].isdigit() and bare[:1].isdigit())
        if led or alike or (match[2] and bare[:1] == match[2]):
            return first[: match.start(2)] + bare
    return ""
