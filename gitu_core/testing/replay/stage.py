"""Watches one turn being run again: compares every step as it is taken, and feeds in what came from outside."""

from __future__ import annotations

from collections.abc import Sequence
from contextvars import ContextVar
from typing import Any

import anyio
import anyio.lowlevel

from gitu_core.contracts.ports import Approval, HistoryEntry, Record, StepEntry
from gitu_core.errors import ToolTimeout
from gitu_core.model import ModelMessage, ModelRequest, Step, ToolResult
from gitu_core.model.steps import Begun, CallFinished, ModelAnswered, ModelAsked, Noted
from gitu_core.runtime.fold import tool_message
from gitu_core.testing.replay.differ import INPUT, NOTHING, Difference, first_difference, kind_of, read_in
from gitu_core.testing.replay.file import Export, RecordedTurn
from gitu_core.testing.replay.track import Track

CURRENT: ContextVar[Track] = ContextVar("CURRENT")
"""The turn that the running task works on."""

SECONDS: ContextVar[float] = ContextVar("SECONDS", default=0.0)
"""How long what has just been done took in the recording."""

QUIET = 50
"""Rounds of the event loop without any progress after which nothing more happens: nothing here waits for anything."""

PATIENCE = 4 * QUIET
"""Rounds that a result waits for those that were recorded before it."""

MEASURES = frozenset({"estimate", "usage", "handle"})
"""Fields that follow from the length of texts and from prices."""

WORDS = frozenset({"reason", "sources", "question", "details", "items", "choices"})
"""Fields in which decisions are put into words, and questions: before version 3 of the steps they knew less."""

SETTLED = INPUT | {"state", "choice", "by", "answered_at", "created_at", "expires_at", "grant"}
"""Fields of a question that tell what became of it, and when; what a standing yes allows follows from the call."""


class Stage:
    """The turn *recorded*, to be run again. `difference` is the first that was found."""

    def __init__(self, export: Export, recorded: RecordedTurn) -> None:
        self.export = export
        self.root = Track(recorded)
        self.tracks = {self.root.id: self.root, **{each.info.id: Track(each) for each in recorded.inner}}
        self.history = {said.message.id: said.message for said in export.history if said.turn == self.root.id}
        self.said: list[str] = []
        self.asked: dict[str, Approval] = {}
        self.difference: Difference | None = None
        self.scope = anyio.CancelScope()
        self.crashed = self.stopped = False
        self._moves = 0
        asked = {each.model for track in self.tracks.values() for each in track.steps if isinstance(each, ModelAsked)}
        infos = [export.models.get(model) for model in asked]
        # A text that was shortened has another length, and what a model costs may not be known any more.
        vague = export.redacted or any(info is None or info.input_price is None for info in infos)
        self._skip = INPUT | MEASURES if vague else INPUT
        begun = self.root.steps[0] if self.root.steps else None
        self._wordless = isinstance(begun, Begun) and begun.version < 3
        self._skip |= WORDS if self._wordless else frozenset()

    @property
    def over(self) -> bool:
        """True if nothing that happens counts any more."""
        return self.crashed or self.difference is not None

    # ---- comparing ------------------------------------------------------------------------------

    def take(self, records: Sequence[Record]) -> None:
        """Compares what the runtime recorded with what was recorded then."""
        # Steps first: they tell whether the rest of it was on disk as well.
        for record in sorted(records, key=lambda record: isinstance(record, HistoryEntry)):
            if self.over:
                return
            if isinstance(record, StepEntry):
                self._step(record)
            elif isinstance(record, Approval):
                self._question(record)
            elif isinstance(record, HistoryEntry) and not self.root.dead:
                self.said.append(record.message.id)

    def _step(self, entry: StepEntry) -> None:
        track = self.tracks.get(entry.turn)
        if track is None:
            self.differ(CURRENT.get(), "", NOTHING, entry.step, f"the turn {entry.turn} was not run then")
        elif track.ends_at(entry.n) and not (entry.n >= len(track.steps) and track.ended):
            track.dead = True  # what was not on disk when the process ended is lost, here as then
        elif not track.dead:
            before = track.steps[entry.n] if entry.n < len(track.steps) else NOTHING
            found = first_difference(before, entry.step, skip=self._skip)
            if found is not None:
                self.differ(track, *found, _words(track, entry.step, found[0]), entry.n)
                return
            track.entries.append(entry)
            self._moves += 1
            if track is self.root:
                self._left(entry)

    def _left(self, entry: StepEntry) -> None:
        """Compares what a step leaves in the history of the session with what it left there then."""
        for message in _messages(self.root, entry.step):
            before = self.history.get(message.id)
            found = before and first_difference(before, message, "message")
            if found:
                self.differ(self.root, *found, "recorded is the history of the session", entry.n)

    def asked_with(self, track: Track, request: ModelRequest) -> None:
        """Compares what a model reads with what it read when the export was written."""
        track.request = request
        self._flush(track)
        for place, digest, value in read_in(request):
            track.read.setdefault(place, set()).add(digest)
            before = track.recorded.read.get(place)  # where it read something else, the step has another digest
            if before is not None and digest not in before:
                self.differ(track, f"request.{place}", before[-1], value, "recorded is a digest of what the model read")

    def _question(self, asked: Approval) -> None:
        known = {each.id: each for each in self.root.recorded.approvals}
        skip = SETTLED | WORDS if self._wordless else SETTLED
        found = first_difference(known.get(asked.id, NOTHING), asked, f"approvals.{asked.id}", skip)
        self.asked[asked.id] = asked
        if found is not None:
            self.differ(self.root, *found, n=len(self.root.entries))

    def end(self) -> None:
        """Compares what cannot be compared step by step: how far the turns came, and what they left in which order."""
        root = self.root
        if self.difference is not None:
            return
        if len(root.entries) < len(root.steps):
            self.differ(root, "", root.steps[len(root.entries)], NOTHING, n=len(root.entries))
        before = [said.message.id for said in self.export.history if said.turn == root.id]
        found = first_difference(before, self.said, "history") if before and self.said else None
        if found is not None:
            self.differ(root, *found, "what the turn left in the history of the session", len(root.steps) - 1)
        for track in self.tracks.values():
            if not track.begun and track.id.rpartition(".")[2] in self._delegated:
                self.differ(track, "", track.steps[0], NOTHING, "the turn was not run now", 0)

    @property
    def _delegated(self) -> set[str]:
        """The calls that were worked on by another profile."""
        return {id for track in self.tracks.values() for id, call in track.calls.items() if f"{track.id}.{id}"
                in self.tracks}  # fmt: skip

    def differ(self, track: Track, path: str, recorded: Any, now: Any, words: str = "", n: int = -1) -> None:
        """Keeps the first difference, and stops the run."""
        n = track.n if n < 0 else n
        kind = kind_of(track.steps[n]) if n < len(track.steps) else kind_of(now)
        self.difference = self.difference or Difference(track.id, n, kind, path, recorded, now, words)
        self.scope.cancel()

    # ---- from outside ---------------------------------------------------------------------------

    def delegates(self, track: Track) -> bool:
        """True if a turn inside of this one is still to begin, or to go on, before the process ends."""
        return any(each.id.startswith(f"{track.id}.") and each.due for each in self.tracks.values())

    async def tick(self, track: Track) -> None:
        """A place where something from outside may have come in: compares what was noted so far, and lets it come."""
        self._flush(track)
        if track.dead or (track.ends_at(track.n) and not self.delegates(track)):
            await self._crash()
        elif track.in_tail(track.n):
            await self.interrupt(track)
        await anyio.lowlevel.checkpoint()

    async def _crash(self) -> None:
        """The process ends here, when everything else that it did is done as well. Turns inside of the turn that were
        recorded further had the time to end."""
        await self._quiet()
        self.crashed = not any(track.running and not track.ends_at(track.n) for track in self.tracks.values())
        self.scope.cancel()
        await anyio.lowlevel.checkpoint()

    async def interrupt(self, track: Track) -> None:
        """Stops a turn in the way in which it was stopped."""
        await self._quiet()
        self._stop(track)
        await anyio.sleep_forever()

    def _stop(self, track: Track) -> None:
        outer, kind = track.parent, track.tail.kind if track.tail is not None else ""
        if kind in ("late", "broken"):
            assert track.end is not None
            track.end.cancel()
        elif kind and outer is not None and _timed_out(outer.result_of(track.recorded.info.cause)):
            assert track.late is not None
            track.late.cancel()
        elif kind and outer is not None:
            self._stop(outer)
        else:  # without an end of its own its process was closed, and it went on later
            self.stopped = bool(kind)
            self.scope.cancel()

    async def unexpected(self, track: Track, what: str) -> None:
        """The runtime does something that it did not do then."""
        self.differ(track, "", track.next or NOTHING, NOTHING, f"now {what}")
        await anyio.sleep_forever()

    # ---- the order of calls that run at once ----------------------------------------------------

    async def turn_of(self, track: Track, call: str) -> ToolResult:
        """Waits until the result of *call* is what was recorded next, and gives it."""
        track.arrived.add(call)
        self._moves += 1
        seen, rounds = self._progress(), 0
        while rounds < PATIENCE:
            await self.tick(track)
            found = track.next
            if isinstance(found, CallFinished) and found.call == call:
                SECONDS.set(found.seconds)
                return found.result
            seen, rounds = (seen, rounds + 1) if seen == self._progress() else (self._progress(), 0)
        await self.unexpected(track, f"the call {call} is worked on, and its result is not what comes next")
        raise AssertionError("unreachable")

    async def settle(self, track: Track) -> None:
        """Lets the calls whose results were recorded next have them, before a call that waits for a place begins."""
        seen, rounds = self._progress(), 0
        while rounds < PATIENCE:
            found = track.next if not track.in_tail(track.n) else None
            if not isinstance(found, CallFinished) or found.call not in track.arrived:
                return
            await anyio.lowlevel.checkpoint()
            seen, rounds = (seen, rounds + 1) if seen == self._progress() else (self._progress(), 0)

    async def _quiet(self) -> None:
        """Waits until nothing moves any more."""
        seen, rounds = self._progress(), 0
        while rounds < QUIET:
            await anyio.lowlevel.checkpoint()
            seen, rounds = (seen, rounds + 1) if seen == self._progress() else (self._progress(), 0)

    def _flush(self, track: Track) -> None:
        """Compares what was noted so far."""
        turn = track.work.turn if track.work is not None else None
        if turn is not None:
            self.take(turn.noted())

    def _progress(self) -> tuple[int, int]:
        return self._moves, sum(track.n for track in self.tracks.values())


def _timed_out(step: CallFinished | None) -> bool:
    return step is not None and step.result.error is not None and step.result.error.code == ToolTimeout.code


def _messages(track: Track, step: Step) -> list[ModelMessage]:
    """What a step adds to the context, as the history keeps it."""
    if isinstance(step, Begun):
        return [track.recorded.ask] if track.recorded.ask is not None else []
    if isinstance(step, ModelAnswered | Noted):
        return [step.message]
    if isinstance(step, CallFinished) and step.call in track.calls:
        before = track.result_of(step.call)  # where an outline has another length, that was told already
        return [tool_message(track.calls[step.call], step.result, before.handle if before is not None else step.handle)]
    return []


def _words(track: Track, step: Any, path: str) -> str:
    """What helps to understand a difference that says little by itself."""
    if path != "digest" or track.request is None or not isinstance(step, ModelAsked):
        return ""
    messages = ", ".join(message.id for message in track.request.messages)
    tools = ", ".join(tool.name for tool in track.request.tools) or "none"
    return f"the model was asked with other messages or other tools; now: {messages}; tools: {tools}"
