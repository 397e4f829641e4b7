"""Talking to models: what is sent, what streams back, what a catalogue says. Money is in nano-US-dollars (10^-9)."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from gitu_core.model.base import Value
from gitu_core.model.label import UNLABELLED, Label
from gitu_core.model.message import Part, Spoken, Text
from gitu_core.model.spec import ToolSpec
from gitu_core.model.tooling import ToolCall

__all__ = [
    "NANO", "CallDelta", "Candidate", "Finish", "ModelEvent", "ModelInfo", "ModelMessage", "ModelRequest",
    "ReasoningDelta", "RouteTask", "TextDelta", "Usage", "user_message",
]  # fmt: skip

NANO = 1_000_000_000
"""Nano-dollars in a dollar."""


class ModelMessage(Spoken, frozen=True, weakref=True, gc=True):
    """One entry of a model's context. A ``tool`` entry answers the call `call_id`. `id` never changes for the same
    content, so that a provider may cache what it encoded. `state` is a provider's own and goes back to it unchanged."""

    role: Literal["system", "user", "assistant", "tool"]
    parts: tuple[Part, ...] = ()
    calls: tuple[ToolCall, ...] = ()
    call_id: str = ""
    name: str = ""
    id: str = ""
    label: Label = UNLABELLED
    state: dict[str, Any] = msgspec.field(default_factory=dict)


class ModelRequest(Value, frozen=True):
    """One request. `credential` names the secret to use, never holds it; `timeout`: seconds to the first event."""

    model: str
    messages: tuple[ModelMessage, ...]
    tools: tuple[ToolSpec, ...] = ()
    output_schema: dict[str, Any] | None = None
    max_tokens: int | None = None
    temperature: float | None = None
    seed: int | None = None
    credential: str = ""
    timeout: float = 120.0
    settings: dict[str, Any] = msgspec.field(default_factory=dict)


class Usage(Value, frozen=True):
    """What a call used, in tokens, and what it cost in nano-dollars. `cached_tokens` are part of the input,
    `reasoning_tokens` of the output."""

    input_tokens: int = 0
    output_tokens: int = 0
    cached_tokens: int = 0
    cost: int = 0
    reasoning_tokens: int = 0
    cache_write_tokens: int = 0

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            self.input_tokens + other.input_tokens, self.output_tokens + other.output_tokens,
            self.cached_tokens + other.cached_tokens, self.cost + other.cost,
            self.reasoning_tokens + other.reasoning_tokens, self.cache_write_tokens + other.cache_write_tokens,
        )  # fmt: skip


class TextDelta(Value, frozen=True, tag="text", tag_field="type"):
    """More words of the answer."""

    text: str


class ReasoningDelta(Value, frozen=True, tag="reasoning", tag_field="type"):
    """More of what the model thinks aloud; shown or hidden, never part of the answer."""

    text: str


class CallDelta(Value, frozen=True, tag="call", tag_field="type"):
    """More of a tool call; `index` tells which. `id` and `tool` come once, `arguments` in pieces of JSON text. `state`
    is what the provider wants back with the call, unchanged."""

    index: int
    id: str = ""
    tool: str = ""
    arguments: str = ""
    state: dict[str, Any] = msgspec.field(default_factory=dict)


class Finish(Value, frozen=True, tag="finish", tag_field="type"):
    """The end of a stream, always and only as its last event. `state` is what the provider wants back with the whole
    answer, unchanged: signed reasoning, for instance."""

    reason: Literal["stop", "calls", "length", "filtered"] = "stop"
    usage: Usage = Usage()
    model: str = ""
    state: dict[str, Any] = msgspec.field(default_factory=dict)


ModelEvent = TextDelta | ReasoningDelta | CallDelta | Finish


class ModelInfo(Value, frozen=True):
    """What a catalogue says of a model. Prices are nano-dollars a token; None where nobody knows.

    `quality` is 0 to 1 and `latency` seconds to the first token, both relative guides for the choice.
    """

    id: str
    window: int = 8192
    max_output: int = 4096
    input_price: float | None = None
    output_price: float | None = None
    cached_price: float | None = None
    cache_write_price: float | None = None
    capabilities: frozenset[str] = frozenset({"text", "tools", "stream"})
    quality: float = 0.5
    latency: float = 1.0
    description: str = ""


class Candidate(Value, frozen=True):
    """A model that could serve a request, with the worst case it may cost (nano-dollars) and the key it would use.
    `last_resort`: it is asked only because no other could be."""

    model: str
    info: ModelInfo
    estimate: int | None = None
    credential: str = ""
    owner: Literal["platform", "personal"] = "platform"
    last_resort: bool = False


class RouteTask(Value, frozen=True):
    """What a router needs to know to rank candidates: never content, only its measure."""

    task: str = "chat"
    input_tokens: int = 0
    output_tokens: int = 0
    needs: frozenset[str] = frozenset()
    prefer: Literal["quality", "cost", "latency", "balanced"] = "balanced"
    max_cost: int | None = None


def user_message(text: str) -> ModelMessage:
    """A user's words as an entry of a model's context."""
    return ModelMessage(role="user", parts=(Text(text),))
