"""The turn: from a message to a reply, one step after the other, each recorded before it counts."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import anyio
import msgspec

from gitu_core.config import Limits
from gitu_core.contracts.authority import Grants, Policy
from gitu_core.contracts.budgets import Budget
from gitu_core.contracts.ports import Clock, HistoryEntry, Hooks, Models, Outcome, Record, Records, TurnEntry
from gitu_core.errors import Cancelled, GituError, LimitReached, ModelError, StoreError
from gitu_core.failpoints import hit
from gitu_core.isolation import is_cancellation
from gitu_core.model.chat import ModelMessage, Usage, user_message
from gitu_core.model.label import by_system, join_all
from gitu_core.model.measure import tokens_of
from gitu_core.model.message import Text
from gitu_core.model.steps import STEPS_VERSION, Begun, Ended, ModelFailed, Noted, Parked, Resumed, Step
from gitu_core.model.tooling import ToolCall, ToolResult
from gitu_core.model.turn import Reply, TurnInfo
from gitu_core.runtime.calls import NO_USAGE, WAITS, Caller, close_open
from gitu_core.runtime.consent import Approve, Consent
from gitu_core.runtime.failures import error_info, main_cause
from gitu_core.runtime.fold import TurnState, fold
from gitu_core.runtime.handles import LOOK, on, quarantined, question
from gitu_core.runtime.model_step import Asker
from gitu_core.runtime.readers import may_say, reader_of, taken_in
from gitu_core.runtime.structured import read_data
from gitu_core.runtime.toolbox import DELEGATE, Plugins, Toolbox
from gitu_core.runtime.turn import Turn
from gitu_core.runtime.work import Profiles, Work
from gitu_core.telemetry import span

log = logging.getLogger("gitu.runtime")

MAX_DEPTH = 4
"""How many profiles may call each other in a row."""

CORRECTIONS = 2
"""How often a model may correct an answer that does not fit its schema."""


class Runtime:
    """Runs turns. Everything it needs is handed in; it knows no plugin and no database."""

    def __init__(
        self, *, records: Records, registry: Plugins, hooks: Hooks, models: Models, policy: Policy, grants: Grants,
        budget: Budget, clock: Clock, profiles: Profiles, approve: Approve, hold: Callable[[], Awaitable[None]],
    ) -> None:  # fmt: skip
        self._records = records
        self._hooks = hooks
        self._budget = budget
        self._clock = clock
        self._profiles = profiles
        self._toolbox = Toolbox(registry, profiles)
        self._asker = Asker(models, budget, hooks, clock)
        self._consent = Consent(clock, approve)
        self._caller = Caller(self._toolbox, hooks, policy, grants, clock, self._consent, self._delegate, hold)

    async def run(self, work: Work, steps: Sequence[Step] = ()) -> Outcome:
        """Runs a turn to its end or until it has to wait, from the start or from the *steps* it already has.

        A failure is a reply with its error. Cancellation is raised on, after `cancelled` was made of the turn.
        """
        state = fold(steps)
        if state.reply is not None:
            return Outcome(state.reply)
        history = taken_in(await self._history(work, state.seen if steps else None), work)
        turn = work.turn = Turn(work, state, history, self._clock, self._records, work.approvals)
        if steps:
            await self._resume(turn)
        else:
            label = join_all((by_system(), work.ask.label, *[message.label for message in history]))
            begun = Begun(work.info, work.ask.id, label, STEPS_VERSION, history[-1].id if history else "")
            turn.note(begun, TurnEntry(work.info, work.person, "running", turn.started_at))
            if self._hooks.wants("gitu_turn_started"):
                await self._hooks.observe("gitu_turn_started", turn=work.info)
        hit("turn.begun")
        with span("invoke_agent", gen_ai__operation__name="invoke_agent", gen_ai__agent__name=work.profile.name):
            reply = await self._bounded(turn, work.profile.limits)
        if self._hooks.wants("gitu_filter_outgoing") or self._hooks.wants("gitu_guard_outgoing"):
            await turn.save()
        work.turn = turn.evidence = None  # each holds the other, and with it all that the turn had in hand
        return self._outcome(turn, reply)

    async def _history(self, work: Work, seen: str | None) -> list[ModelMessage]:
        """What the session said before the turn; for one that goes on, up to the message with the id *seen*."""
        if work.depth or seen == "":
            return []
        session, tokens = work.info.session, work.profile.limits.context_tokens
        if seen is None:
            return [entry.message for entry in await self._records.history(session, tokens)]
        most = 1_000
        while True:
            found = [entry.message for entry in await self._records.history(session, 1 << 40, most)]
            last = next((n for n, message in enumerate(found) if message.id == seen), -1)
            if last >= 0 or len(found) < most:
                return found[max(0, last - 500) : last + 1]
            most *= 10

    async def _resume(self, turn: Turn) -> None:
        """Goes on with a turn that waited or was cut off. A model that was asked then has to be paid, and asked again:
        its answer went with the process."""
        hit("resume.before")
        state, asked = turn.state, turn.state.in_flight
        await self._remember(turn, state, turn.work.info.id)
        if asked is None:
            self._budget.resume(turn.work.info, state.usage.cost)
        else:
            lost = error_info(Cancelled("the process ended before the model had answered", hint="it is asked again"))
            usage = Usage(cost=asked.estimate or 0)
            owner = "personal" if asked.credential.startswith("personal:") else "platform"
            used = turn.used(asked.model, owner, usage)
            spent = (state.usage + usage).cost
            turn.note(ModelFailed(asked.model, lost, usage), used, *self._budget.resume(turn.work.info, spent, used.id))
        if turn.work.worker is not None:
            turn.note(Resumed(turn.work.worker))

    async def _remember(self, turn: Turn, state: TurnState, id: str) -> None:
        """What delegates did before the turn waited or was cut off."""
        for call in state.calls:
            if call.tool.startswith(DELEGATE) and call.id in state.results:
                steps = await self._records.steps(f"{id}.{call.id}")
                turn.all.append(inner := fold([entry.step for entry in steps]))
                await self._remember(turn, inner, f"{id}.{call.id}")

    async def _bounded(self, turn: Turn, limits: Limits) -> Reply:
        try:
            scope, ends = turn.work.scope, anyio.current_time() + limits.seconds
            scope.deadline = ends
            with scope:
                return await self._loop(turn)
            if anyio.current_time() < ends:
                return self._reply(turn, "cancelled")
            raise LimitReached(f"the turn took longer than {limits.seconds:g} s", limit="time",
                               hint="ask for less, or raise profiles.<name>.limits.seconds")  # fmt: skip
        except BaseException as error:  # a defect in a place that nobody foresaw must not lose the turn
            if is_cancellation(error):
                raise
            cause = main_cause(error)
            if isinstance(cause, StoreError):
                raise cause from None  # what cannot be recorded has not happened: the turn goes on when it can be
            if not isinstance(cause, GituError):
                log.error("turn %s failed unexpectedly", turn.work.info.id, exc_info=cause)
            return self._reply(turn, "failed", cause)
        finally:
            self._budget.close(turn.work.info.id)

    async def _loop(self, turn: Turn) -> Reply:
        state, profile = turn.state, turn.work.profile
        tools = self._toolbox.specs(profile, turn.work.tools)
        corrections = 0
        while True:
            answer = state.answer
            if answer is not None and not await may_say(self._consent, turn, answer):
                return self._waiting(turn)
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
                    turn.note(Noted(msgspec.structs.replace(note, id=turn.mint(), label=by_system())))
            if state.open:
                await self._caller.resolve(turn, tools)
                if state.open:
                    return self._waiting(turn)
                continue
            if (call := state.repeats(profile.limits.repeats)) is not None:
                message = f"{call.tool} gave the same result {profile.limits.repeats} times for the same arguments"
                raise LimitReached(message, hint="ask in another way, or raise profiles.<name>.limits.repeats",
                                   limit="loop", tool=call.tool)  # fmt: skip
            if state.asked >= profile.limits.steps:
                message = f"the turn asked a model {state.asked} times without coming to an answer"
                raise LimitReached(message, hint="ask for less, or raise profiles.<name>.limits.steps", limit="steps")
            await self._asker.ask(turn, tools)

    def _reply(self, turn: Turn, status: str, error: BaseException | None = None, data: object = None) -> Reply:
        state, info = turn.state, turn.work.info
        answer = state.answer if error is None else None
        if answer is not None and not answer.label.readable_by(reader_of(turn.work)) and not turn.work.depth:
            answer = None  # it waits for a yes, or nobody may say it
        # What was allowed to be said is not as private any more as what the turn knows.
        label = answer.label if answer is not None and not turn.work.depth else state.label
        return Reply(
            info.id, info.session, status, answer.parts if answer else (), data, tuple(state.calls),  # type: ignore[arg-type]
            tuple(state.results[call.id] for call in state.calls if call.id in state.results),
            state.usage, state.model, None if error is None else error_info(error), label,
            tuple(state.failures), state.degraded,
        )  # fmt: skip

    def _waiting(self, turn: Turn) -> Reply:
        """The reply of a turn that waits for a person: its questions."""
        asks = {each.id: each for each in (*turn.approvals.values(), *turn.asks) if each.state == "pending"}
        reply = self._reply(turn, "waiting")
        return msgspec.structs.replace(reply, parts=tuple(each.ask for each in asks.values()), error=turn.stuck)

    def _parked(self, turn: Turn, reply: Reply) -> Outcome:
        """The records that let a turn wait outside of memory. Later turns of the session see that it waits."""
        work, now, first = turn.work, self._clock.now(), not turn.state.parked
        records: list[Record] = [*turn.noted(), *turn.asks]
        if work.depth == 0 and first:
            # What is behind a handle stands in the question, and is not to be read by the model later.
            about = ", ".join(call.tool for call in turn.state.open.values()) if on(turn) else ""
            note = ModelMessage("assistant", (Text(f"(I wait for an answer: {about or reply.text})"),), id=turn.mint(),
                                label=turn.state.label)  # fmt: skip
            records += self._kept(turn, [work.ask, note], now)
        records.append(turn.entry(Parked(tuple(turn.state.open), turn.state.label)))
        records.append(TurnEntry(work.info, work.person, "waiting", turn.started_at, begun=True))
        return Outcome(reply, tuple(records), tuple(turn.asks))

    def _kept(self, turn: Turn, messages: Sequence[ModelMessage], now: float) -> list[Record]:
        info, person = turn.work.info, turn.work.person
        return [
            HistoryEntry(info.session, person, message, tokens_of((message,)), now, info.id) for message in messages
        ]

    def _outcome(self, turn: Turn, reply: Reply) -> Outcome:
        """The records that end the turn, or let it wait, to be committed together with what follows from it."""
        if reply.status == "waiting":
            return self._parked(turn, reply)
        work, now = turn.work, self._clock.now()
        close_open(turn)
        state = turn.state
        results = tuple(state.results[call.id] for call in state.calls if call.id in state.results)
        label = reply.label if reply.status == "ok" else state.label
        reply = msgspec.structs.replace(reply, results=results, label=label)
        short = msgspec.structs.replace(reply, calls=(), results=(), data=None)
        records: list[Record] = turn.noted()
        if work.depth == 0:
            ask = work.ask
            if state.parked:  # the question itself is in the history since the turn began to wait
                ask = ModelMessage("user", (Text("(Go on with what waited for my answer.)"),), id=turn.mint(),
                                   label=by_system())  # fmt: skip
            records += self._kept(turn, [ask, *_complete(state.messages)], now)
        begun = state.info is not None
        end = TurnEntry(work.info, work.person, reply.status, turn.started_at, now, begun=begun)
        return Outcome(reply, (*records, turn.entry(Ended(short)), end))

    def cancelled(self, work: Work) -> Outcome:
        """The end of a turn that somebody stopped: its question stays in the history, and whatever it did."""
        turn = work.turn or Turn(work, TurnState(label=work.ask.label), [], self._clock, self._records)
        return self._outcome(turn, self._reply(turn, "cancelled"))

    async def _delegate(self, outer: Turn, name: str, call: ToolCall) -> tuple[ToolResult, Usage]:
        """Runs another profile on a task, on the envelope of the turn that asked for it; `WAITS` where it waits."""
        work, looks = outer.work, name == LOOK
        profile = quarantined(work.profile) if looks else self._profiles(name)
        path = (*work.path, work.profile.name)
        if work.depth + 1 >= MAX_DEPTH or name in path:
            raise LimitReached(f"profile {name} would call itself, or too many call each other", limit="depth",
                               hint="answer without it")  # fmt: skip
        left = max(1, work.profile.limits.output_tokens - outer.state.usage.output_tokens)
        limits = msgspec.structs.replace(profile.limits, output_tokens=min(profile.limits.output_tokens, left))
        profile = msgspec.structs.replace(profile, limits=limits)
        id, where = f"{work.info.id}.{call.id}", work.info
        info = TurnInfo(id, where.session, call.id, where.principal, profile.name, where.channel, where.plugin,
                        where.job)  # fmt: skip
        task = Text(str(call.arguments.get("task", "")))
        ask, schema, check = ModelMessage("user", (task,), id=f"{call.id}.task", label=call.label), None, None
        if looks:
            ask, schema, check = question(call)
        inner = Work(
            info, work.person, ask, profile, work.conversation, schema=schema, check=check, deps=work.deps,
            depth=work.depth + 1, path=path, outer=outer, parks=work.parks, approvals=work.approvals,
            worker=work.worker, again=work.again, kept=work.kept, root=work.root, message=work.message,
        )  # fmt: skip
        outcome = await self._run_inner(inner)
        reply = outcome.reply
        if reply.status == "waiting":
            outer.asks += outcome.asks
            outer.state.label = outer.state.label.join(reply.label)  # the questions tell what was read inside
            outer.stuck = outer.stuck or reply.error
            return WAITS, NO_USAGE
        status: Any = "ok" if reply.error is None else "error"
        said: Any = reply.text or None
        if schema is not None and reply.error is None:
            said = read_data(reply.text, schema, check)
        return ToolResult(status, said, error=reply.error, label=reply.label), reply.usage

    async def _run_inner(self, work: Work) -> Outcome:
        """Runs a turn inside another one; what it recorded is kept, however it ends."""
        steps = [entry.step for entry in await self._records.steps(work.info.id)] if work.again else []
        try:
            outcome = await self.run(work, steps)
        except StoreError:  # both go on when they can be recorded
            raise
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
