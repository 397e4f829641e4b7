"""What the commands print: tables, marks, colours where a person looks at them, JSON."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Sequence
from typing import Any

import msgspec

_COLOURS = {"red": 31, "green": 32, "yellow": 33, "dim": 2, "bold": 1}
_STATES = {
    "ok": "green", "enabled": "green", "disabled": "dim", "queued": "dim", "unknown": "yellow", "warning": "yellow",
    "failed": "red", "dead": "red", "used up": "red",
}  # fmt: skip


def paint(text: str, colour: str) -> str:
    """*text* in a colour, where a person looks at it and wants colours."""
    screen = sys.__stdout__  # the answer goes there, whatever stands in its place while the command works
    plain = "NO_COLOR" in os.environ or os.environ.get("TERM") == "dumb"
    return text if plain or screen is None or not screen.isatty() else f"\x1b[{_COLOURS[colour]}m{text}\x1b[0m"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Rows under a head, columns as wide as they need; the last column is never padded."""
    widths = [max(len(row[column]) for row in (head, *rows)) for column in range(len(head))]
    padded = [[cell.ljust(width) for cell, width in zip(row, widths, strict=True)] for row in (head, *rows)]
    lines = [paint("  ".join(padded[0]).rstrip(), "bold")]
    lines += ["  ".join(map(_marked, row)).rstrip() for row in padded[1:]]
    return "\n".join(lines)


def _marked(cell: str) -> str:
    """A cell, coloured where it is a state."""
    word = cell.strip()
    return paint(word, _STATES[word]) + cell[len(word) :] if word in _STATES else cell


def as_json(value: Any) -> str:
    """*value* as JSON, for programs."""
    return msgspec.json.format(msgspec.json.encode(value, order="deterministic"), indent=2).decode()


def when(at: float, form: str = "%Y-%m-%d %H:%M") -> str:
    """A time of this machine's clock; nothing where there is none."""
    return time.strftime(form, time.localtime(at)) if at else ""
