"""What goes in comes out, unknown fields included; what cannot cross is refused in words, whatever it is."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gitu_core.border.codec import codec_for
from gitu_core.contracts import HttpRequest
from gitu_core.errors import BorderError
from gitu_core.model import Label, Message, ModelEvent, Opaque, Part, Text, ToolCall, ToolResult, Usage, clean_text
from gitu_core.testing import strategies as values

SLOW = [HealthCheck.too_slow, HealthCheck.data_too_large]
QUICK = settings(max_examples=25, deadline=None, suppress_health_check=SLOW)


def encode(value: Any, hint: Any) -> bytes:
    """*value* as bytes, read through *hint*."""
    return codec_for(hint).encode(value)


def decode(data: bytes, hint: Any) -> Any:
    """The value of type *hint* that *data* holds."""
    return codec_for(hint).decode(data)


@pytest.mark.parametrize("hint", list(values.BY_TYPE), ids=str)
@QUICK
@given(data=st.data())
def test_every_value_survives_the_round_trip(hint: Any, data: st.DataObject) -> None:
    """Equal afterwards, unknown fields at every level included, and the bytes of a second trip are as
    good."""
    value = data.draw(values.BY_TYPE[hint])
    wire = encode(value, hint)
    back = decode(wire, hint)
    assert back == value
    assert decode(encode(back, hint), hint) == value
    json.loads(wire)


@QUICK
@given(values.json_objects, st.sampled_from(["poll", "opaque", "", "text2"]))
def test_a_part_that_nobody_knows_goes_back_as_it_came(data: dict[str, Any], tag: str) -> None:
    """It becomes `Opaque`, and what is sent on is what was received."""
    wire = json.dumps({**data, "type": tag}).encode()
    part = decode(wire, Part)
    assert isinstance(part, Opaque)
    assert json.loads(encode(part, Part)) == json.loads(wire)


def test_unknown_fields_come_back_where_they_were_at_every_level() -> None:
    """An older process in the middle changes nothing, not even of a field that is called like ours."""
    wire = {
        "key": "k",
        "new": None,
        "extra": {"extra": 1},
        "conversation": {"channel": "c", "id": "1", "topic": {"null": None}},
        "sender": {"channel": "c", "id": "2", "extra": "e"},
        "parts": [{"type": "text", "text": "x", "colour": [1]}, {"type": "poll", "data": {"type": "text"}}],
        "label": {"origins": ["a"], "purpose": "p"},
    }
    message = decode(json.dumps(wire).encode(), Message)
    assert message.extra == {"new": None, "extra": {"extra": 1}}
    assert message.label.extra == {"purpose": "p"}
    assert json.loads(encode(message, Message)) == wire


def test_an_event_of_an_unknown_kind_is_a_typed_error() -> None:
    """Only parts have a place for what nobody knows."""
    with pytest.raises(BorderError, match="type"):
        decode(b'{"type":"telepathy"}', ModelEvent)


def test_bytes_travel_where_the_type_says_bytes() -> None:
    """As base64, any byte."""
    request = HttpRequest("u", body=bytes(range(256)))
    assert decode(encode(request, HttpRequest), HttpRequest) == request


def nested(depth: int) -> list[Any]:
    """Lists in lists."""
    value: list[Any] = []
    for _ in range(depth):
        value = [value]
    return value


@pytest.mark.parametrize(
    ("value", "hint", "words"),
    [
        (ToolResult(content=b"raw"), ToolResult, r"raw bytes at \$\.content"),
        (ToolCall("a", "b", {"x": [0, float("nan")]}), ToolCall, r"number nan.*\$\.arguments\.x\[1\]"),
        (ToolCall("a", "b", {"x": float("-inf")}), ToolCall, r"number -inf"),
        (ToolCall("a", "b", {"x": {1: 2}}), ToolCall, r"key of type int.*\$\.arguments\.x"),
        (ToolCall("a", "\ud800"), ToolCall, r"lone surrogate.*\$\.tool"),
        (ToolCall("a", "b", {"\udfff": 1}), ToolCall, r"lone surrogate.*\\udfff"),
        (ToolResult(content=object()), ToolResult, r"object of type object at \$\.content"),
        (ToolResult(content=datetime(2026, 1, 1)), ToolResult, "datetime"),
        (ToolResult(content={1, 2}), ToolResult, "a set"),
        (ToolResult(content=Usage()), ToolResult, "a Usage"),
        (ToolResult(status="great"), ToolResult, r"\$\.status"),  # type: ignore[arg-type]
        (ToolCall("a", {}), ToolCall, r"\$\.tool"),  # type: ignore[arg-type]
        (Text("x", extra={"text": "y"}), Text, "known field 'text'"),
        (Text("x", extra={"type": "y"}), Text, "known field 'type'"),
        ("abc", Sequence[str], "array"),
        (Label(), Text, "Label"),
        (nested(100_000), Any, "too deep"),
        ("x" * (17 << 20), Any, "more than the"),
    ],
)
def test_what_cannot_cross_is_named_with_its_place(value: Any, hint: Any, words: str) -> None:
    """A BorderError, never a bare error of a library."""
    with pytest.raises(BorderError, match=words):
        encode(value, hint)


@pytest.mark.parametrize(
    "wire",
    [
        b"",
        b"null",
        b"{",
        b"\xff\xfe",
        b'"\\ud800"',
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b"NaN",
        b"1e999",
        b"[]",
        b"7",
        b'{"id":1,"tool":"t"}',
        b'{"id":"a"}',
        b'{"id":"a","tool":"\xed\xa0\x80"}',
        b'{"id":"a","tool":"t","arguments":[]}',
    ],
)
def test_hostile_bytes_are_a_typed_error(wire: bytes) -> None:
    """Nothing, nonsense, too deep, half a value, another type."""
    with pytest.raises(BorderError):
        decode(wire, ToolCall)


def test_ten_megabytes_of_text_cross() -> None:
    """Large is allowed up to the limit, and nulls are text like any other."""
    call = ToolCall("a", "b", {"text": "é" * 5_000_000 + "\x00"})
    assert decode(encode(call, ToolCall), ToolCall) == call


@QUICK
@given(st.text())
def test_clean_text_always_crosses_and_cleaning_twice_changes_nothing(text: str) -> None:
    """Whatever a channel hands over, lone surrogates included."""
    clean = clean_text(text)
    assert clean_text(clean) == clean
    assert "\x00" not in clean
    assert decode(encode(Text(clean), Text), Text).text == clean


@QUICK
@given(st.binary(max_size=60))
def test_random_bytes_never_raise_anything_else(wire: bytes) -> None:
    """Decoding gives a value or a BorderError."""
    for hint in (Message, Part, Any):
        try:
            decode(wire, hint)
        except BorderError:
            continue
