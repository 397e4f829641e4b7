"""Every failpoint x database x kind of channel x scenario: a process dies there, another goes on until all is done."""

from __future__ import annotations

import argparse
import shutil
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gitu_core import failpoints
from gitu_core.testing.crash import SCENARIOS, Result, crash, folder, kills, undisturbed
from gitu_core.testing.invariants import INVARIANTS
from tests.chaos import show
from tests.chaos.databases import Databases

DELIVERIES = ("idempotent", "verifiable", "blind")

LAST = 4
"""How many of the last commits of a life are tried on the second and third kind of channel: the first ones are the
same on all of them."""


@dataclass(frozen=True)
class Cell:
    """A row of the matrix without its failpoint."""

    scenario: str
    delivery: str
    engine: str

    @property
    def name(self) -> str:
        return f"{self.scenario} / {self.delivery} / {self.engine}"


def run(options: argparse.Namespace) -> list[Result]:
    """Runs the matrix; gives every result."""
    show.head("failpoints x databases x channels x scenarios")
    cells = [
        Cell(scenario, delivery, engine)
        for engine in ("sqlite", "postgresql")
        for scenario in SCENARIOS
        for delivery in DELIVERIES
    ]
    with folder() as base, Databases(cells_need(cells, options.only), str(base)) as databases:
        runner = _Runner(base, databases, options.keep)
        with ThreadPoolExecutor(options.jobs) as pool:
            calm = list(pool.map(runner.undisturbed, cells_of(cells, options.only)))
            cases = [
                (cell, fault) for cell, _, points in calm for fault in faults(cell, points, options.every)
                if matches(f"{cell.name} / {fault}", options.only)
            ]  # fmt: skip
            progress = show.Progress(len(cases))
            results = [result for _, result, _ in calm]
            results += pool.map(lambda case: runner.killed(*case, progress.add), cases)
    _print(results, {name for _, _, points in calm for name in points}, bool(options.only))
    return results


def matches(name: str, only: Sequence[str]) -> bool:
    """True if each of the words in *only* stands in *name*."""
    return all(word in name for word in only)


def cells_of(cells: Iterable[Cell], only: Sequence[str]) -> list[Cell]:
    """The cells that *only* does not exclude; a word that names a failpoint excludes none."""
    words = {*SCENARIOS, *DELIVERIES, "sqlite", "postgresql"}
    return [cell for cell in cells if matches(cell.name, [word for word in only if word in words])]


def cells_need(cells: Iterable[Cell], only: Sequence[str]) -> bool:
    """True if PostgreSQL is needed."""
    return any(cell.engine == "postgresql" for cell in cells_of(cells, only))


def faults(cell: Cell, points: dict[str, int], every: bool) -> list[str]:
    """The kills of a cell: each time that each point is reached, of the writer's on some channels the last only."""
    found = kills(points)
    if every or cell.delivery == "idempotent":
        return found
    low = {point: count - LAST for point, count in points.items() if point.startswith("writer.")}
    return [each for each in found if int(each.split(":")[2]) > low.get(each.split(":")[0], 0)]


class _Runner:
    def __init__(self, base: Path, databases: Databases, keep: bool) -> None:
        self._base, self._databases, self._keep = base, databases, keep

    def undisturbed(self, cell: Cell) -> tuple[Cell, Result, dict[str, int]]:
        place = self._base / "undisturbed" / cell.name.replace(" / ", "-")
        with self._databases.one(cell.engine) as database:
            options: dict[str, Any] = {"delivery": cell.delivery, "database": database}
            result, points = undisturbed(cell.scenario, place, **options)
        for each in result.broken:
            show.say(show.painted(each, "red"))
        return cell, result, points

    def killed(self, cell: Cell, fault: str, done: Callable[[str, Sequence[str]], None]) -> Result:
        place = self._base / cell.name.replace(" / ", "-") / fault.replace(":", "-")
        with self._databases.one(cell.engine) as database:
            options: dict[str, Any] = {"delivery": cell.delivery, "database": database}
            result = crash(cell.scenario, fault, place, **options)
        done(result.name, result.broken)
        if result.broken and self._keep:
            shutil.copytree(place, self._keep_at(place), dirs_exist_ok=True)
        shutil.rmtree(place, ignore_errors=True)
        return result

    def _keep_at(self, place: Path) -> Path:
        return Path("chaos-kept") / place.relative_to(self._base)


def _print(results: Sequence[Result], reached: set[str], narrowed: bool) -> None:
    rows = [["failpoint", "cases", *INVARIANTS, "slowest restart"]]
    names = [*dict.fromkeys([*failpoints.POINTS, *(result.point.partition(":")[0] for result in results)])]
    for name in names:
        cases = [each for each in results if each.point.partition(":")[0] == name and each.reached]
        if not cases:
            if not narrowed:
                rows.append([name, "0", *["-"] * len(INVARIANTS), "-" if name in reached else "never reached"])
            continue
        slowest = max((each.resumed for each in cases if each.resumed is not None), default=0.0)
        rows.append([name, str(len(cases)), *(_cell(cases, each) for each in INVARIANTS), f"{slowest:.2f} s"])
    show.table(rows)
    broken = sum(bool(each.breaches) for each in results)
    missed = sum(not each.reached for each in results)
    line = f"{len(results)} cases, {broken} broken, {missed} that ended before their failpoint"
    show.verdict(not broken, line)


def _cell(cases: Sequence[Result], invariant: str) -> str:
    broken = sum(invariant in each.breaches for each in cases)
    return f"{broken} BROKEN" if broken else "ok"
