"""A turn as others see it: what streams while it runs, and the reply at its end."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from gitu_core.model.base import Value
from gitu_core.model.chat import Usage
from gitu_core.model.label import UNLABELLED, Label
from gitu_core.model.message import Part, Spoken
from gitu_core.model.tooling import ErrorInfo, ToolCall, ToolResult

__all__ = [
    "AnswerDelta", "Event", "Health", "ModelChosen", "Progress", "Reply", "ToolFinished", "ToolStarted", "TurnEvent",
    "TurnFinished", "TurnInfo",
]  # fmt: skip


class TurnInfo(Value, frozen=True):
    """Which turn something belongs to. `cause` is the message, timer, rule or event that started it. Where a plugin
    asks of its own accord, `plugin` names it, and `job` the timer or rule on whose behalf (``<plugin>/<key>``)."""

    id: str
    session: str
    cause: str
    principal: str
    profile: str = "default"
    channel: str = ""
    plugin: str = ""
    job: str = ""


class Reply(Spoken, frozen=True, gc=True):
    """How a turn ended. `text` is the answer; `data` the structured output where a schema was asked for.

    `failures` tell which models could not answer before another did; `degraded` that a last resort answered for them.
    """

    turn: str
    session: str
    status: Literal["ok", "failed", "cancelled", "waiting", "silent"] = "ok"
    parts: tuple[Part, ...] = ()
    data: Any = None
    calls: tuple[ToolCall, ...] = ()
    results: tuple[ToolResult, ...] = ()
    usage: Usage = Usage()
    model: str = ""
    error: ErrorInfo | None = None
    label: Label = UNLABELLED
    failures: tuple[ErrorInfo, ...] = ()
    degraded: bool = False


class Progress(Value, frozen=True, tag="progress", tag_field="type"):
    """Something worth showing while a turn runs. `fraction` is 0 to 1 where the tool knows how far it is."""

    text: str
    call: str = ""
    fraction: float | None = None


class AnswerDelta(Value, frozen=True, tag="answer_delta", tag_field="type"):
    """More words of the answer. `reset` tells that what streamed before was taken back."""

    text: str
    reset: bool = False


class ToolStarted(Value, frozen=True, tag="tool_started", tag_field="type"):
    """A tool call begins."""

    call: ToolCall


class ToolFinished(Value, frozen=True, tag="tool_finished", tag_field="type"):
    """A tool call ended; `seconds` is how long it took."""

    call: ToolCall
    result: ToolResult
    seconds: float = 0.0


class ModelChosen(Value, frozen=True, tag="model_chosen", tag_field="type"):
    """A model was chosen for the next step; `fallback_from` names the one that failed before it."""

    model: str
    fallback_from: str = ""


class TurnFinished(Value, frozen=True, tag="turn_finished", tag_field="type"):
    """The end of a turn, always and only as the last event."""

    reply: Reply


TurnEvent = Progress | AnswerDelta | ToolStarted | ToolFinished | ModelChosen | TurnFinished


class Event(Value, frozen=True):
    """Something that happened, for observers, rules and timers. `kind` is dotted: ``turn.finished``."""

    kind: str
    at: float
    principal: str = ""
    data: dict[str, Any] = msgspec.field(default_factory=dict)
    label: Label = UNLABELLED


class Health(Value, frozen=True):
    """How a part is. `hint` says what a person can do when it is not well."""

    state: Literal["ok", "degraded", "failed", "starting"] = "ok"
    detail: str = ""
    hint: str = ""
