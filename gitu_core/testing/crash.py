"""Kills a process at every point where it matters, starts it again, and looks whether all invariants held.

    from gitu_core.testing import crash_test

    report = crash_test(tools="my_plugin.crash:tools", scenarios=["effect"])
    assert report.broken == [], report.table()

For each point a child process (`crash_child`) lives on a home and a `World` of its own. It dies by SIGKILL at that
point and is started again, unarmed, until all is done; then the `invariants` are asked.
"""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import msgspec

from gitu_core.errors import GituError
from gitu_core.model.steps import ModelAnswered
from gitu_core.store import Store
from gitu_core.testing.crash_child import OWNER, STALLED, Case, rows_in
from gitu_core.testing.faults import VARIABLE
from gitu_core.testing.invariants import INVARIANTS, SOON, Evidence, Run, breaches, open_messages, resumed
from gitu_core.testing.world import World

LIVES = 4
"""How often a process is started again before it counts as broken."""

LIMIT = 30.0
"""Seconds without any event after which a process hangs."""

HANGS = 124
"""The status of a process that had to be ended because it hung."""

RECENT = 100
"""How many of the last accepted messages are looked up for what is on disk of their turns."""

Delivery = Literal["idempotent", "verifiable", "blind"]


@dataclass(frozen=True)
class Scenario:
    """What happens in the world before the process starts."""

    name: str
    what: str
    begin: Callable[[World], object]
    options: dict[str, Any] = field(default_factory=dict)


SCENARIOS: dict[str, Scenario] = {
    each.name: each
    for each in (
        Scenario("plain", "a message and its answer", lambda world: world.say("plain one")),
        Scenario("effect", "a message that leads to an effect", lambda world: world.say("effect one")),
        Scenario("budget", "an effect, on a budget", lambda world: world.say("effect one"), {"budget": 10**9}),
        Scenario("approval", "an effect that needs the person's yes", lambda world: world.say("approval one")),
        Scenario("then", "a message into an idle lane", lambda world: world.say("plain one"), {"then": "plain two"}),
        Scenario("own", "the assistant says something of itself", lambda world: world.trigger("good morning")),
        Scenario("timer", "a durable timer is due", lambda world: world.alarm("the tea is ready")),
        Scenario("grow", "an answer grows on the screen", lambda world: world.say("grow one"), {"edits": True}),
        Scenario("expire", "nobody answers a question", lambda world: world.say("approval one"), {"open_for": 0.3}),
    )
}


@dataclass(frozen=True)
class Result:
    """One case: where the process died, whether it got there, and what is broken, by invariant."""

    scenario: str
    point: str
    delivery: str
    database: str = "sqlite"
    reached: bool = False
    breaches: dict[str, list[str]] = field(default_factory=dict)
    seconds: float = 0.0
    resumed: float | None = None
    folder: str = ""

    @property
    def name(self) -> str:
        """The case in one line."""
        return f"{self.scenario} / {self.delivery} / {self.database} / {self.point}"

    @property
    def broken(self) -> list[str]:
        """A sentence for everything that is broken."""
        return [f"{self.name}: {name}: {each}" for name, found in self.breaches.items() for each in found]


@dataclass(frozen=True)
class Report:
    """The results of many cases."""

    results: Sequence[Result]

    @property
    def broken(self) -> list[str]:
        """A sentence for everything that is broken in any case."""
        return [line for result in self.results for line in result.broken]

    def table(self) -> str:
        """Points against invariants: how many cases held of those that got there."""
        rows = [("point", "cases", *INVARIANTS)]
        for point in dict.fromkeys(result.point.partition(":")[0] for result in self.results):
            cases = [each for each in self.results if each.reached and each.point.partition(":")[0] == point]
            rows.append((point, str(len(cases)), *(_cell(cases, name) for name in INVARIANTS)))
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        return "\n".join(
            "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
        )


def _cell(cases: Sequence[Result], invariant: str) -> str:
    broken = sum(invariant in each.breaches for each in cases)
    return "-" if not cases else f"{broken} BROKEN" if broken else "ok"


# ---- one process -----------------------------------------------------------------------------------------------


class Lives:
    """A home, a database and a world, and the processes that live on them one after the other."""

    def __init__(self, folder: Path, *, database: str = "", delivery: Delivery = "idempotent", **case: Any) -> None:
        self.folder = folder
        self.world = World(folder / "world")
        self.home = folder / "home"
        self.case = Case(str(folder / "world"), str(self.home), database, delivery, **case)
        self.runs: list[Run] = []
        self._log = folder / "child.log"

    def start(self, fault: str | None = None, **changes: Any) -> subprocess.Popen[bytes]:
        """Starts a process, armed with *fault*; None arms nothing, ``""`` notes every point that is reached."""
        case = msgspec.structs.replace(self.case, **changes)
        given = dict(os.environ)
        given.pop(VARIABLE, None)
        # The child finds whatever the test found that starts it.
        given["PYTHONPATH"] = os.pathsep.join(path for path in sys.path if path)
        if fault is not None:
            given[VARIABLE] = fault
        command = [sys.executable, "-m", "gitu_core.testing.crash_child", msgspec.json.encode(case).decode()]
        with self._log.open("ab") as log:
            return subprocess.Popen(command, env=given, stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def live(self, fault: str | None = None, **changes: Any) -> Run:
        """One life, from the start to its end, whatever ends it."""
        started = time.monotonic()
        process = self.start(fault, **changes)
        return self.ended(process, started)

    def ended(self, process: subprocess.Popen[bytes], started: float, limit: float = LIMIT) -> Run:
        """Waits for the end of a process and keeps what is known of it."""
        status = self._status(process, limit)
        if status is None:
            kill(process, signal.SIGUSR1)  # it says where it hangs
            time.sleep(0.5)
            process.kill()
            process.wait()
            status = HANGS
        answered = self.answered() if status != 0 else {}
        run = Run(process.pid, started, status, answered, time.monotonic(), self._last_word())
        self.runs.append(run)
        return run

    def _status(self, process: subprocess.Popen[bytes], limit: float) -> int | None:
        """How a process ended; None if nothing happens any more and it did not."""
        size, since = self.world.size, time.monotonic()
        while True:
            try:
                return process.wait(0.5)
            except subprocess.TimeoutExpired:
                if self.world.size != size:
                    size, since = self.world.size, time.monotonic()
                elif time.monotonic() - since > limit:
                    return None

    def _last_word(self) -> str:
        lines = [line.strip(" |+-") for line in self._log.read_text("utf-8", "replace").splitlines()]
        return next((line for line in reversed(lines) if line), "")[:200]

    def rest(self) -> None:
        """Starts processes until one has nothing left to do, or none ever will."""
        contact = self.case.delivery == "blind"
        for _ in range(LIVES):
            if self.live(contact=contact, stay=False).status in (0, STALLED):
                return

    # ---- what is in the database -------------------------------------------------------------------------------

    def store(self) -> Store:
        """The database of the processes; open it only while none lives."""
        return Store(url=self.case.database or None, home=self.home)

    def answered(self) -> dict[str, int]:
        """How many answers of models to each message are on disk."""
        if not self.world.events("model.finished"):
            return {}
        return asyncio.run(self._answered())

    async def _answered(self) -> dict[str, int]:
        texts = {said.key: said.text for said in self.world.events("said")}
        recent = [each for each in self.world.events("acked") if each.id][-RECENT:]
        receipts = {each.id: texts[each.key] for each in recent}
        found: dict[str, int] = {}
        async with self.store() as store:
            for id, entry in await open_messages(store):
                receipts[id] = entry.message.text
            for id, text in receipts.items():
                steps = [entry.step for entry in await store.steps_under(f"{id}-")]
                if count := sum(isinstance(step, ModelAnswered) for step in steps):
                    found[text] = count
        return found

    def evidence(self, soon: float = SOON, paused: Sequence[int] = ()) -> Evidence:
        """Everything the invariants ask for."""
        try:
            faults, pending = asyncio.run(self._looked_at())
        except GituError as error:
            faults, pending = [str(error)], []
        return Evidence(self.world, self.runs, self.case.delivery, faults, pending, soon, paused)

    async def _looked_at(self) -> tuple[list[str], list[str]]:
        async with self.store() as store:
            left = [f"message {id} is left in the inbox" for id, _ in await open_messages(store)]
            left += [f"timer {row[1]} is left" for row in await rows_in(store, "timers_of", OWNER)]
            left += [f"{tokens} tokens of {key} are still set aside" for key, _, tokens in await store.held()]
            return [*await store.check(), *(await store.audit_verify()).problems], left

    def points_of(self, run: Run) -> dict[str, int]:
        """The points that were reached in one life, and how often."""
        return {each.key: each.number for each in self.world.events("hit") if each.pid == run.pid}


# ---- a case, and all of them -----------------------------------------------------------------------------------


def crash(
    scenario: str,
    fault: str,
    folder: Path,
    *,
    database: str = "",
    delivery: Delivery = "idempotent",
    first: str = "",
    **case: Any,
) -> Result:
    """One case: the process dies (or whatever *fault* says) once, then lives until all is done. With *first*, a process
    died of that before."""
    began = time.monotonic()
    lives = Lives(folder, database=database, delivery=delivery, **SCENARIOS[scenario].options, **case)
    SCENARIOS[scenario].begin(lives.world)
    if first:
        lives.live(first)
    run = lives.live(fault)
    reached = run.status == -signal.SIGKILL
    if run.status != 0 or delivery == "blind":
        lives.rest()
    evidence, next = lives.evidence(), 2 if first else 1
    seconds = resumed(lives.world, lives.runs[next]) if reached and len(lives.runs) > next else None
    scenario = f"{scenario} after {first.partition(':')[0]}" if first else scenario
    result = Result(scenario, fault.replace(":kill", ""), delivery, _kind(database), reached, breaches(evidence),
                    time.monotonic() - began, seconds, str(folder))  # fmt: skip
    lives.world.close()
    return result


def _kind(database: str) -> str:
    return database.partition(":")[0] or "sqlite"


UNDISTURBED = "(undisturbed)"
"""The point of a case in which no process dies."""


def undisturbed(
    scenario: str, folder: Path, *, database: str = "", delivery: Delivery = "idempotent", first: str = "", **case: Any
) -> tuple[Result, dict[str, int]]:
    """A case in which nothing goes wrong (after a death of *first*), and the points that it reaches with how often it
    does."""
    began = time.monotonic()
    lives = Lives(folder, database=database, delivery=delivery, **SCENARIOS[scenario].options, **case)
    SCENARIOS[scenario].begin(lives.world)
    if first:
        lives.live(first)
    run = lives.live("")
    if first and delivery == "blind":
        lives.rest()
    name = f"{scenario} after {first.partition(':')[0]}" if first else scenario
    result = Result(name, UNDISTURBED, delivery, _kind(database), True, breaches(lives.evidence()),
                    time.monotonic() - began, None, str(folder))  # fmt: skip
    points = lives.points_of(run)
    lives.world.close()
    return result, points


def crash_test(
    *,
    scenarios: Iterable[str] = tuple(SCENARIOS),
    deliveries: Iterable[Delivery] = ("idempotent",),
    points: Iterable[str] = (),
    database: str = "",
    **factories: str,
) -> Report:
    """Lets a process die once at every point that each scenario reaches, each time it reaches it.

    *factories* are ``adapter``, ``model``, ``tools``, ``plugins`` and ``before``, see `Case`. *points* narrows it down
    to those whose name begins with one of them.
    """
    results: list[Result] = []
    with folder() as base:
        for scenario in scenarios:
            for delivery in deliveries:
                here = base / f"{scenario}-{delivery}"
                options: dict[str, Any] = {"database": database, "delivery": delivery, **factories}
                calm, reached = undisturbed(scenario, here / "undisturbed", **options)
                results.append(calm)
                for fault in kills(reached, points):
                    results.append(crash(scenario, fault, here / fault.replace(":", "-"), **options))
    return Report(results)


def kills(reached: dict[str, int], points: Iterable[str] = ()) -> list[str]:
    """A kill for each time that each point is reached."""
    wanted = tuple(points) or ("",)
    return [
        f"{point}:kill:{number}"
        for point, count in reached.items()
        if point.startswith(wanted)
        for number in range(1, count + 1)
    ]


@contextmanager
def folder() -> Any:
    """A folder for homes and worlds, in memory where there is room for it."""
    shared = Path("/dev/shm")
    with tempfile.TemporaryDirectory(
        prefix="gitu-crash-", dir=shared if os.access(shared, os.W_OK) else None, ignore_cleanup_errors=True
    ) as name:
        yield Path(name)


def kill(process: subprocess.Popen[bytes], sign: int = signal.SIGKILL) -> None:
    """Sends a signal to a process that may have ended already."""
    with suppress(ProcessLookupError):
        process.send_signal(sign)
