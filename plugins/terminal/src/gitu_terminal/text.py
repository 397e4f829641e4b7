"""Texts for a terminal: nothing in them may steer it, and every part of a message has words."""

from __future__ import annotations

import re
from datetime import date, timedelta

from gitu_core import Ask, BlobRef, Location, Media, Outgoing, Text
from gitu_core.contracts import Part, Reaction

_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_DIRECTIONS = re.compile(r"[\u200e\u200f\u202a-\u202e\u2066-\u2069]")


def clean(text: str) -> str:
    """*text* with control characters made visible: no answer moves the cursor or sets the title."""
    text = text.replace("\r\n", "\n")
    return _CONTROLS.sub(lambda found: _picture(ord(found[0])), text)


def strict(text: str) -> str:
    """Like `clean`, without marks that reorder letters: what a person approves must read as it is."""
    return _DIRECTIONS.sub("\ufffd", clean(text))


def _picture(code: int) -> str:
    if code == 0x7F:
        return "\u2421"
    return chr(0x2400 + code) if code < 0x20 else "\ufffd"


def words_of(outgoing: Outgoing) -> str:
    """Everything that an outgoing message says, in plain words, without its questions."""
    return "\n".join(filter(None, (part_words(part) for part in outgoing.parts)))


def part_words(part: Part) -> str:
    """A part in words; empty for questions, which are shown with their choices."""
    match part:
        case Text(text=text):
            return clean(text)
        case Media(kind=kind, caption=caption, blob=blob):
            return clean(f"[{kind}: {blob.name or blob.media_type}, {size_of(blob)}] {caption}".rstrip())
        case Location(latitude=latitude, longitude=longitude, name=name):
            return clean(f"[place: {name} {latitude:.5f}, {longitude:.5f}]".replace("  ", " "))
        case Reaction(emoji=emoji):
            return clean(emoji)
    return ""


def size_of(blob: BlobRef) -> str:
    """The size of a file in words."""
    size = float(blob.size)
    for unit in ("bytes", "kB", "MB"):
        if size < 1000:
            return f"{size:.0f} {unit}"
        size /= 1000
    return f"{size:.1f} GB"


def choices_of(ask: Ask) -> tuple[str, ...]:
    """The choices of a question as they are made: ``until`` needs a day, and has the one a week from now."""
    week = f"until {date.today() + timedelta(days=7)}"
    return tuple(week if each == "until" else each for each in ask.choices)


def ask_words(ask: Ask, number: int, several: bool) -> str:
    """A question with its details and every choice, in plain words."""
    start = f"Question {number}: " if several else ""
    lines = [f"{start}{strict(ask.question)}"]
    if ask.details:
        lines += [f"  {line}" for line in strict(ask.details).splitlines()]
    lines.append("  " + "  ".join(f"[{n}] {strict(each)}" for n, each in enumerate(choices_of(ask), 1)))
    return "\n".join(lines)
