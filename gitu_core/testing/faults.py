"""Lets a process die, stop, fail or dawdle at a named point.

    with armed("writer.rows:raise=store"):      # in this process: the next commit fails
        ...
    GITU_FAILPOINT="outbox.after:kill"          # in a child that `crash` starts: it dies there

A fault is written ``point:action[=value][:nth]``; several are separated by ``;``. *nth* is which time the point is
reached (1 unless given, ``*`` = every time). Actions:

    kill            SIGKILL to this process: nothing is cleaned up
    pause           SIGSTOP to this process; somebody else lets it go on
    raise=CODE      a Gitu error with this code (``store``, ``not_ready``, ...) is raised there
    delay=SECONDS   the thread that got there sleeps

`POINTS` holds every point of the core, the points of the fakes in `counting`, and those that a test `declare`\\ s.
"""

from __future__ import annotations

import itertools
import os
import signal
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from gitu_core import failpoints
from gitu_core.errors import ConfigError, by_code
from gitu_core.failpoints import hit as hit

VARIABLE = "GITU_FAILPOINT"
"""The environment variable that a child of `crash` reads."""

ACTIONS = ("kill", "pause", "raise", "delay")

POINTS: dict[str, str] = {
    **failpoints.POINTS,
    "world.accept": "the message is accepted and the channel was not told yet",
    "world.send.before": "the adapter was asked to send and people saw nothing yet",
    "world.send.after": "people saw it and the adapter did not return yet",
    "world.effect.before": "the tool runs and the remote side did nothing yet",
    "world.effect.after": "the remote side did it and the tool did not return yet",
    "world.timer.before": "the plugin is handed its timer and did nothing yet",
    "world.timer.after": "the plugin did what the timer was for and did not return yet",
    "world.model.begun": "the model was asked and said nothing yet",
    "world.model.finished": "the model said all and its stream did not end yet",
}
"""Every point that can be armed, with where it lies."""

Report = Callable[[str, int], None]
"""Told the name of a point and which time it was reached."""


@dataclass(frozen=True)
class Fault:
    """What happens at which point; *nth* 0 = every time."""

    point: str
    action: str
    value: str = ""
    nth: int = 1

    def happen(self) -> None:
        """Does it."""
        if self.action == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
            time.sleep(60)  # the signal may take a moment; nothing of this process may go on meanwhile
        elif self.action == "pause":
            os.kill(os.getpid(), signal.SIGSTOP)
        elif self.action == "delay":
            time.sleep(float(self.value))
        else:
            raise by_code()[self.value](f"raised at {self.point} by a test", hint="this failure is made on purpose")

    def __str__(self) -> str:
        action = f"{self.action}={self.value}" if self.value else self.action
        return f"{self.point}:{action}:{self.nth or '*'}"


def declare(name: str, where: str) -> None:
    """Makes a point of your own known; reach it with `hit`."""
    POINTS[name] = where


def parse(text: str) -> list[Fault]:
    """The faults that *text* names. `ConfigError` for a point or an action that nobody knows."""
    return [_fault(each.strip()) for each in text.split(";") if each.strip()]


def _fault(text: str) -> Fault:
    point, _, rest = text.partition(":")
    does, _, nth = rest.partition(":")
    action, _, value = does.partition("=")
    if point not in POINTS:
        raise ConfigError(f"there is no point {point!r}", hint=f"use one of {', '.join(sorted(POINTS))}")
    known = action in ACTIONS and (value in by_code() if action == "raise" else bool(value) == (action == "delay"))
    if not known or not (nth in ("", "*") or nth.isdecimal()):
        raise ConfigError(f"{text!r} is no fault", hint="write point:kill, :pause, :raise=CODE or :delay=SECONDS")
    return Fault(point, action, value, 0 if nth == "*" else int(nth or 1))


def arm(faults: list[Fault], report: Report | None = None) -> None:
    """Arms *faults* in this process, instead of what was armed. *report* is told of every point that is reached."""
    counts: dict[str, Iterator[int]] = defaultdict(lambda: itertools.count(1))
    by_point: dict[str, list[Fault]] = defaultdict(list)
    for fault in faults:
        by_point[fault.point].append(fault)

    def reached(name: str) -> None:
        number = next(counts[name])
        if report is not None:
            report(name, number)
        for fault in by_point.get(name, ()):
            if fault.nth in (0, number):
                fault.happen()

    failpoints.armed = reached


def disarm() -> None:
    """Nothing happens any more at any point."""
    failpoints.armed = None


@contextmanager
def armed(text: str = "", report: Report | None = None) -> Iterator[None]:
    """Arms the faults that *text* names while the block runs."""
    arm(parse(text), report)
    try:
        yield
    finally:
        disarm()


def from_environment(report: Report | None = None) -> None:
    """Arms what the environment variable names; nothing where it is not set."""
    text = os.environ.get(VARIABLE)
    if text is not None:
        if sys.platform == "win32":
            raise ConfigError("processes cannot be killed like this here", hint="run it on Linux or macOS")
        arm(parse(text), report)
