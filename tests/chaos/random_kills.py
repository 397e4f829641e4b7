"""Kills at moments that nobody chose, while many people talk at once."""

from __future__ import annotations

import argparse
import random
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from gitu_core.testing.crash import Lives, Result, folder
from gitu_core.testing.invariants import breaches, resumed
from tests.chaos import show
from tests.chaos.crowd import Crowd
from tests.chaos.databases import Databases

KILLS = 500
PEOPLE = 32

ROUNDS = (
    ("sqlite", "idempotent"), ("sqlite", "verifiable"), ("sqlite", "blind"), ("postgresql", "idempotent"),
    ("postgresql", "verifiable"), ("postgresql", "blind"),
)  # fmt: skip
"""The kills are shared out over these."""

LONGEST = 0.4
"""Seconds that a process lives at most after it began to work."""

YOUNG = 0.1
"""The share of the processes that die while they start."""


def run(options: argparse.Namespace) -> list[Result]:
    """Runs all rounds; gives a result for each."""
    seed = options.seed or random.SystemRandom().randrange(1, 1 << 30)
    rounds = [each for each in ROUNDS if all(word in f"{each[0]} / {each[1]}" for word in options.only)]
    kills = -(-options.kills // len(ROUNDS))
    show.head(f"{kills} random kills in each of {len(rounds)} rounds, {PEOPLE} people at once, seed {seed}")
    with folder() as base, Databases(any(each[0] != "sqlite" for each in rounds), str(base)) as databases:

        def one(engine: str, delivery: str) -> Result:
            chance = random.Random(f"{seed} {engine} {delivery}")
            with databases.one(engine) as database:
                result = killed(base / f"{engine}-{delivery}", delivery, database, kills, chance)
            show.verdict(not result.broken, f"{result.name}: {result.seconds:.0f} s", result.broken[:20])
            return result

        with ThreadPoolExecutor(options.jobs) as pool:
            return list(pool.map(lambda each: one(*each), rounds))


def killed(place: Path, delivery: Any, database: str, kills: int, chance: random.Random) -> Result:
    """One round."""
    began = time.monotonic()
    lives = Lives(place, database=database, delivery=delivery, stay=True)
    crowd = Crowd(lives.world, PEOPLE, chance)
    for _ in range(kills):
        _one_life(lives, crowd, chance)
    lives.world.note("stop")
    lives.rest()
    slowest = max(
        (seconds for each in lives.runs[1:] if (seconds := resumed(lives.world, each)) is not None), default=0
    )
    said = len(lives.world.events("said"))
    engine = database.partition(":")[0] or "sqlite"
    result = Result(f"{said} messages", f"{kills} random kills", delivery, engine, True, breaches(lives.evidence()),
                    time.monotonic() - began, slowest, str(place))  # fmt: skip
    lives.world.close()
    return result


def _one_life(lives: Lives, crowd: Crowd, chance: random.Random) -> None:
    world, started = lives.world, time.monotonic()
    ready = len(world.events("ready"))
    crowd.talk()
    process = lives.start()
    young = chance.random() < YOUNG
    end = started + chance.random() * LONGEST if young else None
    while process.poll() is None:
        now = time.monotonic()
        if end is None and len(world.events("ready")) > ready:
            end = now + chance.random() * LONGEST
        if end is not None and now >= end:
            break
        crowd.talk()
        time.sleep(0.005)
    process.kill()
    lives.ended(process, started)
