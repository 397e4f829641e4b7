"""Every failpoint x database x kind of channel x scenario: a process dies there, another goes on until all is done;
and where one went on after a death, it dies too, at every point that it reaches."""

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


AGAIN = {
    "budget": ("world.model.begun", "model.after"),
    "plain": ("world.model.begun", "outbox.before"), "effect": ("call.dispatch", "world.effect.after"),
    "approval": ("answer.after",), "own": ("world.send.after",), "timer": ("timer.claimed",), "grow": ("live.shown",),
    "expire": ("expire.after",), "then": (),
}  # fmt: skip
"""Where a process dies before one that goes on after it and dies too."""

BEGIN_ALIKE = ("grow", "expire", "budget")
"""Scenarios that begin like another one, so that of their commits the last are tried."""

NOT_HERE = ("wake.before", "wake.heard", "wake.done", "outbox.moved")
"""Points that only several processes reach, see `nats`, or several channels, see tests/app/test_fallback.py."""


@dataclass(frozen=True)
class Cell:
    """A row of the matrix without its failpoint. *first*: where another process died before."""

    scenario: str
    delivery: str
    engine: str
    first: str = ""

    @property
    def name(self) -> str:
        after = f" after {self.first}" if self.first else ""
        return f"{self.scenario}{after} / {self.delivery} / {self.engine}"

    @property
    def fault(self) -> str:
        """What lets the first process die."""
        return f"{self.first}:kill" if self.first else ""


def run(options: argparse.Namespace) -> list[Result]:
    """Runs the matrix; gives every result."""
    show.head("failpoints x databases x channels x scenarios")
    cells = [
        Cell(scenario, delivery, engine, first)
        for engine in ("sqlite", "postgresql")
        for scenario in SCENARIOS
        for delivery in DELIVERIES
        for first in ("", *AGAIN[scenario])
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
    if not options.only:
        results += never_reached({name for _, _, points in calm for name in points})
    _print(results)
    return results


def never_reached(reached: set[str]) -> list[Result]:
    """A broken case for each failpoint that no scenario reaches."""
    missing = [name for name in failpoints.POINTS if name not in reached and name not in NOT_HERE]
    return [Result("matrix", name, "", "", False, {"covered": [f"no scenario reaches {name}"]}) for name in missing]


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
    """The kills of a cell: each time that each point is reached, of the writer's in some cells the last only; after a
    death each point once."""
    if cell.first and not every:
        return kills(dict.fromkeys(points, 1))
    found = kills(points)
    if every or (cell.delivery == "idempotent" and cell.scenario not in BEGIN_ALIKE):
        return found
    low = {point: count - LAST for point, count in points.items() if point.startswith("writer.")}
    return [each for each in found if int(each.split(":")[2]) > low.get(each.split(":")[0], 0)]


class _Runner:
    def __init__(self, base: Path, databases: Databases, keep: bool) -> None:
        self._base, self._databases, self._keep = base, databases, keep

    def undisturbed(self, cell: Cell) -> tuple[Cell, Result, dict[str, int]]:
        place = self._base / "undisturbed" / cell.name.replace(" / ", "-")
        with self._databases.one(cell.engine) as database:
            options: dict[str, Any] = {"delivery": cell.delivery, "database": database, "first": cell.fault}
            result, points = undisturbed(cell.scenario, place, **options)
        for each in result.broken:
            show.say(show.painted(each, "red"))
        return cell, result, points

    def killed(self, cell: Cell, fault: str, done: Callable[[str, Sequence[str]], None]) -> Result:
        place = self._base / cell.name.replace(" / ", "-") / fault.replace(":", "-")
        with self._databases.one(cell.engine) as database:
            options: dict[str, Any] = {"delivery": cell.delivery, "database": database, "first": cell.fault}
            result = crash(cell.scenario, fault, place, **options)
        done(result.name, result.broken)
        if result.broken and self._keep:
            shutil.copytree(place, self._keep_at(place), dirs_exist_ok=True)
        shutil.rmtree(place, ignore_errors=True)
        return result

    def _keep_at(self, place: Path) -> Path:
        return Path("chaos-kept") / place.relative_to(self._base)


def _print(results: Sequence[Result]) -> None:
    rows = [["failpoint", "cases", *INVARIANTS, "slowest restart"]]
    names = [*dict.fromkeys([*failpoints.POINTS, *(result.point.partition(":")[0] for result in results)])]
    for name in names:
        cases = [each for each in results if each.point.partition(":")[0] == name and each.reached]
        if not cases:
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
