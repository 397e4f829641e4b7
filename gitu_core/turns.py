"""Runs the turns that the gateway asks for, and asks people about what needs their yes."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import anyio

from gitu_core.contracts import Adapter
from gitu_core.contracts.ports import Clock, Hooks, Verdict
from gitu_core.gateway import Gateway, Job
from gitu_core.isolation import is_cancellation
from gitu_core.model import (
    Ask,
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
from gitu_core.runtime import Emit, Outcome, Profiles, Runtime, Work, describe_call

log = logging.getLogger("gitu")

ANSWER_WITHIN = 300.0
"""Seconds that a question waits for its answer."""


class Turns:
    """The gateway's `TurnRunner`. `runtime` and `gateway` are set when both exist: each needs the other."""

    runtime: Runtime
    gateway: Gateway

    def __init__(self, hooks: Hooks, clock: Clock, profiles: Profiles, approver: Any) -> None:
        self._hooks = hooks
        self._clock = clock
        self._profiles = profiles
        self._approver = approver

    async def run(self, job: Job, adapter: Adapter | None) -> Outcome:
        """Runs the turn of a job; a stopped job gives a cancelled reply."""
        entry, options = job.entry, job.options
        profile = self._profiles(job.profile)
        conversation = entry.message.conversation
        info = TurnInfo(
            self._clock.new_id(), entry.session, job.id, user(entry.person), profile.name, conversation.channel
        )
        ask = ModelMessage("user", entry.message.parts, id=job.id, label=entry.message.label)
        emit = _emitter(job, adapter)
        work = Work(info, entry.person, ask, profile, conversation, emit, options.schema, options.check, options.deps)
        job.turn = info
        with anyio.CancelScope() as scope:
            job.scope = scope
            if job.stopped:
                return self.runtime.cancelled(work)
            return await self.runtime.run(work)
        return self.runtime.cancelled(work)

    async def finished(self, job: Job, adapter: Adapter | None, reply: Reply) -> None:
        """The answer was handed over; tells the channel and the observers."""
        if adapter is not None:
            await _emitter(job, adapter)(TurnFinished(reply))
        if self._hooks.wants("gitu_turn_finished"):
            await self._hooks.observe("gitu_turn_finished", turn=job.turn, reply=reply)

    async def approve(self, work: Work, call: ToolCall, tool: ToolSpec, verdict: Verdict) -> str:
        """Asks whoever can be asked: the embedder's function, else the person on the turn's own channel."""
        if self._approver is not None:
            said = self._approver(call, tool, verdict.reason)
            said = await said if hasattr(said, "__await__") else said
            return "yes" if said else "the application did not approve it"
        conversation = work.conversation
        adapter = self.gateway.adapters.get(conversation.channel) if conversation else None
        if conversation is None or adapter is None:
            return f"{verdict.reason}, and nobody can be asked here"
        question = f"May I use {tool.name}? {verdict.reason}."
        ask = Ask(self._clock.new_id(), question, ("yes", "no"), describe_call(call, tool))
        self.gateway.questions.open(ask.id, work.person, conversation, ask.choices)
        await adapter.send(Outgoing(ask.id, ask.id, conversation, (ask,), cause=work.info.id, label=call.label))
        choice = await self.gateway.questions.wait(ask.id, ANSWER_WITHIN)
        return choice if choice == "yes" else "the user said no" if choice else "nobody answered in time"


def _emitter(job: Job, adapter: Adapter | None) -> Emit:
    conversation, watch = job.entry.message.conversation, job.options.watch
    show: Callable[..., Any] | None = adapter.show if adapter is not None and adapter.channel.streams else None

    async def emit(event: TurnEvent) -> None:
        if watch is not None:
            watch(event)
        if show is not None:
            try:
                await show(conversation, event)
            except BaseException as error:  # what is shown while a turn runs may get lost, never the turn
                if is_cancellation(error):
                    raise
                log.warning("channel %s could not show an event: %s", conversation.channel, error)

    return emit
