"""Models that give the answers that were recorded, as streams; and their failures, where they failed."""

from __future__ import annotations

import math
from collections.abc import AsyncIterator, Sequence
from typing import Any

import msgspec

from gitu_core.errors import GituError
from gitu_core.model import (
    CallDelta,
    Candidate,
    ErrorInfo,
    Finish,
    ModelEvent,
    ModelInfo,
    ModelRequest,
    RouteTask,
    TextDelta,
    Usage,
)  # fmt: skip
from gitu_core.model.measure import BYTES_A_TOKEN
from gitu_core.model.steps import Ended, ModelAnswered, ModelAsked, ModelFailed
from gitu_core.runtime import as_error
from gitu_core.testing.replay.stage import CURRENT, SECONDS, Stage
from gitu_core.testing.replay.track import was_cancelled

_WIDE = 1 << 40
"""The window of a model of which nobody knows it: whatever was said fits in."""

_CLEANED = {0xFFFD: 0xDFFF, 0x2400: 0}
"""What text that was no JSON may have been before it was cleaned; cleaning it again gives the same."""


class Models:
    """The models that were asked, and what became of that (the port `Models`)."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage

    async def plan(
        self, task: RouteTask, wanted: Sequence[str], person: str = "", *, exact: bool = False
    ) -> Sequence[Candidate]:
        """The models that were tried next, in order."""
        track = CURRENT.get()
        await self._stage.tick(track)
        n, found = track.n, list[Candidate]()
        while not track.ends_at(n) and isinstance(asked := track.steps[n], ModelAsked):
            answer = None if track.ends_at(n + 1) else track.steps[n + 1]
            found.append(self._candidate(asked, answer))
            if not isinstance(answer, ModelFailed):
                return found
            n += 2
        last = None if track.ends_at(n) else track.steps[n]
        error = last.reply.error if isinstance(last, Ended) else None
        if not found and error is not None:
            raise as_error(error)
        if not found:
            await self._stage.unexpected(track, "a model is asked")
        failed = track.steps[n - 1]
        if error is not None and isinstance(failed, ModelFailed) and failed.error != error:
            found.append(found[-1])  # one more, which the budget could not bear
        return found

    def _candidate(self, asked: ModelAsked, answer: Any) -> Candidate:
        info = self._stage.export.models.get(asked.model)
        if info is None:
            info = ModelInfo(asked.model.partition("/")[2], window=_WIDE, max_output=_WIDE)
        last_resort = isinstance(answer, ModelAnswered) and answer.last_resort
        return Candidate(asked.model, info, credential=asked.credential, last_resort=last_resort)

    async def stream(self, candidate: Candidate, request: ModelRequest) -> AsyncIterator[ModelEvent]:
        """The answer that was recorded, as a stream; or how far it came, and what went wrong then."""
        track = CURRENT.get()
        await self._stage.tick(track)
        step = track.next
        if isinstance(step, ModelAnswered):
            for event in _events(step):
                SECONDS.set(step.seconds)
                yield event
        elif isinstance(step, ModelFailed):
            if step.usage != Usage():
                yield TextDelta("x" * _characters(step.usage))
            if was_cancelled(step.error) and track.tail is not None:
                await self._stage.interrupt(track)
            raise _raised(step.error)
        else:
            await self._stage.unexpected(track, f"{candidate.model} is asked")

    def report(self, candidate: Candidate, error: Exception | None) -> None:
        """Nobody cools down here."""


def _events(step: ModelAnswered) -> list[ModelEvent]:
    message = step.message
    events: list[ModelEvent] = [TextDelta(message.text)] if message.parts else []
    for index, call in enumerate(message.calls):
        raw = call.raw.translate(_CLEANED) if call.raw is not None else msgspec.json.encode(call.arguments).decode()
        events.append(CallDelta(index, call.given, call.tool, raw, call.state))
    reason: Any = step.reason
    return [*events, Finish(reason, step.usage, state=message.state)]


def _characters(usage: Usage) -> int:
    """How many characters a broken answer had, so that it counts as what it was counted as."""
    return math.ceil((usage.output_tokens - 1) * BYTES_A_TOKEN)


def _raised(error: ErrorInfo) -> Exception:
    """What a model raised. Of what was no error of ours only the name of its class is known."""
    name, _, rest = error.message.partition(" ")
    if error.code == GituError.code and rest == "was raised" and name.isidentifier():
        kind: type[Exception] = type(name, (Exception,), {})
        return kind()
    return as_error(error)
