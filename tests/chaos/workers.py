"""Several workers: two of three are killed under load; one is paused past its lease and woken again."""

from __future__ import annotations

import argparse
import random
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from gitu_core.testing.counting import answer_to
from gitu_core.testing.crash import Result, folder
from gitu_core.testing.world import Happening
from tests.chaos import show
from tests.chaos.crowd import Crowd
from tests.chaos.databases import Databases
from tests.chaos.team import GRACE, LEASE, Team, broken

PEOPLE = 32

PAUSED_AT = (
    "turn.begun", "model.before", "world.model.begun", "model.after", "call.intent", "call.dispatch",
    "world.effect.after", "call.effect", "turn.end.before", "turn.end.after", "outbox.before", "outbox.after",
    "timer.claimed", "timer.fired",
)  # fmt: skip
"""Where a worker is paused."""


def run(options: argparse.Namespace) -> list[Result]:
    """Runs all cases on both databases; gives a result for each."""
    show.head(f"several workers, lease {LEASE:g} s")
    cases: list[tuple[str, str, str, Callable[..., dict[str, list[str]]]]] = []
    for engine in ("sqlite", "postgresql"):
        cases += [(engine, "verifiable", "two of three killed", two_of_three)]
        cases += [(engine, "verifiable", "killed while it takes over", heir_dies)]
        for delivery in ("verifiable", "blind"):
            cases += [(engine, delivery, f"paused at {point}", paused_at(point)) for point in PAUSED_AT]
    wanted = [each for each in cases if all(word in " / ".join(each[:3]) for word in options.only)]
    with folder() as base, Databases(any(each[0] != "sqlite" for each in wanted), str(base)) as databases:

        def one(engine: str, delivery: str, name: str, case: Callable[..., dict[str, list[str]]]) -> Result:
            place = base / f"{engine}-{delivery}-{name.replace(' ', '-')}"
            with databases.one(engine) as database:
                return judged(place, engine, delivery, name, case, database)

        with ThreadPoolExecutor(options.jobs) as pool:
            return list(pool.map(lambda each: one(*each), wanted))


def judged(
    place: Path, engine: str, delivery: str, name: str, case: Callable[..., dict[str, list[str]]], database: str,
    quiet: bool = False, **options: Any,
) -> Result:  # fmt: skip
    """Runs one case and says how it went."""
    began = time.monotonic()
    with Team(place, database, delivery, **options) as team:
        try:
            breaches = case(team)
        except TimeoutError as error:
            breaches = {"I6 resumed": [str(error)]}
    result = Result("workers", name, delivery, engine, True, breaches, time.monotonic() - began, None, str(place))
    if not quiet:
        show.verdict(not result.broken, f"{result.name}: {result.seconds:.0f} s", result.broken[:10])
    return result


def two_of_three(team: Team) -> dict[str, list[str]]:
    """Two of three workers die while 32 people talk, among them the one that runs the channel."""
    crowd = Crowd(team.world, PEOPLE, random.Random(len(str(team.lives.folder))))
    for _ in range(3):
        team.start()
    talk(crowd, 1.5)
    dead = [team.host]
    dead.append(next(pid for pid in team.alive if pid not in dead))
    # What is open now is in the hands of the three; the third has to take all of it.
    still = unanswered(team)
    at = time.monotonic()
    for pid in dead:
        team.alive[pid][0].kill()
    for pid in dead:
        team.kill(pid)
    late = late_after(team, at, still, crowd)
    return broken(team.finish(), late)


def heir_dies(team: Team) -> dict[str, list[str]]:
    """A worker dies in the middle of its work, and so does the one that just took over from it."""
    first = team.start("world.effect.after:kill")
    second = team.start("takeover.after:kill")
    team.world.say("effect one")
    team.dies(first)
    at = team.dies(second)
    team.start()
    late = late_after(team, at, unanswered(team))
    return broken(team.finish(), late)


def unanswered(team: Team) -> list[Happening]:
    """What people said and have no answer to."""
    return [each for each in team.world.events("said") if not each.ask and not _answer(team, each.text)]


def late_after(team: Team, at: float, still: Sequence[Happening], crowd: Crowd | None = None) -> list[str]:
    """Waits for the answers to *still*; says so if they came too late after the deaths at the time *at*."""
    while time.monotonic() - at < LEASE + GRACE + 5 and not all(_answer(team, each.text) for each in still):
        if crowd is not None:
            crowd.talk()
        time.sleep(0.005)
    answers = [_answer(team, each.text) for each in still]
    slowest = max((_seconds(team, at, each) if each else float("inf") for each in answers), default=0.0)
    return [f"what the dead had begun went on {slowest:.1f} s after their death"] if slowest > LEASE + GRACE else []


def paused_at(point: str) -> Callable[[Team], dict[str, list[str]]]:
    """A worker is stopped at *point*; another goes on; the first is woken and must finish nothing."""
    word = "effect" if point.startswith(("call.", "world.effect")) else "plain"

    def case(team: Team) -> dict[str, list[str]]:
        first = team.start(f"{point}:pause")
        team.start()
        if point.startswith("timer."):
            team.world.alarm("the tea is ready")
        else:
            team.world.say(f"{word} one")
        team.until(lambda: team.stopped(first), f"the worker stops at {point}")
        at, late = time.monotonic(), []
        if team.lives.case.delivery == "blind" and point.startswith(("turn.end.after", "outbox.")):
            time.sleep(LEASE + GRACE)  # nobody sees that it became unknown
        else:
            try:
                team.until(lambda: _taken(team, first, at), "another worker goes on", LEASE + GRACE)
            except TimeoutError as error:
                late = [str(error)]
        time.sleep(0.5)
        woken = team.wake(first)
        time.sleep(1.5)
        done = team.since(woken, first, "effect", "sent", "rang")
        evidence = team.finish()
        found = broken(evidence, late)
        if done:
            did = ", ".join(f"{each.kind} {each.key}" for each in done)
            found.setdefault("I2 seen once", []).append(f"the worker that was paused finished something: {did}")
        return found

    return case


def _taken(team: Team, first: int, at: float) -> bool:
    """True if another worker did what the first had begun, or told that nobody knows."""
    return any(
        each.at > at and each.pid != first and each.kind in ("sent", "verified", "checked", "rang")
        for each in team.world.events()
    )


def talk(crowd: Crowd, seconds: float) -> None:
    """Lets people talk for a while."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        crowd.talk()
        time.sleep(0.005)


def _answer(team: Team, text: str) -> Happening | None:
    return next((each for each in team.world.events("sent") if each.text.startswith(answer_to(text))), None)


def has_answer(team: Team, text: str) -> bool:
    """True if people saw the answer to *text*."""
    return _answer(team, text) is not None


def _seconds(team: Team, at: float, event: Happening) -> float:
    """Seconds from *at* to an event, without those that its process stood in line for a processor."""
    before = [each.waited for each in team.world.events() if each.pid == event.pid and each.at <= at]
    return event.at - at - (event.waited - max(before, default=0.0))
