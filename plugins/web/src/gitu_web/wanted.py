"""What a request to ``/v1/chat/completions`` says, as data, and in words."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any, Literal

import msgspec

from gitu_core.errors import InputError
from gitu_web.functions import Brought

MODEL = "gitu"


class Said(msgspec.Struct):
    """One message of a request; what else it says is not looked at."""

    role: Literal["system", "developer", "user", "assistant", "tool", "function"]
    content: str | list[dict[str, Any]] | None = None
    tool_call_id: str | None = None
    tool_calls: list[dict[str, Any]] | None = None

    @property
    def calls(self) -> list[str]:
        """The ids of the calls that it holds."""
        return [str(each.get("id", "")) for each in self.tool_calls or ()]


class Wanted(msgspec.Struct):
    """A request; what else it says is for models, and the assistant chooses its own. `tools` are functions of the
    program that the assistant may call for the answer; those of the request that the talk turned to the program with
    count until it has its answer. Without `parallel_tool_calls` an answer holds one call."""

    messages: list[Said]
    model: str = MODEL
    stream: bool | None = None
    tools: list[Brought] | None = None
    tool_choice: str | dict[str, Any] | None = None
    parallel_tool_calls: bool | None = None


def words(said: Said) -> str:
    """The text of a message. `InputError` for what is no text."""
    if isinstance(said.content, list):
        if other := [each.get("type") for each in said.content if each.get("type") not in ("text", "refusal")]:
            hint = "send text here; files over POST /v1/files"
            raise InputError(f"content of the type {other[0]} is not taken here", hint=hint, field="messages")
        return "\n".join(str(each.get(str(each["type"]), "")) for each in said.content)
    return said.content or ""


def mark(said: Said) -> tuple[str, ...]:
    """What tells a message of a talk from others. Programs leave out the words beside calls, and the ids are enough."""
    if said.calls:
        return ("calls", *said.calls)
    return (said.role, words(said), *([said.tool_call_id] if said.tool_call_id else []))


def digest(messages: Sequence[tuple[str, ...]]) -> str:
    """What tells a talk from others: all that was said in it."""
    return hashlib.sha256(msgspec.json.encode(messages)).hexdigest()


def told(said: Said) -> str:
    """A message of a talk in words."""
    made = [each.get("function") or {} for each in said.tool_calls or ()]
    calls = [f"(called {each.get('name')} with {each.get('arguments')})" for each in made]
    return f"{said.role}: {' '.join(filter(None, (words(said), *calls)))}"


def shown(part: Any) -> str:
    """A part of an answer in words."""
    if choices := getattr(part, "choices", ()):
        return f"{part.question}\n{part.details}\n({' / '.join(choices)})"
    return str(getattr(part, "text", "") or getattr(part, "caption", ""))
