"""Asks a model: choice, payment, streaming, fallback. One step of a turn."""

from __future__ import annotations

import logging
from contextlib import aclosing

from gitu_core.contracts.ports import Budget, Clock, Hooks, Models, UsageEntry
from gitu_core.errors import (
    Cancelled,
    Denied,
    GituError,
    LimitReached,
    NoModel,
    StreamBroken,
)  # fmt: skip
from gitu_core.model import (
    UNLABELLED,
    AnswerDelta,
    Candidate,
    ModelChosen,
    ModelMessage,
    ModelRequest,
    RouteTask,
    ToolSpec,
    Usage,
)  # fmt: skip
from gitu_core.model.measure import text_tokens, tokens_of
from gitu_core.model.prices import worst_cost
from gitu_core.model.steps import ModelAnswered, ModelAsked, ModelFailed
from gitu_core.runtime.assemble import Assembler
from gitu_core.runtime.context import fit, system_message
from gitu_core.runtime.failures import error_info
from gitu_core.runtime.turn import Turn
from gitu_core.telemetry import span

log = logging.getLogger("gitu.runtime")

FINAL = (LimitReached, Denied, Cancelled)
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
        candidates = await self._models.plan(task, profile.models, turn.work.person, exact=profile.exact)
        last: GituError | None = None
        for candidate in candidates:
            try:
                request = self._request(turn, candidate, system, tools, left)
                await self._try(turn, candidate, request, last)
            except FINAL:
                raise
            except GituError as error:
                last = error
                log.info("%s failed with %s; trying the next", candidate.model, error.code)
            else:
                return
        raise last or NoModel("no model can answer", hint="run: gitu doctor")

    def _request(
        self, turn: Turn, candidate: Candidate, system: ModelMessage, tools: tuple[ToolSpec, ...], left: int
    ) -> ModelRequest:
        info, work = candidate.info, turn.work
        output = min(left, info.max_output)
        room = info.window - min(output, info.window // 2) - tokens_of((), tools)
        messages = fit(system, turn.history, (work.ask, *turn.state.messages), room)
        return ModelRequest(
            candidate.model.partition("/")[2],
            messages,
            tools,
            output_schema=work.schema,
            max_tokens=min(output, max(256, info.window - tokens_of(messages, tools))),
            temperature=work.profile.temperature,
            credential=candidate.credential,
        )

    async def _try(self, turn: Turn, candidate: Candidate, request: ModelRequest, last: GituError | None) -> None:
        info = turn.work.info
        if self._hooks.wants("gitu_filter_request"):
            request = await self._hooks.filter("gitu_filter_request", turn=info, request=request)
        estimate = worst_cost(candidate.info, tokens_of(request.messages, request.tools), request.max_tokens or 0)
        ticket = self._budget.reserve(info, estimate)
        try:
            turn.note(ModelAsked(candidate.model, candidate.credential, estimate))
            await turn.work.emit(ModelChosen(candidate.model, str(last.details.get("model", "")) if last else ""))
            await self._stream(turn, candidate, request, ticket)
        except GituError as error:
            error.details.setdefault("model", candidate.model)
            self._models.report(candidate, error)
            turn.note(ModelFailed(candidate.model, error_info(error)))
            raise
        finally:
            self._budget.release(ticket)  # does nothing when it was settled

    async def _stream(self, turn: Turn, candidate: Candidate, request: ModelRequest, ticket: str) -> None:
        work, began, parts = turn.work, self._clock.monotonic(), Assembler()
        emitted = False
        try:
            with span("chat", gen_ai__operation__name="chat", gen_ai__request__model=candidate.model):
                async with aclosing(self._models.stream(candidate, request)) as events:  # type: ignore[type-var]
                    async for event in events:
                        words = parts.take(event)
                        if words and work.schema is None:
                            await work.emit(AnswerDelta(words, reset=turn.shown and not emitted))
                            emitted = turn.shown = True
            if parts.finish is None:
                raise StreamBroken(f"{candidate.model} stopped before its answer was complete", hint="ask again")
        except BaseException:
            # Cancellation too: what was read so far has to be paid for.
            self._charge_partial(ticket, candidate, request, parts)
            raise
        message = parts.message(self._clock.new_id(), turn.state.label)
        usage, seconds = parts.finish.usage, self._clock.monotonic() - began
        self._budget.settle(ticket, usage)
        self._models.report(candidate, None)
        info = work.info
        step = ModelAnswered(message, usage, candidate.model, parts.finish.reason, seconds)
        entry = UsageEntry(
            self._clock.new_id(),
            work.person,
            info.session,
            info.id,
            candidate.model,
            candidate.owner,
            usage,
            self._clock.now(),
        )
        turn.note(step, entry)
        if self._hooks.wants("gitu_model_called"):
            await self._hooks.observe(
                "gitu_model_called", turn=info, model=candidate.model, usage=usage, seconds=seconds
            )
        if not message.parts and not message.calls and parts.finish.reason == "length":
            raise LimitReached("the model used up its tokens before it said anything", limit="output",
                               hint="raise profiles.<name>.limits.output_tokens")  # fmt: skip

    def _charge_partial(self, ticket: str, candidate: Candidate, request: ModelRequest, parts: Assembler) -> None:
        """A stream that broke midway was begun: its input and what it wrote are charged by estimate."""
        message = parts.message("partial", UNLABELLED)
        if not message.parts and not message.calls:
            return
        price = candidate.info
        read, wrote = tokens_of(request.messages, request.tools), text_tokens(message.text)
        cost = read * (price.input_price or 0) + wrote * (price.output_price or 0)
        self._budget.settle(ticket, Usage(read, wrote, cost=cost))


def _needs(turn: Turn, tools: tuple[ToolSpec, ...]) -> frozenset[str]:
    needs = {"text"}
    if tools:
        needs.add("tools")
    if turn.work.schema is not None:
        needs.add("structured")
    if any(getattr(part, "kind", "") == "image" for part in turn.work.ask.parts):
        needs.add("images")
    return frozenset(needs)
