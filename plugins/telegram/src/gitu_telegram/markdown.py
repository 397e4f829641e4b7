"""Markdown as Telegram shows it: words, and beside them entities that say which of them are bold, code or a link.

Entities cannot be malformed the way markup can: whatever the words are, Telegram takes them. Offsets are counted in
UTF-16 code units.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.token import Token

LIMIT, CAPTION = 4096, 1024
"""UTF-16 code units that a message, and the words below a picture, may have."""

MOST = 100
"""Entities of a message that Telegram heeds."""

_SPANS = {"strong": "bold", "em": "italic", "s": "strikethrough"}
_FENCE = re.compile(r"^ {0,3}(`{3,}|~{3,})(.*)$", re.MULTILINE)
_WORD = re.compile(r"[^\W_]+")
_LINKS = ("http", "https", "tg", "mailto", "tel")


@dataclass(frozen=True)
class Span:
    """One entity."""

    kind: str
    offset: int
    length: int
    url: str = ""
    language: str = ""


@dataclass(frozen=True)
class Rich:
    """Words with their entities."""

    text: str
    spans: tuple[Span, ...] = ()

    def __add__(self, other: Rich) -> Rich:
        shift = units(self.text)
        moved = tuple(replace(each, offset=each.offset + shift) for each in other.spans)
        return Rich(self.text + other.text, self.spans + moved)


def units(text: str) -> int:
    """The length of *text* in UTF-16 code units."""
    return len(text) + sum(character > "\uffff" for character in text)


def plain(text: str) -> Rich:
    """Words as they are."""
    return Rich(text)


def render(text: str) -> Rich:
    """Markdown as words and entities. Nothing that was said is left out; what is no markup stays as it is."""
    try:
        page = _Page()
        page.blocks(_parser().parse(text))
        rich = page.rich()
    except (ValueError, IndexError, RecursionError):  # a parser's defect is no reason to say nothing
        return Rich(text)
    return rich if rich.text.strip() and not _missing(text, rich) else Rich(text)


def _missing(text: str, rich: Rich) -> bool:
    """True if a word of *text* can be found nowhere any more: then the markup is shown as it was written."""
    kept = " ".join((rich.text, *(f"{each.url} {each.language}" for each in rich.spans)))
    return any(word not in kept for word in set(_WORD.findall(text)))


def cut(rich: Rich, limit: int = LIMIT) -> list[Rich]:
    """*rich* in messages of at most *limit* code units, none of which cuts a character. An entity that goes on behind
    a cut goes on in the next message."""
    found: list[Rich] = []
    text, start = rich.text, 0
    while text:
        head = text if units(text) <= limit else _head(text, limit)
        end = start + units(head)
        found.append(Rich(head, tuple(_within(rich.spans, start, end))))
        text, start = text[len(head) :], end
    return found


def unclosed(text: str) -> str:
    """The line that opened a block of code which goes on behind *text*; empty where there is none."""
    opened = ""
    for found in _FENCE.finditer(text):
        marks, info = found[1], found[2].strip()
        if not opened:
            opened = f"{marks}{info}" if "`" not in info or marks[0] == "~" else ""
        elif not info and opened.startswith(marks[0]) and len(marks) >= len(opened) - len(opened.lstrip(marks[0])):
            opened = ""
    return f"{opened}\n" if opened else ""


def shortened(rich: Rich, limit: int) -> Rich:
    """The beginning of *rich* that fits."""
    return rich if units(rich.text) <= limit else cut(rich, limit - 2)[0] + Rich(" …")


def _head(text: str, limit: int) -> str:
    most = len(text.encode("utf-16-le", "surrogatepass")[: 2 * limit].decode("utf-16-le", "ignore"))
    cuts = (text.rfind(mark, most // 2, most) + len(mark) for mark in ("\n\n", "\n", " "))
    return text[: next((cut for cut in cuts if cut > most // 2), most)]


def _within(spans: Sequence[Span], start: int, end: int) -> Iterator[Span]:
    for each in spans:
        first, last = max(each.offset, start), min(each.offset + each.length, end)
        if first < last:
            yield replace(each, offset=first - start, length=last - first)


@cache
def _parser() -> MarkdownIt:
    from markdown_it import MarkdownIt

    return MarkdownIt("commonmark", {"html": False}).enable(["strikethrough", "table"]).disable(["reference", "entity"])


@dataclass
class _Page:
    """Collects words and entities, token by token."""

    words: list[str] = field(default_factory=list)
    size: int = 0
    spans: list[Span] = field(default_factory=list)
    open: list[tuple[str, int, str]] = field(default_factory=list)
    lists: list[int | None] = field(default_factory=list)
    fresh: bool = True
    cells: int = 0

    def rich(self) -> Rich:
        """What was collected, without empty lines at the end."""
        text = "".join(self.words).rstrip("\n")
        kept = sorted(_within(self.spans, 0, units(text)), key=lambda each: (each.offset, -each.length))
        return Rich(text, tuple(kept[:MOST]))

    def say(self, text: str) -> None:
        """Appends words."""
        if text:
            self.words.append(text)
            self.size += units(text)
            self.fresh = False

    def line(self, empty: bool = False) -> None:
        """Begins a new line, after an *empty* one where asked for."""
        tail = "".join(self.words[-2:])
        if tail:
            wanted = 2 if empty else 1
            self.say("\n" * (wanted - min(wanted, len(tail) - len(tail.rstrip("\n")))))
        self.fresh = True

    def begin(self, kind: str, url: str = "") -> None:
        """An entity begins here."""
        self.open.append((kind, self.size, url))

    def end(self) -> None:
        """The entity that began last ends here."""
        kind, start, url = self.open.pop()
        if url and not kind:
            self.say(f" ({url})")
        if kind and self.size > start:
            self.spans.append(Span(kind, start, self.size - start, url))

    def blocks(self, tokens: Sequence[Token]) -> None:
        """Blocks: paragraphs, headings, lists, code."""
        for token in tokens:
            kind = token.type
            if kind == "inline":
                self.inline(token.children or [])
            elif kind in ("fence", "code_block"):
                self.code(token)
            elif kind == "hr":
                self.line(empty=True)
                self.say("———")
            elif kind == "html_block":
                self.say(token.content)
            elif kind.endswith("_open"):
                self.opened(kind[:-5], token)
            elif kind.endswith("_close"):
                self.closed(kind[:-6])

    def opened(self, kind: str, token: Token) -> None:
        """A block begins."""
        if kind in ("paragraph", "heading", "blockquote", "table"):
            if not (self.lists and self.fresh):
                self.line(empty=not token.hidden and not self.lists)
            if kind in ("heading", "blockquote"):
                self.begin("bold" if kind == "heading" else "" if self.nested("blockquote") else "blockquote")
        elif kind in ("bullet_list", "ordered_list"):
            self.line(empty=not self.lists)
            self.lists.append(int(token.attrGet("start") or 1) if kind == "ordered_list" else None)
        elif kind == "list_item":
            self.line()
            number = self.lists[-1]
            self.say("  " * (len(self.lists) - 1) + ("• " if number is None else f"{token.info or number}. "))
            self.fresh = True
            if number is not None:
                self.lists[-1] = number + 1
        elif kind == "tr":
            self.line()
            self.cells = 0
        elif kind in ("th", "td"):
            self.say(" | " if self.cells else "")
            self.cells += 1

    def nested(self, kind: str) -> bool:
        """True within such an entity."""
        return any(each[0] == kind for each in self.open)

    def closed(self, kind: str) -> None:
        """A block ends."""
        if kind in ("heading", "blockquote"):
            self.end()
        elif kind in ("bullet_list", "ordered_list"):
            self.lists.pop()

    def code(self, token: Token) -> None:
        """A block of code."""
        self.line(empty=not self.lists)
        start = self.size
        self.say(token.content.rstrip("\n"))
        language = token.info.split()[0][:64] if token.info.split() else ""
        self.spans.append(Span("pre", start, self.size - start, language=language))
        self.line()

    def inline(self, tokens: Sequence[Token]) -> None:
        """Words within a line."""
        for token in tokens:
            kind = token.type
            name = kind.rpartition("_")[0]
            if kind in ("softbreak", "hardbreak"):
                self.say("\n")
            elif kind == "code_inline":
                self.begin("code")
                self.say(token.content)
                self.end()
            elif kind == "image":
                self.link(str(token.attrGet("src") or ""))
                self.say(token.content or str(token.attrGet("src") or ""))
                self.end()
            elif kind == "link_open":
                self.link(str(token.attrGet("href") or ""))
            elif kind.endswith("_open"):
                self.begin(_SPANS.get(name, ""))
            elif kind.endswith("_close"):
                self.end()
            else:
                self.say(token.content)

    def link(self, url: str) -> None:
        """A link begins. What Telegram could not open is said beside the words."""
        try:
            known = urlsplit(url).scheme in _LINKS
        except ValueError:
            known = False
        self.begin("text_link" if known and len(url) <= 2048 else "", url)
