"""``python -m tests.mutants [SEAM…]``: shows which law catches which wrong plugin; fails where another one does."""

from __future__ import annotations

import json
import os
import re
import sys
import time
from collections import defaultdict
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import pytest

from tests.chaos.show import painted, say, table
from tests.mutants.gallery import ASKED, RIGHT, WRONG

CASES = Path(__file__).with_name("cases.py")


class Watch:
    """Collects what failed, and how long it took, by plugin."""

    def __init__(self) -> None:
        self.failed: dict[str, set[str]] = defaultdict(set)
        self.seconds: dict[str, float] = defaultdict(float)
        self.ran: dict[str, int] = defaultdict(int)

    def pytest_runtest_logreport(self, report: Any) -> None:
        """Notes one phase of one test."""
        name, test = report.nodeid.split("::")[-2:]
        self.seconds[name] += report.duration
        self.ran[name] += report.when == "call" and not report.skipped
        if report.failed:
            self.failed[name].add(re.sub(r"\[.*", "", test))


def law_of(test: str) -> str:
    """The law in the name of a test; its whole name where there is none."""
    found = re.match(r"test_([a-z]\d+)_", test)
    return found[1].upper() if found else test


def tried(seams: list[str], quick: bool) -> list[dict[str, Any]]:
    """Runs the kits of these seams, if *quick* not through the process border; a row for each plugin."""
    watch = Watch()
    ASKED[:] = seams
    options = ["-q", "-p", "no:cacheprovider", "-o", "addopts=", "--assert=plain", "--tb=no", "--import-mode=importlib"]
    options += [*(["-k", "not loopback"] if quick else ()), str(CASES)]
    with Path(os.devnull).open("w") as nowhere, redirect_stdout(nowhere):
        pytest.main(options, plugins=[watch])
    rows = []
    for seam in seams:
        for plugin in (*RIGHT[seam], *WRONG[seam]):
            name = f"Test_{seam}_{plugin.__name__}"
            tests = sorted(watch.failed[name])
            rows.append({
                "plugin": plugin.__name__, "seam": seam, "law": WRONG[seam].get(plugin, ""), "tests": tests,
                "caught": sorted({law_of(test) for test in tests}), "ran": watch.ran[name],
                "seconds": watch.seconds[name], "what": (plugin.__doc__ or "").strip(),
            })  # fmt: skip
    return rows


def ok(row: dict[str, Any]) -> bool:
    """A wrong plugin is caught by the law that it breaks and by no other one, a right one by none."""
    return row["ran"] > 0 and row["caught"] == ([row["law"]] if row["law"] else [])


def main() -> int:
    """Prints the gallery; 1 if it is not as it should be."""
    arguments = sys.argv[1:]
    as_json = "--json" in arguments
    seams = [each for each in arguments if each in WRONG] or list(WRONG)
    began = time.monotonic()
    rows = tried(seams, "--quick" in arguments)
    if as_json:
        print(json.dumps([{**row, "ok": ok(row)} for row in rows]))
        return 0
    show(rows, time.monotonic() - began)
    return 0 if all(map(ok, rows)) else 1


def show(rows: list[dict[str, Any]], seconds: float) -> None:
    """The table and the sum."""
    cells = [["plugin", "seam", "law", "caught by", "seconds", "", "what is wrong with it"]]
    for row in rows:
        by = ", ".join(row["tests"]) if ok(row) else f"{', '.join(row['tests']) or 'nothing'}"
        cells.append([row["plugin"], row["seam"], row["law"] or "-", by if row["law"] or by != "nothing" else "-",
                      f"{row['seconds']:.2f}", "ok" if ok(row) else "BROKEN", row["what"].splitlines()[0]])  # fmt: skip
    table(cells)
    wrong = [row for row in rows if row["law"]]
    right = [row for row in rows if not row["law"]]
    caught, kept = sum(map(ok, wrong)), sum(map(ok, right))
    colour = "green" if (caught, kept) == (len(wrong), len(right)) else "red"
    say(painted(f"{caught} of {len(wrong)} caught by the named law", colour))
    say(painted(f"{kept} of {len(right)} right ones pass everything", colour) + f", {seconds:.0f} s")


if __name__ == "__main__":
    sys.exit(main())
