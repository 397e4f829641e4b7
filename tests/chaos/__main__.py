"""``python -m tests.chaos``: lets everything go wrong that can, and prints which invariants held."""

from __future__ import annotations

import argparse
import json
import logging
import sys
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tests.chaos import disk, matrix, mutants, nats, random_kills, show, workers

PARTS: dict[str, tuple[str, Callable[[argparse.Namespace], list[Any]]]] = {
    "matrix": ("every failpoint x database x channel x scenario", matrix.run),
    "workers": ("two of three workers killed, one paused past its lease", workers.run),
    "nats": ("workers behind NATS, which is killed and comes back", nats.run),
    "mutants": ("hosts that do it wrong are caught", mutants.run),
    "disk": ("full disks, locked databases, clocks that jump, torn journals", disk.run),
    "random": ("random kills while many people talk", random_kills.run),
}


def main() -> int:
    """Runs the parts that were asked for; 1 if anything is broken."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parts = "; ".join(f"{name}: {what}" for name, (what, _) in PARTS.items())
    parser.add_argument("part", nargs="*", choices=[[], *PARTS], help=f"{parts} (default: all)")
    parser.add_argument("--only", action="append", default=[], metavar="WORD", help="cases whose name holds WORD")
    parser.add_argument("--every", action="store_true", help="every commit on every kind of channel")
    parser.add_argument("--jobs", type=int, default=2, help="how many processes under test at once")
    parser.add_argument("--kills", type=int, default=random_kills.KILLS, help="how many random kills")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all results to FILE")
    parser.add_argument("--keep", action="store_true", help="keep the folders of broken cases in chaos-kept")
    parser.add_argument("--seed", type=int, default=0, help="what chance begins with; 0 = another each time")
    options = parser.parse_args()
    # What a host logs while things go wrong is expected; what follows from it is printed.
    logging.getLogger("gitu").addHandler(logging.NullHandler())
    warnings.simplefilter("ignore")
    began = time.monotonic()
    results: list[Any] = []
    rows = [["part", "cases", "broken", "slowest restart", "seconds"]]
    for name in options.part or PARTS:
        at = time.monotonic()
        found = PARTS[name][1](options)
        rows.append([name, *counted(found), f"{time.monotonic() - at:.0f}"])
        results += found
    show.head("all parts")
    show.table(rows)
    if options.json:
        options.json.write_text(json.dumps([asdict(each) for each in results], indent=1))
    broken = sum(bool(each.broken) for each in results)
    show.head(f"{len(results)} cases, {broken} broken, {time.monotonic() - began:.0f} s")
    return 1 if broken else 0


def counted(results: Sequence[Any]) -> list[str]:
    """How many cases, how many of them are broken, and the slowest restart."""
    broken = sum(bool(each.broken) for each in results)
    seconds = [each.resumed for each in results if each.resumed is not None]
    return [str(len(results)), f"{broken} BROKEN" if broken else "ok", f"{max(seconds):.2f} s" if seconds else "-"]


if __name__ == "__main__":
    sys.exit(main())
