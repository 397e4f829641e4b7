"""What leaves the house: an export without secrets, whose parts still fit each other; and one without any content."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from gitu_core.config import Profile
from gitu_core.model import (
    Ask,
    BlobRef,
    ErrorInfo,
    Location,
    Media,
    ModelMessage,
    Opaque,
    Reaction,
    Reply,
    Text,
    ToolCall,
    ToolResult,
)  # fmt: skip
from gitu_core.model.steps import CallAnswered, CallDecided, CallFinished, ModelAnswered
from gitu_core.runtime.fold import tool_message
from gitu_core.runtime.turn import digest_of
from gitu_core.testing.replay.file import Export, Recorded, RecordedTurn, Said
from gitu_core.testing.replay.redact import Redactor

_EMPTY: dict[type, dict[str, Any]] = {
    Text: {"text": ""}, Media: {"caption": ""}, BlobRef: {"name": ""}, Location: {"latitude": 0.0, "longitude": 0.0},
    Reaction: {"emoji": ""}, Opaque: {"data": {}}, Ask: {"question": "", "details": ""}, ModelMessage: {"state": {}},
    ToolCall: {"arguments": {}, "raw": None, "state": {}}, ToolResult: {"content": None}, Reply: {"data": None},
    ErrorInfo: {"message": "", "hint": "", "details": {}}, Profile: {"instructions": ""}, CallFinished: {"handle": ""},
    RecordedTurn: {"tools": ()},
}  # fmt: skip
"""What an export without content leaves out."""


def without_secrets(whole: Export, known: Mapping[str, str]) -> Export:
    """The export without secrets: those that are *known* by name, and what looks like one."""
    redactor = Redactor(known)
    clean: Export = redactor(whole)
    pairs = list(zip(whole.turns, clean.turns, strict=True))
    turns = tuple(_bound_again(before, after, Redactor(known)) for before, after in pairs)
    results = {id: found for pair in pairs for id, found in _results(*pair)}
    history = (_said_again(*pair, results) for pair in zip(whole.history, clean.history, strict=True))
    return msgspec.structs.replace(clean, turns=turns, history=tuple(history), redacted=dict(redactor.counts))


def without_content(value: Any) -> Any:
    """*value* without what people, models and tools said."""
    if isinstance(value, msgspec.Struct):
        empty = _EMPTY.get(type(value), {})
        fields = {name: without_content(getattr(value, name)) for name in value.__struct_fields__ if name not in empty}
        return type(value)(**fields, **empty)
    if isinstance(value, dict):
        return {key: without_content(item) for key, item in value.items()}
    return tuple(map(without_content, value)) if isinstance(value, tuple) else value


def _bound_again(before: RecordedTurn, after: RecordedTurn, quiet: Redactor) -> RecordedTurn:
    """The clean turn, with choices bound to the arguments that it has now."""
    steps = [each.step for one in (before, *before.inner) for each in one.steps]
    digests = {digest_of(step.call): digest_of(quiet(step.call)) for step in steps if isinstance(step, CallDecided)}

    def bound(value: Any) -> Any:
        return msgspec.structs.replace(value, digest=digests.get(value.digest, value.digest))

    def again(one: RecordedTurn) -> RecordedTurn:
        taken = (
            Recorded(bound(each.step), each.at) if isinstance(each.step, CallAnswered) else each for each in one.steps
        )
        return msgspec.structs.replace(one, steps=tuple(taken), approvals=tuple(map(bound, one.approvals)))

    return msgspec.structs.replace(again(after), inner=tuple(map(again, after.inner)))


def _results(before: RecordedTurn, after: RecordedTurn) -> Iterator[tuple[str, tuple[ModelMessage, ModelMessage]]]:
    """The results of a turn as a model read them and as it would read the clean ones, by the ids of their messages: a
    clean text and the text of what is clean may differ in the order of names."""
    calls: dict[str, tuple[ToolCall, ToolCall]] = {}
    for was, now in zip((each.step for each in before.steps), (each.step for each in after.steps), strict=True):
        if isinstance(was, ModelAnswered) and isinstance(now, ModelAnswered):
            calls |= {pair[1].id: pair for pair in zip(was.message.calls, now.message.calls, strict=True)}
        elif isinstance(was, CallFinished) and isinstance(now, CallFinished) and now.call in calls:
            first, second = calls[now.call]
            message = tool_message(second, now.result, now.handle)
            yield message.id, (tool_message(first, was.result, was.handle), message)


def _said_again(before: Said, after: Said, results: dict[str, tuple[ModelMessage, ModelMessage]]) -> Said:
    was, now = results.get(after.message.id, (None, after.message))
    return msgspec.structs.replace(after, message=now) if was == before.message else after
