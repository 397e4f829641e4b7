"""Says how it goes, in colour where somebody looks."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Iterable, Sequence

COLOUR = (sys.stdout.isatty() or "FORCE_COLOR" in os.environ) and "NO_COLOR" not in os.environ
_CODES = {"red": 31, "green": 32, "yellow": 33, "dim": 2, "bold": 1}
_LOCK = threading.Lock()


def painted(text: str, colour: str) -> str:
    """*text* in a colour, where colours are shown."""
    return f"\x1b[{_CODES[colour]}m{text}\x1b[0m" if COLOUR else text


def head(text: str) -> None:
    """Begins a part."""
    say(f"\n{painted(text, 'bold')}")


def say(text: str) -> None:
    """A line."""
    with _LOCK:
        print(("\r\x1b[K" if COLOUR else "") + text, flush=True)


def verdict(ok: bool, what: str, broken: Iterable[str] = ()) -> None:
    """A line that says whether something held, and what did not."""
    say(f"{painted('ok', 'green') if ok else painted('BROKEN', 'red')}  {what}")
    for each in broken:
        say(f"    {painted(each, 'red')}")


class Progress:
    """How many of *total* are done, and how many of them are broken."""

    def __init__(self, total: int) -> None:
        self._total, self._done, self._broken = total, 0, 0
        self._began = time.monotonic()

    def add(self, what: str, broken: Sequence[str]) -> None:
        """One more is done."""
        self._done += 1
        self._broken += bool(broken)
        for each in broken:
            say(painted(each, "red"))
        seconds = time.monotonic() - self._began
        line = f"{self._done}/{self._total}  {self._broken} broken  {seconds:.0f} s"
        if COLOUR:
            with _LOCK:
                print(f"\r\x1b[K{painted(line, 'red' if self._broken else 'green')}  {what}"[:150], end="", flush=True)
                if self._done == self._total:
                    print()
        elif self._done % 50 == 0 or self._done == self._total:
            say(line)


def table(rows: Sequence[Sequence[str]]) -> None:
    """A table with a head; cells that say BROKEN are red, those that say ok are green."""
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    for number, row in enumerate(rows):
        cells = []
        for cell, width in zip(row, widths, strict=True):
            colour = "red" if "BROKEN" in cell else "green" if cell == "ok" else "dim" if cell == "-" else ""
            padded = cell.ljust(width)
            cells.append(painted(padded, "bold" if number == 0 else colour) if colour or number == 0 else padded)
        say("  ".join(cells).rstrip())
