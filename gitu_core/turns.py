"""Runs the turns that the gateway asks for: new ones, those that waited for a person, those that a crash cut off."""

from __future__ import annotations

import logging
from typing import Any

import msgspec

from gitu_core.contracts import Adapter
from gitu_core.contracts.authority import Verdict
from gitu_core.contracts.ports import Clock, Hooks, InboxEntry, Outcome, Record, Records, StepEntry, TurnEntry
from gitu_core.errors import ConfigError, Unknown
from gitu_core.gateway import Gateway, Job, Past, turns_of
from gitu_core.gateway.identity import plain
from gitu_core.isolation import is_cancellation
from gitu_core.model import ErrorInfo, ModelMessage, Reply, ToolCall, ToolSpec, TurnEvent, TurnFinished, TurnInfo, user
from gitu_core.model.audience import audience
from gitu_core.model.steps import Ended, Parked
from gitu_core.runtime import Emit, Profiles, Runtime, Work
from gitu_core.runtime.consent import asked_again, is_yes
from gitu_core.runtime.failures import error_info
from gitu_core.runtime.fold import fold
from gitu_core.runtime.readers import in_sight
from gitu_core.runtime.turn import Turn

log = logging.getLogger("gitu")

ATTEMPTS = 3
"""How often a turn goes on after its process ended. One that ended the process each time would do so for ever."""


class Turns:
    """The gateway's `TurnRunner`. `runtime` and `gateway` are set when both exist: each needs the other."""

    runtime: Runtime
    gateway: Gateway

    def __init__(
        self, hooks: Hooks, clock: Clock, profiles: Profiles, approver: Any, records: Records, deps: Any
    ) -> None:
        self._hooks = hooks
        self._clock = clock
        self._profiles = profiles
        self._approver = approver
        self._records = records
        self._deps = deps

    async def run(self, job: Job, adapter: Adapter | None) -> Outcome:
        """Runs the turn of a job; a stopped job gives a cancelled reply. A turn that an earlier run began goes on from
        its last step: nothing that it finished is done again."""
        past = await self._past(job)
        if past.cut_off >= ATTEMPTS:
            return self._interrupted(job, past)
        try:
            work = self._work(job, past.turn, adapter)
        except ConfigError as error:
            if not past.waits:
                raise
            return await self._stuck(job, past, error)
        if past.steps:
            work.again, worker = True, "" if job.kept else self.gateway.me or "?"
            work.worker = None if past.waits else worker
            work.approvals = await self._records.approvals(turn=past.turn)
        job.scope = work.scope
        if not job.stopped:
            return await self.runtime.run(work, past.steps)
        if work.turn is None and past.steps:
            work.turn = Turn(work, fold(past.steps), [], self._clock, self._records)
        return self.runtime.cancelled(work)

    def _work(self, job: Job, id: str, adapter: Adapter | None) -> Work:
        entry, options = job.entry, job.options
        conversation = entry.message.conversation
        profile = self._profiles(job.profile)
        # The turn's id follows from the message, so that whoever finds the message finds what was done about it.
        info = job.turn = TurnInfo(id, entry.session, job.id, user(entry.person), profile.name, conversation.channel)
        ask = ModelMessage("user", entry.message.parts, name=speaker(entry), id=job.id, label=entry.message.label)
        emit = _emitter(job, adapter)
        deps = self._deps if options.deps is None else options.deps
        return Work(info, entry.person, ask, profile, conversation, emit, options.schema, options.check, deps,
                    parks=self._approver is None, kept=job.kept, given=job.piece and job.piece.given,
                    tools=entry.message.tools)  # fmt: skip

    async def _past(self, job: Job) -> Past:
        """What was done about a job so far; first records what this process did and the store did not take then."""
        prefix = turns_of(job.id)
        if not job.again:
            return Past((), prefix)
        steps = await self._records.steps_under(prefix)
        known = {(each.turn, each.n) for each in steps}
        lost = [each for each in job.kept if not isinstance(each, StepEntry) or (each.turn, each.n) not in known]
        if any(isinstance(each, StepEntry) for each in lost):
            await self._records.write(*lost)
            steps = await self._records.steps_under(prefix)
        return Past(steps, prefix)

    async def _stuck(self, job: Job, past: Past, error: ConfigError) -> Outcome:
        """The profile of a turn that waits is gone: it waits on, and asks again; a no ends it."""
        parked, now, asks = past.steps[-1], self._clock.now(), await self._records.approvals(turn=past.turn)
        yes = [each for each in asks if is_yes(each.choice) and each.call not in past.finished]
        again, left = tuple(asked_again(each, now) for each in yes), [each for each in asks if each.state == "pending"]
        if not again and not left:
            return self._interrupted(job, past)
        label = parked.label if isinstance(parked, Parked) else job.entry.message.label
        parts = tuple(each.ask for each in (*left, *again))
        reply = Reply(past.turn, job.entry.session, "waiting", parts, error=error_info(error), label=label)
        return Outcome(reply, again, again)

    def _interrupted(self, job: Job, past: Past) -> Outcome:
        """The end of a turn that was cut off too often: what is known, and what is not."""
        try:
            work = self._work(job, past.turn, None)
        except ConfigError:  # its profile is gone; its name is all that is needed here
            job.profile = "default"
            work = self._work(job, past.turn, None)
        work.turn = Turn(work, fold(past.steps), [], self._clock, self._records)
        outcome = self.runtime.cancelled(work)
        error = ErrorInfo(Unknown.code, past.words(), "look whether it was done, then ask again for what is missing")
        reply = msgspec.structs.replace(outcome.reply, status="failed", error=error)
        return Outcome(reply, tuple(_ended(record, reply) for record in outcome.records))

    async def finished(self, job: Job, adapter: Adapter | None, reply: Reply) -> None:
        """The answer was handed over; tells the channel and the observers."""
        if adapter is not None:
            await _show(job, adapter, TurnFinished(reply))
        if self._hooks.wants("gitu_turn_finished"):
            await self._hooks.observe("gitu_turn_finished", turn=job.turn, reply=reply)

    async def approve(self, work: Work, call: ToolCall, tool: ToolSpec, verdict: Verdict) -> str | None:
        """Asks the embedder's function, where there is one; else the person is asked, and the turn waits."""
        if work.parks:
            return None
        if self._approver is None:
            return f"{verdict.reason}, and nobody can be asked here"
        try:
            said = self._approver(call, tool, verdict.reason)
            said = await said if hasattr(said, "__await__") else said
        except BaseException as error:  # code of the application: where it fails, nobody said yes
            if is_cancellation(error):
                raise
            log.exception("the function that approves calls raised")
            return f"the application could not be asked: {type(error).__name__} was raised"
        return "yes" if said else "the application did not approve it"


def speaker(entry: InboxEntry) -> str:
    """Who speaks in a group. Names are chosen freely; a part of the person's id keeps two of them apart."""
    group = entry.message.conversation.kind == "group"
    return f"{plain(entry.message.sender.name) or 'user'}_{entry.person[-4:]}" if group else ""


def _emitter(job: Job, adapter: Adapter | None) -> Emit:
    async def emit(event: TurnEvent) -> None:
        job.tell(event)
        if adapter is not None:
            await _show(job, adapter, event)

    return emit


async def _show(job: Job, adapter: Adapter, event: TurnEvent) -> None:
    if not adapter.channel.streams:
        return
    try:
        where = job.entry.message.conversation
        await adapter.show(where, in_sight(event, audience(where, user(job.entry.person))))
    except BaseException as error:  # what is shown while a turn runs may get lost, never the turn
        if is_cancellation(error):
            raise
        log.warning("channel %s could not show an event: %s", adapter.channel.name, error)


def _ended(record: Record, reply: Reply) -> Record:
    """A record of the end of a turn, with *reply* as how it ended."""
    if isinstance(record, TurnEntry):
        return msgspec.structs.replace(record, status=reply.status)
    if isinstance(record, StepEntry) and isinstance(record.step, Ended):
        short = msgspec.structs.replace(record.step.reply, status=reply.status, error=reply.error)
        return msgspec.structs.replace(record, step=Ended(short))
    return record
