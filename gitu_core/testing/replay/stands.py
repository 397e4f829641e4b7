"""What stands in for the world while a turn runs again: each gives what was recorded, where it was recorded."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from gitu_core.contracts.authority import Grant, Verdict
from gitu_core.contracts.base import Contribution
from gitu_core.contracts.budgets import Bill, Hold, Standing, Ticket
from gitu_core.contracts.ports import HistoryEntry, Offer, Record, StepEntry
from gitu_core.errors import ModelError
from gitu_core.model import (
    AnswerDelta,
    ModelMessage,
    ModelRequest,
    Progress,
    ToolCall,
    ToolFinished,
    ToolResult,
    ToolSpec,
    ToolStarted,
    TurnEvent,
    TurnInfo,
    Usage,
)
from gitu_core.model.steps import (
    Begun,
    CallAnswered,
    CallDecided,
    CallFinished,
    CallStarted,
    Ended,
    LookedUp,
    ModelAsked,
    Noted,
)
from gitu_core.runtime import Work, as_error
from gitu_core.runtime.calls import PEEK
from gitu_core.store.cache import Tail
from gitu_core.testing.replay.stage import CURRENT, SECONDS, Stage
from gitu_core.testing.replay.track import Track

ALWAYS = frozenset({"gitu_filter_request", "gitu_guard_call"})
"""Hooks that a replay has in any case: what was recorded tells whether they did something."""


class Clock:
    """Gives the times of the recorded steps."""

    def now(self) -> float:
        """When the step that is being taken was taken."""
        track = CURRENT.get()
        return track.times[min(max(track.n - 1, 0), len(track.times) - 1)]

    def monotonic(self) -> float:
        """How long what has just been done took, once; 0 where nothing was done."""
        seconds = SECONDS.get()
        SECONDS.set(0.0)
        return seconds

    def new_id(self) -> str:
        """What is not derived from a turn cannot be the same again."""
        raise AssertionError("identifiers inside of a turn have to follow from it")

    async def sleep(self, seconds: float) -> None:
        """Does not wait."""


class Toolbox:
    """The tools that were offered (the port `Registry`); each gives the results that were recorded."""

    def __init__(self, stage: Stage) -> None:
        self._tool = _Tool(stage)
        self._offers = [
            Offer(each.plugin, Contribution("tool", each.name, each.spec.description, msgspec.to_builtins(each.spec)))
            for each in stage.export.tools
        ]

    def offers(self, seam: str) -> Sequence[Offer]:
        """The offered tools."""
        return self._offers

    def manifest(self, id: str) -> None:
        """What a manifest says about a tool stands in its spec already."""

    async def get(self, seam: str, name: str) -> Any:
        """The same tool for all."""
        return self._tool


class _Tool:
    def __init__(self, stage: Stage) -> None:
        self._stage = stage

    async def run(self, call: ToolCall, context: Any) -> ToolResult:
        """The recorded result, in its place among those of other calls."""
        track = CURRENT.get()
        if not call.id.endswith(f".{PEEK}"):
            return await self._stage.turn_of(track, call.id)
        await self._stage.tick(track)
        found = track.next
        if not isinstance(found, LookedUp) or found.tool != call.tool:
            await self._stage.unexpected(track, f"{call.tool} is read for a decision")
        assert isinstance(found, LookedUp)
        return found.result

    async def verify(self, call: ToolCall, context: Any) -> ToolResult:
        """What the tool said about a call that a crash cut off."""
        track = CURRENT.get()
        await self._stage.tick(track)
        found = track.next
        if isinstance(found, CallFinished) and found.call == call.id and found.result.status != "unknown":
            return found.result
        return ToolResult("unknown")


class Hooks:
    """What filters and guards did (the port `Hooks`)."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._wanted = ALWAYS | ({"gitu_filter_call"} & set(stage.export.hooks))

    def wants(self, hook: str) -> bool:
        """True for those that may have changed what was recorded."""
        return hook in self._wanted

    async def observe(self, hook: str, **arguments: Any) -> None:
        """Nobody watches."""

    async def filter(self, hook: str, **arguments: Any) -> Any:
        """The value as the filters of then left it."""
        track = self._stage.tracks[arguments["turn"].id]
        if hook == "gitu_filter_request":
            return self._request(track, arguments["request"])
        call: ToolCall = arguments["call"]
        step = track.next
        if isinstance(step, CallDecided) and step.call.id == call.id:
            return step.call
        if isinstance(step, CallFinished) and step.call == call.id and step.result.error is not None:
            raise as_error(step.result.error)  # the filters left a call that its tool does not take
        return call

    def _request(self, track: Track, request: ModelRequest) -> ModelRequest:
        step = track.next
        filtered = step.filtered if isinstance(step, ModelAsked) else None
        if filtered is not None:
            messages = {each.id: each for each in request.messages}
            tools = {each.name: each for each in request.tools}
            request = msgspec.structs.replace(
                filtered,
                messages=tuple(messages.get(each.id, each) if _bare(each) else each for each in filtered.messages),
                tools=tuple(each if each.description else tools.get(each.name, each) for each in filtered.tools),
            )
        self._stage.asked_with(track, request)
        return request

    async def guard(self, hook: str, **arguments: Any) -> str | None:
        """The reason with which a guard refused a call, if one did."""
        track, call = self._stage.tracks[arguments["turn"].id], arguments["call"]
        await self._stage.tick(track)
        step = track.next
        if "gitu_guard_call" not in self._stage.export.hooks:
            return None
        refused = isinstance(step, CallDecided) and step.call.id == call.id and step.verdict == "deny"
        return step.reason if refused and isinstance(step, CallDecided) else None


def _bare(message: ModelMessage) -> bool:
    return not message.parts and not message.calls


class Budget:
    """Bears whatever it bore then (the port `Budget`)."""

    async def reserve(self, turn: TurnInfo, bill: Bill) -> Ticket:
        """Refuses where it refused then."""
        track = CURRENT.get()
        step = track.next
        if isinstance(step, Ended) and step.reply.error is not None:
            raise as_error(step.reply.error)
        return Ticket()

    def admit(self, ticket: Ticket, standings: Sequence[Standing]) -> None:
        """Bears it: where an envelope did not, that is what came of the call."""

    def settle(self, ticket: Ticket, usage: Usage) -> Sequence[Record]:
        """Counts nothing."""
        return ()

    def release(self, ticket: Ticket) -> None:
        """Counts nothing."""

    def resume(self, turn: TurnInfo, spent: int, lost: str = "") -> Sequence[Record]:
        """Counts nothing."""
        return ()

    def close(self, turn: str) -> int:
        """Counts nothing."""
        return 0


class Grants:
    """What was allowed beforehand (the port `Grants`): what decisions rested on then."""

    async def grants(self, person: str = "") -> Sequence[Grant]:
        """Those that the turn has met so far, or meets now."""
        track = CURRENT.get()
        met = (step for step in track.steps[: track.n + 1] if isinstance(step, CallDecided) and step.grant)
        return [Grant(step.grant, person, step.call.tool) for step in met]

    async def use_grant(self, grant: Grant) -> bool:
        """It was used then."""
        return True


class Records:
    """The store, as far as a turn uses it (the port `Records`): what was said before, and the steps taken here."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage

    async def set_aside(self, hold: Hold, *records: Record, given: Any = None) -> Sequence[Standing]:
        """Compares what was written; nothing is set aside here."""
        await self.write(*records)
        return ()

    async def write(self, *records: Record, given: Any = None) -> None:
        """Compares what was written."""
        self._stage.take(records)
        track, last = CURRENT.get(), records[-1]
        leaves = isinstance(last, StepEntry) and isinstance(last.step, ModelAsked | CallStarted)
        if leaves or not self._stage.delegates(track):
            await self._stage.tick(track)

    def post(self, *records: Record) -> None:
        """Compares what was written."""
        self._stage.take(records)

    async def history(self, session: str, max_tokens: int, max_messages: int = 500) -> Sequence[HistoryEntry]:
        """What the session had said when the turn began."""
        first = self._stage.root.steps[0]
        seen, entries = first.seen if isinstance(first, Begun) else "", list[HistoryEntry]()
        for said in self._stage.export.history if seen else ():
            entries.append(HistoryEntry(session, "", said.message, said.tokens, 0.0, said.turn))
            if said.message.id == seen:
                return Tail(entries, 0, None, 0, True).fitting(max_tokens, max_messages) or []
        return []

    async def steps(self, turn: str) -> Sequence[StepEntry]:
        """The steps that a turn has taken here so far."""
        track = self._stage.tracks.get(turn)
        return track.entries if track is not None else []


def shows(stage: Stage, track: Track) -> Any:
    """Shows nothing, and is a place where a turn may be stopped."""

    async def emit(event: TurnEvent) -> None:
        if isinstance(event, ToolFinished):
            await stage.settle(track)
        if not isinstance(event, AnswerDelta | Progress | ToolStarted):  # where a tool runs is such a place, too
            await stage.tick(track)

    return emit


def checker(track: Track) -> Any:
    """Checks a structured answer as it was checked then: the check itself is code of the application."""

    def check(value: Any) -> Any:
        step = track.next
        if isinstance(step, Noted):
            raise ModelError(step.message.text.rpartition(". Answer again")[0], hint="correct it")
        if isinstance(step, Ended) and step.reply.error is not None and step.reply.error.code == ModelError.code:
            raise as_error(step.reply.error)
        return value

    return check


async def approve(work: Work, call: ToolCall, tool: ToolSpec, verdict: Verdict) -> str | None:
    """What the application's code said about a call. None where a person was asked."""
    step = CURRENT.get().next
    return step.choice if isinstance(step, CallAnswered) and step.call == call.id and not step.approval else None
