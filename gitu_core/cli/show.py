"""What the command line prints: tables, marks, colours where a person looks at them."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from contextlib import AbstractContextManager, redirect_stdout
from typing import Any

import msgspec

from gitu_core.secrecy import hidden

COLOURS = {"red": 31, "green": 32, "yellow": 33, "blue": 34, "dim": 2, "bold": 1}
_STATE = {
    "ok": "green", "enabled": "green", "disabled": "dim", "unused": "dim", "queued": "dim", "degraded": "yellow",
    "unknown": "yellow", "warning": "yellow", "failed": "red", "quarantined": "red", "broken": "red", "dead": "red",
    "incompatible": "red", "duplicate": "red", "used up": "red",
}  # fmt: skip


def coloured(stream: Any = None) -> bool:
    """True if a person looks at *stream* and wants colours."""
    stream = stream or sys.stdout
    return bool(stream.isatty()) and "NO_COLOR" not in os.environ and os.environ.get("TERM") != "dumb"


def paint(text: str, colour: str, stream: Any = None) -> str:
    """*text* in a colour, where colours are shown."""
    return f"\x1b[{COLOURS[colour]}m{text}\x1b[0m" if colour and coloured(stream) else text


def state(word: str) -> str:
    """A state in its colour."""
    return paint(word, _STATE.get(word, "red"))


def table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Rows under a head, columns as wide as they need; the last column is never padded."""
    widths = [max(len(str(row[column])) for row in (head, *rows)) for column in range(len(head))]
    lines = [paint("  ".join(cell.ljust(width) for cell, width in zip(head, widths, strict=True)).rstrip(), "bold")]
    for row in rows:
        cells = [str(cell).ljust(width) for cell, width in zip(row, widths, strict=True)]
        cells = [state(cell.strip()) + cell[len(cell.strip()) :] if cell.strip() in _STATE else cell for cell in cells]
        lines.append("  ".join(cells).rstrip())
    return hidden("\n".join(lines))


def as_json(value: Any) -> str:
    """*value* as JSON, for programs; without secrets, as everything here."""
    return hidden(msgspec.json.format(msgspec.json.encode(value, order="deterministic"), indent=2).decode())


def answers_only() -> AbstractContextManager[Any]:
    """Inside, whatever plugins print goes to the error stream: standard output is for the answer of the command."""
    return redirect_stdout(sys.stderr)


def complain(message: str, hint: str = "") -> None:
    """Tells on the error stream what went wrong and what to do."""
    message, hint = hidden(message), hidden(hint)
    print(paint("gitu: ", "red", sys.stderr) + message, file=sys.stderr)
    if hint:
        print(f"next: {hint}", file=sys.stderr)
