"""How many tokens something takes, roughly and fast: no tokenizer is loaded, and the guess errs upwards."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import msgspec

from gitu_core.model.chat import ModelMessage
from gitu_core.model.message import Media, Opaque, Text
from gitu_core.model.spec import ToolSpec

V = TypeVar("V")

BYTES_A_TOKEN = 3.5
"""English takes about 4 bytes a token; other scripts have more bytes a letter, which this counts against them."""

IMAGE_TOKENS = 1_000
"""What providers charge for an image of ordinary size."""

_FRAME = 4


def text_tokens(text: str) -> int:
    """The tokens that *text* takes, roughly."""
    return int(len(text.encode("utf-8", "replace")) / BYTES_A_TOKEN) + 1


def message_tokens(message: ModelMessage) -> int:
    """The tokens that one entry of a context takes, roughly, with what frames it."""
    total = _FRAME
    for part in message.parts:
        if isinstance(part, Text):
            total += text_tokens(part.text)
        elif isinstance(part, Media):
            total += IMAGE_TOKENS + text_tokens(part.caption)
        elif not isinstance(part, Opaque):
            total += text_tokens(str(part))
    for call in message.calls:
        total += _FRAME + text_tokens(call.tool) + text_tokens(call.raw or "")
        total += int(len(msgspec.json.encode(call.arguments)) / BYTES_A_TOKEN)
    return total


def spec_tokens(spec: ToolSpec) -> int:
    """The tokens that offering a tool takes, roughly."""
    return _FRAME + text_tokens(spec.description) + int(len(msgspec.json.encode(spec.input_schema)) / BYTES_A_TOKEN)


class _Measured(weakref.ref[Any]):
    """What was measured. When the value dies its identity may be given to another one: the entry dies with it."""

    __slots__ = ("key", "tokens")
    key: int
    tokens: int


_known: dict[int, _Measured] = {}
"""What was measured, by identity."""


def _forget(gone: _Measured) -> None:
    _known.pop(gone.key, None)


def _total(values: Sequence[V], measure: Callable[[V], int]) -> int:
    total = 0
    for value, entry in zip(values, map(_known.get, map(id, values)), strict=True):
        if entry is None:
            entry = _Measured(value, _forget)
            entry.key, entry.tokens = id(value), measure(value)
            _known[entry.key] = entry
        total += entry.tokens
    return total


def tokens_of(messages: Sequence[ModelMessage], tools: Sequence[ToolSpec] = ()) -> int:
    """The tokens that messages and offered tools take together, roughly. Values never change, so that each is measured
    once while it lives."""
    return _total(messages, message_tokens) + _total(tools, spec_tokens)
