"""What a turn knows, as a fold over its steps. Nothing is ever re-run to find it out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

import msgspec

from gitu_core.model import steps as did
from gitu_core.model.chat import ModelMessage, Usage
from gitu_core.model.label import UNLABELLED, Label
from gitu_core.model.message import Text
from gitu_core.model.tooling import ErrorInfo, ToolCall, ToolResult
from gitu_core.model.turn import Reply, TurnInfo


@dataclass
class TurnState:
    """Everything known about a turn so far.

    `messages` are the entries the turn added to its context, `open` the calls without a result in the order they were
    asked for, `started` the calls that were dispatched (one that is open and started has an unknown outcome after a
    crash), `decided` the frozen calls by id, `answered` the choices about calls that nobody made use of yet, `starts`
    how often a call was dispatched, `looked` what was read for decisions, `handles` the results that the model did not
    read. `in_flight` is the model that was asked and did not answer yet.
    """

    info: TurnInfo | None = None
    ask: str = ""
    label: Label = UNLABELLED
    messages: list[ModelMessage] = field(default_factory=list)
    open: dict[str, ToolCall] = field(default_factory=dict)
    decided: dict[str, did.CallDecided] = field(default_factory=dict)
    started: dict[str, str] = field(default_factory=dict)
    starts: dict[str, int] = field(default_factory=dict)
    answered: dict[str, did.CallAnswered] = field(default_factory=dict)
    calls: list[ToolCall] = field(default_factory=list)
    results: dict[str, ToolResult] = field(default_factory=dict)
    looked: dict[str, ToolResult] = field(default_factory=dict)
    handles: dict[str, ToolResult] = field(default_factory=dict)
    usage: Usage = field(default_factory=Usage)
    model: str = ""
    degraded: bool = False
    failures: list[ErrorInfo] = field(default_factory=list)
    asked: int = 0
    in_flight: did.ModelAsked | None = None
    seen: str = ""
    parked: bool = False
    reply: Reply | None = None
    steps: int = 0

    def apply(self, step: did.Step) -> None:
        """Takes in the next step."""
        self.steps += 1
        match step:
            case did.Begun():
                self.info, self.ask, self.label, self.seen = step.info, step.ask, step.label, step.seen
            case did.ModelAsked():
                self.asked += 1
                self.in_flight = step
                self.label = self.label.join(step.label)
            case did.ModelFailed():
                self.in_flight = None
                self.usage = self.usage + step.usage
                self.failures.append(step.error)
            case did.ModelAnswered():
                self._answered(step)
            case did.CallDecided() | did.CallStarted() | did.CallAnswered() | did.LookedUp():
                self._judged(step)
            case did.Parked():
                self.parked, self.label = True, self.label.join(step.label)
            case did.CallFinished():
                self._finished(step)
            case did.Noted():
                self.messages.append(step.message)
            case did.Ended():
                self.reply = step.reply

    def _judged(self, step: did.CallDecided | did.CallStarted | did.CallAnswered | did.LookedUp) -> None:
        match step:
            case did.CallDecided():
                self.decided[step.call.id] = step
            case did.CallStarted():
                self.started[step.call] = step.key
                self.starts[step.call] = self.starts.get(step.call, 0) + 1
                self.answered.pop(step.call, None)  # a choice counts for one dispatch
            case did.CallAnswered():
                self.answered[step.call] = step
            case did.LookedUp():
                self.looked[step.tool] = step.result

    def _answered(self, step: did.ModelAnswered) -> None:
        self.in_flight = None
        self.model = step.model
        self.degraded = step.last_resort and bool(self.failures)
        self.usage = self.usage + step.usage
        self.messages.append(step.message)
        for call in step.message.calls:
            self.open[call.id] = call
            self.calls.append(call)

    def _finished(self, step: did.CallFinished) -> None:
        call = self.open.pop(step.call, None)
        self.results[step.call] = step.result
        self.usage = self.usage + step.usage
        if call is None:
            self.label = self.label.join(step.result.influence)
            return
        if step.handle:
            self.handles[step.call] = step.result
        message = tool_message(call, step.result, step.handle)
        self.label = self.label.join(message.label)
        self.messages.append(message)

    def repeats(self, most: int) -> ToolCall | None:
        """A call that was made *most* times with the same arguments and gave the same result each time."""
        if len(self.results) < most:
            return None
        seen = Counter[bytes]()
        for call in self.calls:
            if (result := self.results.get(call.id)) is not None:
                same = call.tool, call.arguments, call.raw, result.status, result.text
                seen[key := msgspec.json.encode(same, order="deterministic")] += 1
                if seen[key] >= most:
                    return call
        return None

    @property
    def answer(self) -> ModelMessage | None:
        """The model's last word, if it asked for no tool with it."""
        last = self.messages[-1] if self.messages else None
        return last if last is not None and last.role == "assistant" and not last.calls else None


def tool_message(call: ToolCall, result: ToolResult, handle: str = "") -> ModelMessage:
    """A result as the model reads it. Its id follows from the call's, so that a replay gives the same.

    Behind a handle, who wrote the result has not influenced the model; who may read it is as before: that there is
    something, and how much, is theirs as well."""
    label = Label(call.label.origins, result.influence.readers) if handle else result.influence
    return ModelMessage(
        "tool", (Text(handle or result.text),), call_id=call.id, name=call.tool, id=f"{call.id}.result", label=label
    )


def fold(steps: Iterable[did.Step]) -> TurnState:
    """The state that *steps* lead to."""
    state = TurnState()
    for step in steps:
        state.apply(step)
    return state
