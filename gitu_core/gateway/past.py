"""What earlier runs did about a message: the steps of its turns, and what follows from them."""

from __future__ import annotations

from collections.abc import Sequence

from gitu_core.contracts.ports import StepEntry, TurnEntry
from gitu_core.model import Reply
from gitu_core.model.steps import Begun, CallDecided, CallFinished, CallStarted, Ended, Step


def turns_of(id: str) -> str:
    """What the ids of all turns begin with that the message with the receipt *id* caused: a number follows, and after a
    dot whatever turns ran inside."""
    return f"{id}-"


class Past:
    """The turns of one message. *entries* are the steps of all turns whose id begins with *prefix*."""

    def __init__(self, entries: Sequence[StepEntry], prefix: str) -> None:
        self._entries = entries
        self._prefix = prefix
        outer = [entry for entry in entries if self._number(entry)]
        self.attempts = max((self._number(entry) for entry in outer), default=0)
        """How often a turn was begun."""
        self._last = [entry for entry in outer if self._number(entry) == self.attempts]
        self.steps: list[Step] = [entry.step for entry in self._last]
        """The steps of the last turn."""
        self.acted = any(isinstance(entry.step, CallStarted) for entry in entries)
        """True if something that acts was begun, in whichever turn."""

    def _number(self, entry: StepEntry) -> int:
        """Which attempt a step belongs to; 0 = a turn that ran inside another."""
        rest = entry.turn.removeprefix(self._prefix)
        return int(rest) if rest.isdecimal() else 0

    @property
    def reply(self) -> Reply | None:
        """How the last turn ended, if it did."""
        step = self.steps[-1] if self.steps else None
        return step.reply if isinstance(step, Ended) else None

    def closed(self, now: float) -> tuple[TurnEntry, ...]:
        """The turns that never ended, as rows that say so."""
        begun = [entry for entry in self._entries if isinstance(entry.step, Begun)]
        ended = {entry.turn for entry in self._entries if isinstance(entry.step, Ended)}
        return tuple(
            TurnEntry(entry.step.info, entry.person, "interrupted", entry.at, now)
            for entry in begun
            if isinstance(entry.step, Begun) and entry.turn not in ended
        )

    def words(self) -> str:
        """What is known about what was done, for the person who asked for it."""
        tools = {step.call.id: step.call.tool for step in self._all if isinstance(step, CallDecided)}
        results = {step.call: step.result for step in self._all if isinstance(step, CallFinished)}
        begun = [step.call for step in self._all if isinstance(step, CallStarted)]
        known = [call for call in begun if call in results and results[call].status != "unknown"]
        done = [tools.get(call, call) for call in known if results[call].status == "ok"]
        open = [tools.get(call, call) for call in begun if call not in known]
        said = "I was interrupted while I worked on this"
        if done:
            said += f"; done is: {', '.join(done)}"
        if open:
            said += f"; nobody knows whether this was done: {', '.join(open)}"
        return said

    @property
    def _all(self) -> list[Step]:
        return [entry.step for entry in self._entries]
