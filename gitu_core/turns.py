"""Runs the turns that the gateway asks for, and asks people about what needs their yes."""

from __future__ import annotations

import logging
from typing import Any

import anyio
import msgspec

from gitu_core.contracts import Adapter
from gitu_core.contracts.ports import Clock, Hooks, Record, Records, StepEntry, TurnEntry, Verdict
from gitu_core.errors import ConfigError, Unknown
from gitu_core.gateway import Gateway, Job, Past, turns_of
from gitu_core.isolation import is_cancellation
from gitu_core.model import (
    Ask,
    ErrorInfo,
    ModelMessage,
    Outgoing,
    Reply,
    ToolCall,
    ToolSpec,
    TurnEvent,
    TurnFinished,
    TurnInfo,
    user,
)  # fmt: skip
from gitu_core.model.steps import Ended
from gitu_core.runtime import Emit, Outcome, Profiles, Runtime, Work, describe_call
from gitu_core.runtime.fold import fold
from gitu_core.runtime.turn import Turn

log = logging.getLogger("gitu")

ANSWER_WITHIN = 300.0
"""Seconds that a question waits for its answer."""

ATTEMPTS = 3
"""How often a turn is begun for one message. One that ended the process each time would do so for ever."""


class Turns:
    """The gateway's `TurnRunner`. `runtime` and `gateway` are set when both exist: each needs the other."""

    runtime: Runtime
    gateway: Gateway

    def __init__(self, hooks: Hooks, clock: Clock, profiles: Profiles, approver: Any, records: Records) -> None:
        self._hooks = hooks
        self._clock = clock
        self._profiles = profiles
        self._approver = approver
        self._records = records

    async def run(self, job: Job, adapter: Adapter | None) -> Outcome:
        """Runs the turn of a job; a stopped job gives a cancelled reply. Where an earlier run began with the job, its
        turn is run anew, unless something that acts was begun: that must not be done twice."""
        past = Past(await self._records.steps_under(turns_of(job.id)) if job.again else (), turns_of(job.id))
        if past.acted or past.attempts >= ATTEMPTS:
            return self._interrupted(job, past)
        work = self._work(job, past.attempts + 1, adapter)
        with anyio.CancelScope() as scope:
            job.scope = scope
            if job.stopped:
                return self.runtime.cancelled(work)
            outcome = await self.runtime.run(work)
            return Outcome(outcome.reply, (*past.closed(self._clock.now()), *outcome.records))
        return self.runtime.cancelled(work)

    def _work(self, job: Job, attempt: int, adapter: Adapter | None) -> Work:
        entry, options = job.entry, job.options
        conversation = entry.message.conversation
        profile = self._profiles(job.profile)
        # Its id follows from the message, so that whoever finds the message finds what was done about it.
        id = f"{turns_of(job.id)}{attempt}"
        info = job.turn = TurnInfo(id, entry.session, job.id, user(entry.person), profile.name, conversation.channel)
        ask = ModelMessage("user", entry.message.parts, id=job.id, label=entry.message.label)
        emit = _emitter(job, adapter)
        return Work(info, entry.person, ask, profile, conversation, emit, options.schema, options.check, options.deps)

    def _interrupted(self, job: Job, past: Past) -> Outcome:
        """The end of a turn that an earlier run left in the middle of something: what is known, and what is not."""
        try:
            work = self._work(job, past.attempts, None)
        except ConfigError:  # its profile is gone; its name is all that is needed here
            job.profile = "default"
            work = self._work(job, past.attempts, None)
        work.turn = Turn(work, fold(past.steps), [], self._clock, self._records)
        outcome = self.runtime.cancelled(work)
        hint = "look whether it was done, then ask again for what is missing" if past.acted else "ask in another way"
        error = ErrorInfo(Unknown.code, past.words(), hint)
        reply = msgspec.structs.replace(outcome.reply, status="failed", error=error)
        return Outcome(reply, tuple(_ended(record, reply) for record in outcome.records))

    async def finished(self, job: Job, adapter: Adapter | None, reply: Reply) -> None:
        """The answer was handed over; tells the channel and the observers."""
        if adapter is not None:
            await _show(job, adapter, TurnFinished(reply))
        if self._hooks.wants("gitu_turn_finished"):
            await self._hooks.observe("gitu_turn_finished", turn=job.turn, reply=reply)

    async def approve(self, work: Work, call: ToolCall, tool: ToolSpec, verdict: Verdict) -> str:
        """Asks whoever can be asked: the embedder's function, else the person on the turn's own channel."""
        if self._approver is not None:
            return await self._approved_by_app(call, tool, verdict)
        conversation = work.conversation
        adapter = self.gateway.adapters.get(conversation.channel) if conversation else None
        if conversation is None or adapter is None:
            return f"{verdict.reason}, and nobody can be asked here"
        question = f"May I use {tool.name}? {verdict.reason}."
        ask = Ask(self._clock.new_id(), question, ("yes", "no"), describe_call(call, tool))
        outgoing = Outgoing(ask.id, ask.id, conversation, (ask,), cause=work.info.id, label=call.label)
        self.gateway.questions.open(ask.id, work.person, conversation, ask.choices)
        try:
            delivery = await self.gateway.outbox.tell(adapter, outgoing)
            if delivery.state == "not_sent":
                why = f": {delivery.detail}" if delivery.detail else ""
                return f"{verdict.reason}, and the question could not be sent{why}"
            choice = await self.gateway.questions.wait(ask.id, ANSWER_WITHIN)
        finally:
            self.gateway.questions.close(ask.id)
        return choice if choice == "yes" else "the user said no" if choice else "nobody answered in time"

    async def _approved_by_app(self, call: ToolCall, tool: ToolSpec, verdict: Verdict) -> str:
        try:
            said = self._approver(call, tool, verdict.reason)
            said = await said if hasattr(said, "__await__") else said
        except BaseException as error:  # code of the application: where it fails, nobody said yes
            if is_cancellation(error):
                raise
            log.exception("the function that approves calls raised")
            return f"the application could not be asked: {type(error).__name__} was raised"
        return "yes" if said else "the application did not approve it"


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
        await adapter.show(job.entry.message.conversation, event)
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
