"""What was recorded of one turn, read for what came to it from outside: a crash, somebody who stopped it, its time.

A replay feeds these in where they stand. Everything else the runtime has to find out again by itself.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal

import anyio

from gitu_core.contracts.ports import StepEntry
from gitu_core.model import ErrorInfo, ModelRequest, Reply, Step, ToolCall, Usage
from gitu_core.model.steps import CallFinished, Ended, ModelAnswered, ModelAsked, ModelFailed, Parked, Resumed
from gitu_core.runtime import Work
from gitu_core.testing.replay.file import RecordedTurn


@dataclass(frozen=True)
class Tail:
    """The end of a turn that something from outside brought about, from the step *start* on: somebody stopped it
    (``stopped``), its time was up (``late``), it ran into a defect (``broken``), or it was given up after crashes
    (``given_up``)."""

    start: int
    kind: Literal["stopped", "late", "broken", "given_up"]
    reply: Reply


@dataclass
class Track:
    """The recorded steps of a turn, and how far its replay is.

    `cuts` are the numbers of the steps before which a process ended, `begin` is the step that this run begins with,
    `entries` are the steps that are the same so far. `arrived` are the calls whose result can be given, `dead` is
    True where the replay reached the point at which its process ended. `until` is when that process ended, for a
    turn inside of another one. `read` are digests of what models read here. `late` and `end` are what stops a turn
    inside of another one, and any turn whose time is up.
    """

    recorded: RecordedTurn
    parent: Track | None = None
    begin: int = 0
    begun: bool = False
    running: bool = False
    dead: bool = False
    until: float = math.inf
    work: Work | None = None
    request: ModelRequest | None = None
    read: dict[str, set[str]] = field(default_factory=dict)
    entries: list[StepEntry] = field(default_factory=list)
    arrived: set[str] = field(default_factory=set)
    late: anyio.CancelScope | None = None
    end: anyio.CancelScope | None = None

    def __post_init__(self) -> None:
        self.id = self.recorded.info.id
        self.steps: list[Step] = [each.step for each in self.recorded.steps]
        self.times = [each.at for each in self.recorded.steps]
        self.cuts = frozenset(_cuts(self.steps))
        self.tail = _tail(self.steps)
        self.calls = {call.id: call for call in _calls(self.steps)}

    @property
    def n(self) -> int:
        """The number of the next step."""
        turn = self.work.turn if self.work is not None else None
        return self.begin if turn is None else turn.state.steps

    @property
    def next(self) -> Step | None:
        """The recorded step that has to come next in this run; None where its process ended."""
        return None if self.dead or self.ends_at(self.n) else self.steps[self.n]

    @property
    def ended(self) -> bool:
        """True if the turn is recorded to its end."""
        return bool(self.steps) and isinstance(self.steps[-1], Ended)

    def ends_at(self, n: int) -> bool:
        """True if the process ended before it took the step *n*, as far as is recorded."""
        return (n in self.cuts and n != self.begin) or n >= len(self.steps) or self.times[n] > self.until

    @property
    def due(self) -> bool:
        """True for a turn that is to begin, or to go on, before the process ends."""
        n = len(self.entries)
        return not self.running and n < len(self.steps) and self.times[n] <= self.until

    def in_tail(self, n: int) -> bool:
        """True if the step *n* belongs to an end that came from outside."""
        return self.tail is not None and n >= self.tail.start

    def run(self, start: int) -> list[Step]:
        """The steps of the run that begins with the step *start*: to where it waits, its process ended, or its end."""
        for n in range(start + 1, len(self.steps)):
            if n in self.cuts or isinstance(self.steps[n - 1], Parked):
                return self.steps[start:n]
        return self.steps[start:]

    def result_of(self, call: str) -> CallFinished | None:
        """The recorded end of a call."""
        return next((each for each in self.steps if isinstance(each, CallFinished) and each.call == call), None)


def was_cancelled(error: ErrorInfo) -> bool:
    """True for what a model call has as its failure when it was cut off while it ran."""
    return error.code == "error" and error.message in ("CancelledError was raised", "Cancelled was raised")


def _calls(steps: Sequence[Step]) -> Iterator[ToolCall]:
    for step in steps:
        if isinstance(step, ModelAnswered):
            yield from step.message.calls


def _cuts(steps: Sequence[Step]) -> Iterator[int]:
    """Before which steps the process ended."""
    for n, step in enumerate(steps):
        if isinstance(step, Resumed):
            yield n - 1 if n and _paid_for(steps, n - 1) else n
    tail = _tail(steps)
    if tail is not None and tail.kind == "given_up":
        yield tail.start


def _paid_for(steps: Sequence[Step], n: int) -> bool:
    """True if the step *n* pays for a model whose answer went with the process."""
    step, asked = steps[n], steps[n - 1] if n else None
    return (
        isinstance(step, ModelFailed) and isinstance(asked, ModelAsked) and step.error.code == "cancelled"
        and step.usage == Usage(cost=asked.estimate or 0)
    )  # fmt: skip


def _tail(steps: Sequence[Step]) -> Tail | None:
    last = steps[-1] if steps else None
    kind = _kind(steps, last.reply) if isinstance(last, Ended) else None
    if not isinstance(last, Ended) or kind is None:
        return None
    start = len(steps) - 1
    while start and _closes(steps[start - 1]):
        start -= 1
    return Tail(start, kind, last.reply)


def _kind(steps: Sequence[Step], reply: Reply) -> Literal["stopped", "late", "broken", "given_up"] | None:
    error = reply.error
    if reply.status == "cancelled":
        return "stopped"
    if reply.status != "failed" or error is None:
        return None
    failures = [step.error for step in steps if isinstance(step, ModelFailed)]
    if failures and failures[-1] == error:
        return None  # no model could answer: the turn finds that out by itself
    if error.code == "limit" and error.details.get("limit") == "time":
        return "late"
    if error.code == "unknown" and any(isinstance(step, Resumed) for step in steps):
        return "given_up"
    return "broken" if error.code == "error" else None


def _closes(step: Step) -> bool:
    """True if a step closes a call that was open when its turn ended early."""
    if not isinstance(step, CallFinished) or step.seconds or step.usage != Usage():
        return False
    result, code = step.result, step.result.error.code if step.result.error else ""
    return result.content is None and (result.status, code) in (("unknown", "error"), ("error", "cancelled"))
