"""Puts a stream of model events together into one message."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import msgspec

from gitu_core.errors import LimitReached
from gitu_core.model import CallDelta, Finish, Label, ModelEvent, ModelMessage, Text, TextDelta, ToolCall, clean_text
from gitu_core.model.base import MAX_NAME

MAX_CHARACTERS = 4_000_000
"""More than any model writes in one answer; a stream that goes on beyond it is broken or hostile."""

_decode = msgspec.json.Decoder().decode


@dataclass
class _Call:
    given: str = ""
    tool: str = ""
    arguments: list[str] = field(default_factory=list)
    state: dict[str, Any] = field(default_factory=dict)


class Assembler:
    """Takes the events of one stream. `size` counts their characters; `message` is the whole at the end."""

    def __init__(self) -> None:
        self._text: list[str] = []
        self._calls: dict[int, _Call] = {}
        self.size = 0
        self.begun = False
        self.finish: Finish | None = None

    def take(self, event: ModelEvent) -> str:
        """Takes an event; gives the words it adds to the answer. `LimitReached` if the stream never ends."""
        self.begun = True
        if isinstance(event, TextDelta):
            self._text.append(event.text)
            self._grow(len(event.text))
            return event.text
        if isinstance(event, CallDelta):
            call = self._calls.setdefault(event.index, _Call())
            call.given = call.given or event.id
            call.tool = call.tool or event.tool
            call.state.update(event.state)
            if event.arguments:
                call.arguments.append(event.arguments)
                self._grow(len(event.arguments))
        elif isinstance(event, Finish):
            self.finish = event
        return ""

    def _grow(self, size: int) -> None:
        self.size += size
        if self.size > MAX_CHARACTERS:
            raise LimitReached(f"the model wrote more than {MAX_CHARACTERS} characters", limit="output",
                               hint="choose another model")  # fmt: skip

    def message(self, id: str, label: Label) -> ModelMessage:
        """The whole answer. Each call gets an id of its own that follows from *id*: those of providers repeat."""
        text = clean_text("".join(self._text))
        calls: list[ToolCall] = []
        for number, index in enumerate(sorted(self._calls)):
            call = self._calls[index]
            arguments, raw = read_arguments("".join(call.arguments))
            tool, given = clean_text(call.tool)[:MAX_NAME], clean_text(call.given)[:MAX_NAME]
            calls.append(ToolCall(f"{id}_{number}", tool, arguments, raw, label, given=given, state=call.state))
        parts = (Text(text, "markdown"),) if text else ()
        state = self.finish.state if self.finish else {}
        return ModelMessage("assistant", parts, tuple(calls), id=id, label=label, state=state)


def read_arguments(text: str) -> tuple[dict[str, object], str | None]:
    """A call's arguments from the JSON text a model wrote; text that is no JSON object comes back as it is."""
    if not text.strip():
        return {}, None
    try:
        value = _decode(text.encode("utf-8", "surrogatepass"))
    except (msgspec.DecodeError, RecursionError, UnicodeError):
        return {}, clean_text(text)
    return (value, None) if isinstance(value, dict) else ({}, clean_text(text))
