"""Figures with their limits: a coloured table on a terminal, a plain one elsewhere, and JSON on request."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

_COLOURS = {"red": "31", "green": "32", "grey": "90", "bold": "1"}


def painted(text: str, colour: str) -> str:
    """*text* in a colour, where the output is a terminal that has some."""
    plain = not sys.stdout.isatty() or "NO_COLOR" in os.environ or os.environ.get("TERM") == "dumb"
    return text if plain or not colour else f"\x1b[{_COLOURS[colour]}m{text}\x1b[0m"


@dataclass(frozen=True)
class Line:
    """One figure. Without a `limit` it is only told; `aim` is what it should come to in the end."""

    name: str
    value: float
    unit: str = ""
    limit: float | None = None
    sense: Literal["at most", "at least"] = "at most"
    aim: float | None = None

    @property
    def ok(self) -> bool | None:
        """Whether the limit is kept; None without one."""
        if self.limit is None:
            return None
        return self.value <= self.limit if self.sense == "at most" else self.value >= self.limit


@dataclass
class Report:
    """What one benchmark found."""

    title: str
    lines: list[Line] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    details: list[dict[str, Any]] = field(default_factory=list)

    def line(self, name: str, value: float, unit: str = "", limit: float | None = None, **more: Any) -> None:
        """Adds a figure."""
        self.lines.append(Line(name, value, unit, limit, **more))

    def note(self, text: str) -> None:
        """Adds a sentence about how it was measured, and prints it."""
        self.notes.append(text)
        print(painted(f"  {text}", "grey"), flush=True)

    def rows(self, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
        """Prints figures side by side; the first column is a name. They are kept for the JSON, too."""
        self.details += [dict(zip(columns, row, strict=True)) for row in rows]
        texts = [[str(column) for column in columns], *([_shown(cell) for cell in row] for row in rows)]
        widths = [max(len(row[n]) for row in texts) for n in range(len(columns))]
        for number, row in enumerate(texts):
            cells = (cell.ljust(widths[0]) if n == 0 else cell.rjust(widths[n]) for n, cell in enumerate(row))
            print(painted("  " + "  ".join(cells), "bold" if number == 0 else ""), flush=True)

    def show(self) -> None:
        """Prints the lines with their verdicts."""
        width = max((len(line.name) for line in self.lines), default=0)
        for line in self.lines:
            figure = f"{_shown(line.value)} {line.unit}".rstrip()
            limit = verdict = ""
            if line.limit is not None:
                limit = f"{line.sense} {_shown(line.limit)}" + (f" (aim {_shown(line.aim)})" if line.aim else "")
                verdict = painted("kept", "green") if line.ok else painted("MISSED", "red")
            print(f"  {line.name:<{width}}  {figure:>14}  {limit:<24}{verdict}".rstrip(), flush=True)

    def write(self, path: str) -> None:
        """Writes everything as JSON."""
        lines = [{**asdict(line), "ok": line.ok} for line in self.lines]
        whole = {"title": self.title, "lines": lines, "details": self.details, "notes": self.notes}
        Path(path).write_text(json.dumps(whole, indent=1) + "\n")


def _shown(value: Any) -> str:
    if not isinstance(value, float):
        return str(value)
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def parser(doc: str | None) -> argparse.ArgumentParser:
    """A command line with ``--json FILE``."""
    made = argparse.ArgumentParser(description=(doc or "").partition("\n")[0])
    made.add_argument("--json", metavar="FILE", help="also write the figures there")
    return made


def finish(report: Report, options: argparse.Namespace) -> None:
    """Shows a report, writes it where that was asked for, and ends the process: with 1 where a limit was missed."""
    report.show()
    if hasattr(os, "getloadavg"):
        report.note(f"load of the machine in the last minutes: {os.getloadavg()[1]:.1f} on {os.cpu_count()} processors")
    if options.json:
        report.write(options.json)
    sys.exit(any(line.ok is False for line in report.lines))
