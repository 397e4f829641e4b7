"""What earlier runs did about a message: the steps of its turns, and what follows from them."""

from __future__ import annotations

from collections.abc import Sequence

from gitu_core.contracts.ports import StepEntry
from gitu_core.model import Reply, ToolResult
from gitu_core.model.steps import CallDecided, CallFinished, CallStarted, Ended, Parked, Resumed, Step


def turns_of(id: str) -> str:
    """What the ids of all turns begin with that the message with the receipt *id* caused: a number follows, and after a
    dot whatever turns ran inside."""
    return f"{id}-"


class Past:
    """The turn of one message. *entries* are the steps of all turns whose id begins with *prefix*."""

    def __init__(self, entries: Sequence[StepEntry], prefix: str) -> None:
        # An earlier version began a message anew after a crash: what counts is the last turn.
        outer = {entry.turn for entry in entries if entry.turn.removeprefix(prefix).isdecimal()} if entries else ()
        self.turn = max(outer, key=lambda turn: int(turn.removeprefix(prefix)), default=f"{prefix}1")
        self.steps: list[Step] = [entry.step for entry in entries if entry.turn == self.turn]
        self._all = [entry.step for entry in entries]
        self.waits = bool(self.steps) and isinstance(self.steps[-1], Parked)
        """True if the turn was left because it waits, not because its process ended."""
        waited = next((n for n in reversed(range(len(self.steps))) if isinstance(self.steps[n], Parked)), 0)
        self.cut_off = sum(isinstance(step, Resumed) and bool(step.worker) for step in self.steps[waited:])
        """How often its process ended since it waited last: a turn that came to a question is not what ends it."""

    @property
    def finished(self) -> dict[str, ToolResult]:
        """What became of the calls that came to an end, also of turns inside."""
        return {step.call: step.result for step in self._all if isinstance(step, CallFinished)}

    @property
    def reply(self) -> Reply | None:
        """How the last turn ended, if it did."""
        step = self.steps[-1] if self.steps else None
        return step.reply if isinstance(step, Ended) else None

    def words(self) -> str:
        """What is known about what was done, for the person who asked for it."""
        tools = {step.call.id: step.call.tool for step in self._all if isinstance(step, CallDecided)}
        results = self.finished
        begun = [step.call for step in self._all if isinstance(step, CallStarted)]
        known = [call for call in begun if call in results and results[call].status != "unknown"]
        done = [tools.get(call, call) for call in known if results[call].status == "ok"]
        open = [tools.get(call, call) for call in dict.fromkeys(begun) if call not in known]
        said = "I was interrupted while I worked on this"
        if done:
            said += f"; done is: {', '.join(done)}"
        if open:
            said += f"; nobody knows whether this was done: {', '.join(open)}"
        return said
