"""Several workers on one home and one database, each a process of its own."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Self

from gitu_core.testing.crash import Lives
from gitu_core.testing.invariants import Evidence, breaches
from gitu_core.testing.world import Happening

LEASE = 2.0
"""Seconds of the workers' lease, in their configuration."""

GRACE = 2.0
"""Seconds beside the lease within which others go on."""


class Team:
    """Starts workers, kills them, pauses them, and waits for what the others make of it. Leaving it kills whoever
    still lives."""

    def __init__(self, place: Path, database: str, delivery: Any, settings: str = "", **case: Any) -> None:
        place.mkdir(parents=True, exist_ok=True)
        config = place / "gitu.toml"
        budgets = (
            '[budgets.user]\nper = ["user"]\ntokens = 1_000_000_000\n[budgets.house]\ntokens = 1_000_000_000_000\n'
        )
        config.write_text(f'lease_seconds = {LEASE:g}\n{settings}\n{budgets}[profiles.default]\ntools = ["*"]\n')
        self.lives = Lives(
            place, database=database, delivery=delivery, stay=True, worker=True, config=str(config), **case
        )
        self.world = self.lives.world
        self.alive: dict[int, tuple[subprocess.Popen[bytes], float]] = {}
        self.paused: list[int] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        for process, _ in self.alive.values():
            process.kill()
            process.wait()
        self.world.close()

    def start(self, fault: str | None = None) -> int:
        """Starts a worker and waits until it is ready; gives its process id."""
        started = time.monotonic()
        process = self.lives.start(fault)
        self.alive[process.pid] = process, started
        self.until(lambda: any(each.pid == process.pid for each in self.world.events("ready")), "a worker is ready")
        return process.pid

    def until(self, true: Callable[[], object], what: str, seconds: float = 20.0) -> float:
        """Waits until *true* gives something true; gives how long that took. `TimeoutError` says that *what* did not
        come about."""
        began = time.monotonic()
        while not true():
            if time.monotonic() - began > seconds:
                raise TimeoutError(f"within {seconds:g} s this did not come about: {what}")
            time.sleep(0.01)
        return time.monotonic() - began

    @property
    def host(self) -> int:
        """Who runs the channel: whoever told it last that a message is safe, or is the only one."""
        acked = [each.pid for each in self.world.events("acked") if each.pid in self.alive]
        return acked[-1] if acked else next(iter(self.alive))

    def kill(self, pid: int) -> None:
        """Kills a worker."""
        process, started = self.alive.pop(pid)
        process.kill()
        self.lives.ended(process, started)

    def dies(self, pid: int) -> float:
        """Waits for a worker to die by itself; gives the time. `TimeoutError` if it does not."""
        process, started = self.alive[pid]
        self.until(lambda: process.poll() is not None, "a worker gets where it dies")
        at = time.monotonic()
        del self.alive[pid]
        self.lives.ended(process, started)
        return at

    def stopped(self, pid: int) -> bool:
        """True if a worker stands still because of SIGSTOP."""
        with contextlib.suppress(OSError):
            return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"
        return False

    def wake(self, pid: int) -> float:
        """Lets a worker go on; gives the time."""
        self.paused.append(pid)
        os.kill(pid, signal.SIGCONT)
        return time.monotonic()

    def finish(self) -> Evidence:
        """Everybody ends when nothing is left to do; gives the evidence."""
        self.world.note("stop")
        while self.alive:
            process, started = self.alive.popitem()[1]
            self.lives.ended(process, started)
        self.lives.rest()
        return self.lives.evidence(paused=self.paused)

    def since(self, at: float, pid: int, *kinds: str) -> list[Happening]:
        """What a process did after a time."""
        return [each for each in self.world.events() if each.pid == pid and each.at > at and each.kind in kinds]


def broken(evidence: Evidence, more: Sequence[str] = ()) -> dict[str, list[str]]:
    """What is broken, *more* under its own name. Restarts are measured elsewhere: the others went on meanwhile."""
    found = {name: each for name, each in breaches(evidence).items() if not name.startswith("I6")}
    return {**found, **({"I6 resumed": list(more)} if more else {})}


def points(names: Sequence[str]) -> Iterator[str]:
    """The faults that pause a process at each of *names*."""
    return (f"{name}:pause" for name in names)
