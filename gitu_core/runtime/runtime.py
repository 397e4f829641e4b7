"""The turn: from a message to a reply, one step after the other, each recorded before it counts."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

import anyio
import msgspec

from gitu_core.config import Limits
from gitu_core.contracts.ports import (
    Budget,
    Clock,
    HistoryEntry,
    Hooks,
    Models,
    Policy,
    Record,
    Records,
    TurnEntry,
)  # fmt: skip
from gitu_core.errors import GituError, LimitReached, ModelError
from gitu_core.isolation import is_cancellation
from gitu_core.model import (
    ModelMessage,
    Reply,
    Text,
    ToolCall,
    ToolResult,
    TurnInfo,
    Usage,
    by_system,
    join_all,
    user_message,
)  # fmt: skip
from gitu_core.model.measure import tokens_of
from gitu_core.model.steps import Begun, Ended, Noted, Step
from gitu_core.runtime.calls import Approve, Caller, close_open
from gitu_core.runtime.failures import error_info, main_cause
from gitu_core.runtime.fold import TurnState, fold
from gitu_core.runtime.model_step import Asker
from gitu_core.runtime.structured import read_data
from gitu_core.runtime.toolbox import Plugins, Toolbox
from gitu_core.runtime.turn import Turn
from gitu_core.runtime.work import Outcome, Profiles, Work
from gitu_core.telemetry import span

log = logging.getLogger("gitu.runtime")

MAX_DEPTH = 4
"""How many profiles may call each other in a row."""

CORRECTIONS = 2
"""How often a model may correct an answer that does not fit its schema."""


class Runtime:
    """Runs turns. Everything it needs is handed in; it knows no plugin and no database."""

    def __init__(
        self, *, records: Records, registry: Plugins, hooks: Hooks, models: Models, policy: Policy, budget: Budget,
        clock: Clock, profiles: Profiles, approve: Approve,
    ) -> None:  # fmt: skip
        self._records = records
        self._hooks = hooks
        self._budget = budget
        self._clock = clock
        self._profiles = profiles
        self._toolbox = Toolbox(registry, profiles)
        self._asker = Asker(models, budget, hooks, clock)
        self._caller = Caller(self._toolbox, hooks, policy, clock, approve, self._delegate)

    async def run(self, work: Work, steps: Sequence[Step] = ()) -> Outcome:
        """Runs a turn to its end, from the start or from the *steps* it already has.

        A failure is a reply with its error. Cancellation is raised on, after `cancelled` was made of the turn.
        """
        limits = work.profile.limits
        history = [
            entry.message for entry in await self._records.history(work.info.session, limits.context_tokens)
        ] if work.depth == 0 else []  # fmt: skip
        turn = work.turn = Turn(work, fold(steps), history, self._clock, self._records)
        if not steps:
            label = join_all((by_system(), work.ask.label, *(message.label for message in history)))
            info = work.info
            self._records.post(
                TurnEntry(info, work.person, "running", self._clock.now()), turn.entry(Begun(info, work.ask.id, label))
            )
            if self._hooks.wants("gitu_turn_started"):
                await self._hooks.observe("gitu_turn_started", turn=info)
        with span("invoke_agent", gen_ai__operation__name="invoke_agent", gen_ai__agent__name=work.profile.name):
            reply = await self._bounded(turn, limits)
        return self._outcome(turn, reply)

    async def _bounded(self, turn: Turn, limits: Limits) -> Reply:
        try:
            with anyio.move_on_after(limits.seconds):
                return await self._loop(turn)
            raise LimitReached(f"the turn took longer than {limits.seconds:g} s", limit="time",
                               hint="ask for less, or raise profiles.<name>.limits.seconds")  # fmt: skip
        except BaseException as error:  # a defect in a place that nobody foresaw must not lose the turn
            if is_cancellation(error):
                raise
            cause = main_cause(error)
            if not isinstance(cause, GituError):
                log.error("turn %s failed unexpectedly", turn.work.info.id, exc_info=cause)
            return self._reply(turn, "failed", cause)
        finally:
            with anyio.CancelScope(shield=True):
                await self._budget.close(turn.work.info.id)

    async def _loop(self, turn: Turn) -> Reply:
        state, profile = turn.state, turn.work.profile
        tools = self._toolbox.specs(profile)
        corrections = 0
        while True:
            answer = state.answer
            if answer is not None and turn.work.schema is None:
                return self._reply(turn, "ok")
            if answer is not None and turn.work.schema is not None:
                try:
                    return self._reply(turn, "ok", data=read_data(answer.text, turn.work.schema, turn.work.check))
                except ModelError as error:
                    corrections += 1
                    if corrections > CORRECTIONS:
                        raise
                    note = user_message(f"{error.message}. Answer again with JSON that fits the schema, nothing else.")
                    turn.note(Noted(msgspec.structs.replace(note, id=self._clock.new_id(), label=by_system())))
            if state.open:
                await self._caller.resolve(turn, tools)
                continue
            if state.asked >= profile.limits.steps:
                message = f"the turn asked a model {state.asked} times without coming to an answer"
                raise LimitReached(message, hint="ask for less, or raise profiles.<name>.limits.steps", limit="steps")
            await self._asker.ask(turn, tools)

    def _reply(self, turn: Turn, status: str, error: BaseException | None = None, data: object = None) -> Reply:
        state, info = turn.state, turn.work.info
        answer = state.answer if error is None else None
        return Reply(
            info.id, info.session, status, answer.parts if answer else (), data, tuple(state.calls),  # type: ignore[arg-type]
            tuple(state.results[call.id] for call in state.calls if call.id in state.results),
            state.usage, state.model, None if error is None else error_info(error), state.label,
            tuple(state.failures), state.degraded,
        )  # fmt: skip

    def _outcome(self, turn: Turn, reply: Reply) -> Outcome:
        """The records that end the turn, to be committed together with what follows from it."""
        work, now = turn.work, self._clock.now()
        close_open(turn)
        state = turn.state
        results = tuple(state.results[call.id] for call in state.calls if call.id in state.results)
        reply = msgspec.structs.replace(reply, results=results, label=state.label)
        short = msgspec.structs.replace(reply, calls=(), results=(), data=None)
        records: list[Record] = []
        if work.depth == 0:
            kept = [work.ask, *_complete(state.messages)]
            records += [
                HistoryEntry(work.info.session, work.person, message, tokens_of((message,)), now, work.info.id)
                for message in kept
            ]
        records += [turn.entry(Ended(short)), TurnEntry(work.info, work.person, reply.status, turn.started_at, now)]
        return Outcome(reply, tuple(records))

    def cancelled(self, work: Work) -> Outcome:
        """The end of a turn that somebody stopped: its question stays in the history, and whatever it did."""
        turn = work.turn or Turn(work, TurnState(label=work.ask.label), [], self._clock, self._records)
        return self._outcome(turn, self._reply(turn, "cancelled"))

    async def _delegate(self, outer: Turn, name: str, call: ToolCall) -> tuple[ToolResult, Usage]:
        """Runs another profile on a task, on the envelope of the turn that asked for it."""
        work, profile = outer.work, self._profiles(name)
        path = (*work.path, work.profile.name)
        if work.depth + 1 >= MAX_DEPTH or name in path:
            raise LimitReached(f"profile {name} would call itself, or too many call each other", limit="depth",
                               hint="answer without it")  # fmt: skip
        left = max(1, work.profile.limits.output_tokens - outer.state.usage.output_tokens)
        limits = msgspec.structs.replace(profile.limits, output_tokens=min(profile.limits.output_tokens, left))
        profile = msgspec.structs.replace(profile, limits=limits)
        info = TurnInfo(
            f"{work.info.id}.{call.id}", work.info.session, call.id, work.info.principal, name, work.info.channel
        )
        ask = ModelMessage("user", (Text(str(call.arguments.get("task", ""))),), id=f"{call.id}.task", label=call.label)
        inner = Work(
            info, work.person, ask, profile, work.conversation, deps=work.deps, depth=work.depth + 1, path=path
        )
        reply = (await self._run_inner(inner)).reply
        status: Any = "ok" if reply.error is None else "error"
        return ToolResult(status, reply.text or None, error=reply.error, label=reply.label), reply.usage

    async def _run_inner(self, work: Work) -> Outcome:
        """Runs a turn inside another one; what it recorded is kept, however it ends."""
        try:
            outcome = await self.run(work)
        except BaseException:  # the outer turn was stopped: the inner one ends with it
            self._records.post(*self.cancelled(work).records)
            raise
        self._records.post(*outcome.records)
        return outcome


def _complete(messages: Sequence[ModelMessage]) -> list[ModelMessage]:
    """The messages up to the last one whose calls all have results: a history must never hold half an exchange."""
    open_calls: set[str] = set()
    complete = 0
    for number, message in enumerate(messages, 1):
        open_calls.update(call.id for call in message.calls)
        open_calls.discard(message.call_id)
        if not open_calls:
            complete = number
    return list(messages[:complete])
