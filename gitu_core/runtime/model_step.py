"""Asks a model: choice, payment, streaming, fallback. One step of a turn."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Sequence
from contextlib import aclosing, suppress
from hashlib import blake2b

import msgspec

from gitu_core.contracts.budgets import Budget, Ticket
from gitu_core.contracts.ports import Clock, Hooks, Models
from gitu_core.errors import Cancelled, Denied, GituError, LimitReached, NoModel, StoreError, StreamBroken
from gitu_core.failpoints import hit
from gitu_core.model.chat import Candidate, ModelMessage, ModelRequest, RouteTask, Usage
from gitu_core.model.label import join_all
from gitu_core.model.measure import BYTES_A_TOKEN, tokens_of
from gitu_core.model.prices import cost_of, worst_case, worst_cost
from gitu_core.model.spec import ToolSpec
from gitu_core.model.steps import ModelAnswered, ModelAsked, ModelFailed
from gitu_core.model.turn import AnswerDelta, ModelChosen
from gitu_core.runtime.assemble import Assembler
from gitu_core.runtime.context import fit, system_message
from gitu_core.runtime.failures import error_info
from gitu_core.runtime.readers import reader_of
from gitu_core.runtime.turn import Turn
from gitu_core.telemetry import span

log = logging.getLogger("gitu.runtime")

FINAL = (LimitReached, Denied, Cancelled, StoreError)
"""Failures that no other model would mend."""


class Asker:
    """Asks models on behalf of turns."""

    def __init__(self, models: Models, budget: Budget, hooks: Hooks, clock: Clock) -> None:
        self._models = models
        self._budget = budget
        self._hooks = hooks
        self._clock = clock

    async def ask(self, turn: Turn, tools: tuple[ToolSpec, ...]) -> None:
        """Adds a model's answer to the turn. Tries every candidate in order; raises the last failure."""
        profile = turn.work.profile
        left = profile.limits.output_tokens - turn.state.usage.output_tokens
        if left <= 0:
            raise LimitReached(f"the turn wrote its {profile.limits.output_tokens} tokens", limit="output",
                               hint="raise profiles.<name>.limits.output_tokens, or ask for less")  # fmt: skip
        system = system_message(profile.instructions)
        minimum = tokens_of((system, *turn.state.messages), tools) + tokens_of((turn.work.ask,))
        task = RouteTask(
            input_tokens=minimum, output_tokens=left, needs=_needs(turn, tools), prefer=profile.prefer, max_cost=None
        )
        candidates = deque(await self._models.plan(task, profile.models, turn.work.person, exact=profile.exact))
        last: GituError | None = None
        while candidates:
            candidate = candidates.popleft()
            try:
                request = self._request(turn, candidate, system, tools, left)
                await self._try(turn, candidate, request, last)
            except FINAL as error:
                if error.details.get("then") != "cheaper" or profile.exact:
                    raise
                if last is None or "then" not in last.details:
                    candidates = deque(await self._cheaper(turn, task, candidate, error))
                last = error
                log.info("%s: %s", candidate.model, error.message)
            except GituError as error:
                last = error
                log.info("%s failed with %s; trying the next", candidate.model, error.code)
            else:
                return
        raise last or NoModel("no model can answer", hint="run: gitu doctor")

    async def _cheaper(self, turn: Turn, task: RouteTask, refused: Candidate, error: GituError) -> Sequence[Candidate]:
        """The models to ask in place of one that an envelope cannot bear: those that cost less and fit into what is
        left of it, of the profile and then of the same provider."""
        cheap = msgspec.structs.replace(task, prefer="cost", max_cost=error.details.get("left"))
        found, most = dict[str, Candidate](), refused.estimate
        for names in (turn.work.profile.models, (refused.model.partition("/")[0],)):
            with suppress(GituError):
                for each in await self._models.plan(cheap, names, turn.work.person):
                    found.setdefault(each.model, each)
        return [each for each in found.values() if most is None or each.estimate is None or each.estimate < most]

    def _request(
        self, turn: Turn, candidate: Candidate, system: ModelMessage, tools: tuple[ToolSpec, ...], left: int
    ) -> ModelRequest:
        info, work = candidate.info, turn.work
        output = min(left, info.max_output)
        room = info.window - min(output, info.window // 2) - tokens_of((), tools)
        messages = fit(system, turn.history, (work.ask, *turn.state.messages), room)
        return ModelRequest(
            candidate.model.partition("/")[2], messages, tools, output_schema=work.schema,
            max_tokens=min(output, max(256, info.window - tokens_of(messages, tools))),
            temperature=work.profile.temperature, credential=candidate.credential,
        )  # fmt: skip

    async def _try(self, turn: Turn, candidate: Candidate, request: ModelRequest, last: GituError | None) -> None:
        info, label, filtered = turn.work.info, turn.state.label, None
        if self._hooks.wants("gitu_filter_request"):
            before, request = request, await self._hooks.filter("gitu_filter_request", turn=info, request=request)
            filtered = filtered_by(before, request)
            # Whatever the model is about to read influences the turn, a filter's additions included.
            label = join_all(message.label for message in request.messages)
        size = candidate.info, tokens_of(request.messages, request.tools), request.max_tokens or 0
        estimate, parts = worst_cost(*size), Assembler()
        ticket = await self._budget.reserve(info, turn.bill(candidate, worst_case(*size), estimate is not None))
        try:
            # On disk before it is asked: a crash from here on costs this call, and none that came before it.
            digest = digest_of(candidate, request)
            asked = ModelAsked(candidate.model, candidate.credential, estimate, digest, label, filtered)
            self._budget.admit(ticket, await turn.commit(asked, hold=ticket.hold))
            hit("model.before")
            await turn.work.emit(ModelChosen(candidate.model, str(last.details.get("model", "")) if last else ""))
            began = self._clock.monotonic()
            await self._read(turn, candidate, request, parts)
            await self._answered(turn, candidate, parts, ticket, self._clock.monotonic() - began)
        except BaseException as error:  # cancellation too: what was read so far has to be paid for
            await self._failed(turn, candidate, request, parts, ticket, error)
            raise
        finally:
            self._budget.release(ticket)  # does nothing when it was settled

    async def _read(self, turn: Turn, candidate: Candidate, request: ModelRequest, parts: Assembler) -> None:
        """Reads the whole stream, and shows its words as they come."""
        # What may have to be held back is not shown in part either.
        emitted, sayable = False, turn.state.label.readable_by(reader_of(turn.work))
        with span("chat", gen_ai__operation__name="chat", gen_ai__request__model=candidate.model):
            async with aclosing(self._models.stream(candidate, request)) as events:  # type: ignore[type-var]
                async for event in events:
                    words = parts.take(event)
                    if words and turn.work.schema is None and sayable:
                        await turn.work.emit(AnswerDelta(words, reset=turn.shown and not emitted))
                        emitted = turn.shown = True
        if parts.finish is None:
            raise StreamBroken(f"{candidate.model} stopped before its answer was complete", hint="ask again")

    async def _answered(
        self, turn: Turn, candidate: Candidate, parts: Assembler, ticket: Ticket, seconds: float
    ) -> None:
        assert parts.finish is not None
        usage, info = parts.finish.usage, turn.work.info
        hit("model.after")
        message = parts.message(turn.mint(), turn.state.label)
        reason, last_resort = parts.finish.reason, candidate.last_resort
        step = ModelAnswered(message, usage, candidate.model, reason, seconds, last_resort=last_resort)
        used = turn.used(candidate.model, candidate.owner, usage, ticket.at)
        turn.note(step, used, *self._budget.settle(ticket, usage))
        self._models.report(candidate, None)
        if self._hooks.wants("gitu_model_called"):
            await turn.save()
            told = {"model": candidate.model, "usage": usage, "seconds": seconds}
            await self._hooks.observe("gitu_model_called", turn=info, **told)
        if not message.parts and not message.calls and reason == "length":
            raise LimitReached("the model used up its tokens before it said anything", limit="output",
                               hint="raise profiles.<name>.limits.output_tokens")  # fmt: skip

    async def _failed(
        self, turn: Turn, candidate: Candidate, request: ModelRequest, parts: Assembler, ticket: Ticket,
        error: BaseException,
    ) -> None:  # fmt: skip
        """Pays for what was read before it went wrong, by estimate, cancelled or not; tells routing what went wrong."""
        if turn.state.in_flight is None:
            return  # the answer was complete, or never asked for: what went wrong is another matter
        usage = partial_usage(candidate, request, parts)
        if isinstance(error, GituError):
            error.details.setdefault("model", candidate.model)
        # One that was cut off is no failure, but a probe that ends so decides nothing either.
        self._models.report(candidate, error if isinstance(error, GituError) else Cancelled("it was cut off"))
        more = (turn.used(candidate.model, candidate.owner, usage, ticket.at),) if usage != Usage() else ()
        settled = self._budget.settle(ticket, usage)
        turn.note(ModelFailed(candidate.model, error_info(error), usage), *more, *settled)


def digest_of(candidate: Candidate, request: ModelRequest) -> str:
    """What tells one request from another, without what stands in it: a replay notices a context that differs."""
    names = [candidate.model, *[message.id for message in request.messages], *[tool.name for tool in request.tools]]
    return blake2b("\n".join(names).encode("utf-8", "replace"), digest_size=8).hexdigest()


def filtered_by(before: ModelRequest, request: ModelRequest) -> ModelRequest | None:
    """What filters made of a request, as the journal keeps it: a replay has no filters and needs their additions."""
    if request == before:
        return None
    known = {message.id: message for message in before.messages}
    messages = (ModelMessage(m.role, id=m.id) if known.get(m.id) == m else m for m in request.messages)
    tools = (ToolSpec(tool.name, "") if tool in before.tools else tool for tool in request.tools)
    return msgspec.structs.replace(request, messages=tuple(messages), tools=tuple(tools))


def partial_usage(candidate: Candidate, request: ModelRequest, parts: Assembler) -> Usage:
    """What a stream that broke off used, by estimate; nothing where it never began."""
    if not parts.begun:
        return Usage()
    usage = Usage(tokens_of(request.messages, request.tools), int(parts.size / BYTES_A_TOKEN) + 1)
    return msgspec.structs.replace(usage, cost=cost_of(candidate.info, usage))


def _needs(turn: Turn, tools: tuple[ToolSpec, ...]) -> frozenset[str]:
    images = any(getattr(part, "kind", "") == "image" for part in turn.work.ask.parts)
    needs = {"text": True, "tools": bool(tools), "structured": turn.work.schema is not None, "images": images}
    return frozenset(name for name, needed in needs.items() if needed)
