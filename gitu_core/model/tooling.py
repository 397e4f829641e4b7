"""Calls of tools as data: one call, and its result."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from gitu_core.model.base import Value
from gitu_core.model.label import UNLABELLED, Label, join_all
from gitu_core.model.message import BlobRef, Conversation

__all__ = ["CallInfo", "ErrorInfo", "ToolCall", "ToolResult"]


class ToolCall(Value, frozen=True):
    """One call that a model asks for. `raw` holds the argument text where it was not a JSON object.

    `id` is Gitu's own and unique, `given` the provider's. `fields` labels arguments (dotted paths) that differ from
    `label`. `state` is the provider's own and goes back to it unchanged.
    """

    id: str
    tool: str
    arguments: dict[str, Any] = msgspec.field(default_factory=dict)
    raw: str | None = None
    label: Label = UNLABELLED
    fields: dict[str, Label] = msgspec.field(default_factory=dict)
    given: str = ""
    state: dict[str, Any] = msgspec.field(default_factory=dict)

    @property
    def influence(self) -> Label:
        """Everybody who influenced any part of it."""
        return join_all((self.label, *self.fields.values()))


class CallInfo(Value, frozen=True):
    """Where a call comes from. `key` is the same whenever the same effect is tried again; `deadline` is in seconds
    since 1970, UTC; `chain` counts the timers that set each other to get here; `conversation` is where its turn talks
    with a person, if it does."""

    call: str
    key: str
    turn: str = ""
    session: str = ""
    principal: str = ""
    deadline: float | None = None
    label: Label = UNLABELLED
    chain: int = 0
    conversation: Conversation | None = None


class ErrorInfo(Value, frozen=True):
    """An error as a value: the stable `code` of its class, what happened and the next step."""

    code: str
    message: str
    hint: str = ""
    details: dict[str, Any] = msgspec.field(default_factory=dict)


class ToolResult(Value, frozen=True, gc=True):
    """What a call gave. `content` is any JSON value; `fields` labels parts of it that differ from `label`."""

    status: Literal["ok", "error", "denied", "unknown"] = "ok"
    content: Any = None
    blobs: tuple[BlobRef, ...] = ()
    error: ErrorInfo | None = None
    label: Label = UNLABELLED
    fields: dict[str, Label] = msgspec.field(default_factory=dict)

    @property
    def influence(self) -> Label:
        """Everybody who influenced any part of it."""
        return join_all((self.label, *self.fields.values()))

    @property
    def text(self) -> str:
        """The result as the model reads it."""
        if self.error is not None:
            hint = f" ({self.error.hint})" if self.error.hint else ""
            return f"{self.status}: {self.error.message}{hint}"
        if isinstance(self.content, str):
            return self.content
        return msgspec.json.encode(self.content, order="deterministic").decode()
