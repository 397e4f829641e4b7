"""Runs recorded turns again, offline: the runtime is the real one, everything around it gives what was recorded."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import anyio
import msgspec

from gitu_core.config import Limits, Profile
from gitu_core.contracts.ports import Approval, Outcome, Record, StepEntry
from gitu_core.errors import ConfigError, InputError
from gitu_core.isolation import Overdue
from gitu_core.model import Reply, Step, ToolCall, ToolResult, Usage
from gitu_core.model.steps import CallAnswered, Ended, ModelAnswered, Noted, Parked, Resumed
from gitu_core.policy import LabelPolicy
from gitu_core.runtime import Runtime, Work, as_error
from gitu_core.runtime.calls import WAITS
from gitu_core.runtime.fold import fold
from gitu_core.runtime.turn import Turn
from gitu_core.testing.replay import stands
from gitu_core.testing.replay.differ import NOTHING, Difference
from gitu_core.testing.replay.file import Export, RecordedTurn, load
from gitu_core.testing.replay.models import Models
from gitu_core.testing.replay.stage import CURRENT, Stage
from gitu_core.testing.replay.track import Track


@dataclass(frozen=True)
class Replayed:
    """What came of running a turn again: the same in `steps` steps (those of inner turns included), or the first
    `difference`. `unfinished` tells that the recording stops before the turn ended or began to wait."""

    turn: str
    steps: int
    difference: Difference | None = None
    unfinished: bool = False

    def __str__(self) -> str:
        if self.difference is not None:
            return str(self.difference)
        more = "; the recording stops before it ended" if self.unfinished else ""
        return f"turn {self.turn}: the same in {self.steps} steps{more}"


async def replay(export: Export) -> list[Replayed]:
    """Runs every turn of an export again. `InputError` if there is nothing to run it from."""
    if not export.content:
        raise InputError("this export was written without content, so that nothing can be run again",
                         hint="write another one without --no-content")  # fmt: skip
    return [_told(await played(export, turn)) for turn in export.turns]


def replay_file(path: str | Path) -> list[Replayed]:
    """Runs every turn of a file again, for a test. `AssertionError` tells the first difference. `InputError` in async
    code, where a loop runs already: there it is ``await replay(load(path))``."""
    if _in_loop():
        raise InputError("replay_file was called in async code, where it would wait for itself",
                         hint="use await gitu_core.testing.replay.run.replay(load(path)), load from "
                              "gitu_core.testing.replay.file; or call it from a plain function")  # fmt: skip
    found = anyio.run(replay, load(path))
    for each in found:
        if each.difference is not None:
            raise AssertionError(str(each))
    return found


def _in_loop() -> bool:
    try:
        anyio.get_current_task()
    except anyio.NoEventLoopError:
        return False
    return True


async def played(export: Export, recorded: RecordedTurn) -> Stage:
    """Runs one turn of an export again; gives what was seen of it."""
    if recorded.ask is None:
        raise InputError(
            f"the message that turn {recorded.info.id} answers is not in the file",
            hint="it was not kept: plugins ask models of their own accord, and messages get erased",
        )
    stage = Stage(export, recorded)
    await _Player(stage, recorded.ask).play()
    stage.end()
    return stage


def _told(stage: Stage) -> Replayed:
    steps = sum(len(track.entries) for track in stage.tracks.values())
    last = stage.root.steps[-1] if stage.root.steps else None
    return Replayed(stage.root.id, steps, stage.difference, not isinstance(last, Ended | Parked))


class _Runtime(Runtime):
    """The runtime, with places at which a turn can be stopped as it was."""

    stage: Stage

    async def run(self, work: Work, steps: Sequence[Step] = ()) -> Outcome:
        """Runs a turn as the outermost one or inside of another one."""
        track = self.stage.tracks.get(work.info.id)
        outer = CURRENT.get(None)
        if track is None:
            assert outer is not None
            await self.stage.unexpected(outer, f"the turn {work.info.id} is run, which was not run then")
            raise AssertionError("unreachable")
        track.parent = None if outer is track else outer
        track.work, track.dead, track.begin = work, False, len(steps)
        track.begun = track.running = True
        track.arrived.clear()
        work.emit = stands.shows(self.stage, track)
        token = CURRENT.set(track)
        try:
            with anyio.CancelScope() as track.late:
                return await super().run(work, steps)
        finally:
            track.running = False
            CURRENT.reset(token)
        raise Overdue

    async def _bounded(self, turn: Turn, limits: Limits) -> Reply:
        track = CURRENT.get()
        with anyio.CancelScope() as track.end:
            return await super()._bounded(turn, limits)
        assert track.tail is not None
        assert track.tail.reply.error is not None
        return self._reply(turn, "failed", as_error(track.tail.reply.error))

    async def _delegate(self, outer: Turn, name: str, call: ToolCall) -> tuple[ToolResult, Usage]:
        track, result = CURRENT.get(), None
        try:
            result = await super()._delegate(outer, name, call)
            return result
        finally:
            inner = self.stage.tracks.get(f"{outer.work.info.id}.{call.id}")
            if inner is not None and inner.dead:
                await self.stage.tick(inner)
            if result is None or result[0] is not WAITS:
                await self.stage.turn_of(track, call.id)


class _Player:
    """Runs one turn, with the turns inside of it, from crash to crash and from question to question."""

    def __init__(self, stage: Stage, ask: Any) -> None:
        self._stage, self._ask = stage, ask
        profile = self._profile
        self._runtime = _Runtime(
            records=cast(Any, stands.Records(stage)), registry=cast(Any, stands.Toolbox(stage)),
            hooks=stands.Hooks(stage), models=cast(Any, Models(stage)), policy=LabelPolicy(),
            grants=cast(Any, stands.Grants()),
            budget=stands.Budget(), clock=stands.Clock(), profiles=profile, approve=stands.approve, hold=self._hold,
        )  # fmt: skip
        self._runtime.stage = stage

    def _profile(self, name: str) -> Profile:
        try:
            return self._stage.export.profiles[name]
        except KeyError:
            raise ConfigError(f"the profile {name!r} is not in the file", hint="export the turn again") from None

    async def _hold(self) -> None:
        await self._stage.tick(CURRENT.get())

    async def play(self) -> None:
        """Runs the turn as far as it was recorded, or to the first difference."""
        stage, root = self._stage, self._stage.root
        while stage.difference is None and (n := len(root.entries)) < len(root.steps):
            stage.crashed = stage.stopped = False
            end = n + len(root.run(n))
            for track in stage.tracks.values():
                track.until = root.times[end] if track is not root and end in root.cuts else math.inf
            work = self._work(n)
            token = CURRENT.set(root)
            try:
                stage.take(await self._run(work, n))
            finally:
                CURRENT.reset(token)
            if len(root.entries) == n:
                stage.differ(root, "", root.steps[n], NOTHING, "nothing more happens now", n)

    async def _run(self, work: Work, n: int) -> Sequence[Record]:
        """The records of one run: to the end, to where it waits, or nothing where its process ended."""
        stage, root = self._stage, self._stage.root
        steps = [entry.step for entry in root.entries]
        if isinstance(root.steps[0], Ended) or root.in_tail(n):
            return self._closed(work, steps)
        with anyio.CancelScope() as stage.scope:
            return (await self._runtime.run(work, steps)).records
        return self._closed(work, steps) if stage.stopped else ()

    def _closed(self, work: Work, steps: Sequence[Step]) -> Sequence[Record]:
        """The end of a turn that was stopped, or given up after crashes."""
        root = self._stage.root
        root.work, root.dead = work, False
        if work.turn is None and steps:
            root.begin = len(steps)
            work.turn = Turn(work, fold(steps), [], stands.Clock(), cast(Any, stands.Records(self._stage)))
        records = self._runtime.cancelled(work).records
        if root.tail is None or root.tail.kind != "given_up":
            return records
        return [_given_up(record, root.tail.reply) for record in records]

    def _work(self, n: int) -> Work:
        recorded, root = self._stage.root.recorded, self._stage.root
        work = Work(
            recorded.info, recorded.person, self._ask, self._profile(recorded.info.profile), recorded.conversation,
            parks=self._parks(), approvals=self._approvals(), tools=recorded.tools,
        )  # fmt: skip
        if _structured(root):
            work.schema, work.check = {}, stands.checker(root)
        if n:
            work.again = True
            resumed = (step for step in root.steps[n : n + 2] if isinstance(step, Resumed))
            work.worker = next((step.worker for step in resumed), None)
        return work

    def _parks(self) -> bool:
        """True if people were asked, and not the code of an application."""
        steps = [step for track in self._stage.tracks.values() for step in track.steps]
        return any(isinstance(step, Parked) or (isinstance(step, CallAnswered) and step.approval) for step in steps)

    def _approvals(self) -> list[Approval]:
        """The questions asked so far, with the choices that the next run makes use of."""
        choices: dict[str, CallAnswered] = {}
        for track in self._stage.tracks.values():
            n = len(track.entries)
            for step in (*track.steps[:n], *track.run(n)):
                if isinstance(step, CallAnswered) and step.approval:
                    choices[step.approval] = step
        return [_answered(asked, choices.get(asked.id)) for asked in self._stage.asked.values()]


def _answered(asked: Approval, step: CallAnswered | None) -> Approval:
    """A question in the state that the next run finds it in."""
    if step is None:
        return asked
    state, choice = ("expired", "") if step.choice == "expired" else ("answered", step.choice)
    return msgspec.structs.replace(asked, state=state, choice=choice, by=step.by, digest=step.digest)


def _structured(track: Track) -> bool:
    """True if the answer had to fit a schema, as far as that made a difference."""
    for n, step in enumerate(track.steps):
        before = track.steps[n - 1] if n else None
        answered = isinstance(before, ModelAnswered) and not before.message.calls
        failed = isinstance(step, Ended) and step.reply.error is not None and step.reply.error.code == "model"
        if answered and (isinstance(step, Noted) or failed):
            return True
    return False


def _given_up(record: Record, reply: Reply) -> Record:
    """The record of an end, as that of a turn that was given up."""
    if isinstance(record, StepEntry) and isinstance(record.step, Ended):
        ended = msgspec.structs.replace(record.step.reply, status=reply.status, error=reply.error)
        return msgspec.structs.replace(record, step=Ended(ended))
    return record
