"""Puts a stream of model events together into one message."""

from __future__ import annotations

from dataclasses import dataclass, field

import msgspec

from gitu_core.errors import LimitReached
from gitu_core.model import (
    CallDelta,
    Finish,
    Label,
    ModelEvent,
    ModelMessage,
    Text,
    TextDelta,
    ToolCall,
    clean_text,
)  # fmt: skip

MAX_CHARACTERS = 4_000_000
"""More than any model writes in one answer; a stream that goes on beyond it is broken or hostile."""

_decode = msgspec.json.Decoder().decode


@dataclass
class _Call:
    id: str = ""
    tool: str = ""
    arguments: list[str] = field(default_factory=list)


class Assembler:
    """Takes the events of one stream. `text` grows as they come; `message` is the whole at the end."""

    def __init__(self) -> None:
        self._text: list[str] = []
        self._calls: dict[int, _Call] = {}
        self._size = 0
        self.finish: Finish | None = None

    def take(self, event: ModelEvent) -> str:
        """Takes an event; gives the words it adds to the answer. `LimitReached` if the stream never ends."""
        if isinstance(event, TextDelta):
            self._text.append(event.text)
            self._grow(len(event.text))
            return event.text
        if isinstance(event, CallDelta):
            call = self._calls.setdefault(event.index, _Call())
            call.id = call.id or event.id
            call.tool = call.tool or event.tool
            if event.arguments:
                call.arguments.append(event.arguments)
                self._grow(len(event.arguments))
        elif isinstance(event, Finish):
            self.finish = event
        return ""

    def _grow(self, size: int) -> None:
        self._size += size
        if self._size > MAX_CHARACTERS:
            raise LimitReached(f"the model wrote more than {MAX_CHARACTERS} characters", limit="output",
                               hint="choose another model")  # fmt: skip

    def message(self, id: str, label: Label) -> ModelMessage:
        """The whole answer. Calls without an id get one that follows from *id*; no two calls share one."""
        text = clean_text("".join(self._text))
        calls: list[ToolCall] = []
        seen: set[str] = set()
        for index in sorted(self._calls):
            call = self._calls[index]
            name = call.id if call.id and call.id not in seen else f"{id}.{index}"
            seen.add(name)
            arguments, raw = read_arguments("".join(call.arguments))
            calls.append(ToolCall(name, call.tool, arguments, raw, label))
        return ModelMessage("assistant", (Text(text, "markdown"),) if text else (), tuple(calls), id=id, label=label)


def read_arguments(text: str) -> tuple[dict[str, object], str | None]:
    """A call's arguments from the JSON text a model wrote; text that is no JSON object comes back as it is."""
    if not text.strip():
        return {}, None
    try:
        value = _decode(text.encode("utf-8", "surrogatepass"))
    except (msgspec.DecodeError, RecursionError, UnicodeError):
        return {}, clean_text(text)
    return (value, None) if isinstance(value, dict) else ({}, clean_text(text))
