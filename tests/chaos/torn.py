"""What a power failure leaves of SQLite's write-ahead log."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from pathlib import Path

from gitu_core import failpoints
from gitu_core.testing import faults
from gitu_core.testing.world import World

HEADER, FRAME = 32, 24
"""Bytes of the log's head, and of the head of each of its frames."""


def cut(world: World) -> None:
    """A `before` of a case: a process that is killed after a commit leaves half of what that commit wrote."""
    log = world.folder.parent / "home" / "gitu.db-wal"
    sizes = [0]
    arm, happen = faults.arm, faults.Fault.happen

    def arming(armed: list[faults.Fault], report: faults.Report | None = None) -> None:
        arm(armed, report)
        reached = failpoints.armed
        assert reached is not None

        def watched(name: str) -> None:
            if name == "writer.begin":
                sizes[0] = log.stat().st_size if log.exists() else 0
            reached(name)

        failpoints.armed = watched

    def torn(fault: faults.Fault) -> None:
        size = log.stat().st_size if log.exists() else 0
        if size > sizes[0]:
            os.truncate(log, (size + sizes[0]) // 2)
        happen(fault)

    faults.arm, faults.Fault.happen = arming, torn  # type: ignore[method-assign]


def tails() -> Iterator[tuple[str, bytes]]:
    """What may stand behind the last commit, by kind."""
    chance = random.Random(7)
    yield "noise", chance.randbytes(10_000)
    yield "zeros", bytes(10_000)
    yield "half", chance.randbytes(FRAME + 100)


def append(log: Path, tail: bytes) -> None:
    """Writes *tail* behind a log; where there is none, there is nothing to spoil."""
    if log.exists() and log.stat().st_size > HEADER:
        with log.open("ab") as file:
            file.write(tail)
