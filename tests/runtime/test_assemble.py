"""Whatever a model streams becomes one message, or a clear error."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitu_core.errors import LimitReached
from gitu_core.model import UNLABELLED, CallDelta, Finish, ReasoningDelta, TextDelta
from gitu_core.runtime import assemble
from gitu_core.runtime.assemble import Assembler, read_arguments


def test_words_and_calls_are_put_together_in_order():
    parts = Assembler()
    for event in (
        ReasoningDelta("hm"),
        TextDelta("one "),
        CallDelta(1, "b", "second", "{}"),
        CallDelta(0, "a", "first", '{"x"'),
        CallDelta(0, arguments=": 1}"),
        TextDelta("two"),
        Finish("calls"),
    ):
        parts.take(event)
    message = parts.message("m", UNLABELLED)
    assert message.text == "one two"
    assert [(call.given, call.tool, call.arguments) for call in message.calls] == [
        ("a", "first", {"x": 1}),
        ("b", "second", {}),
    ]


def test_calls_with_missing_or_equal_ids_get_their_own():
    parts = Assembler()
    for index in range(3):
        parts.take(CallDelta(index, "same" if index else "", "tool", "{}"))
    ids = [call.id for call in parts.message("m", UNLABELLED).calls]
    assert len(set(ids)) == 3


@pytest.mark.parametrize("text", ["[1]", "nonsense", '{"a":', "NaN", '{"a": 1} extra', "[" * 100_000, '"\ud800"'])
def test_arguments_that_are_no_json_object_are_passed_on_as_text(text):
    arguments, raw = read_arguments(text)
    assert arguments == {}
    assert raw is not None
    raw.encode()


@given(st.dictionaries(st.text(max_size=5), st.integers() | st.text(max_size=5) | st.none(), max_size=4))
def test_arguments_survive_being_cut_anywhere(value):
    import msgspec

    try:
        text = msgspec.json.encode(value).decode()
    except (UnicodeEncodeError, OverflowError, ValueError):
        return
    parts = Assembler()
    for letter in text:
        parts.take(CallDelta(0, "a", "t", letter))
    call = parts.message("m", UNLABELLED).calls[0]
    assert call.raw is None
    assert call.arguments == msgspec.json.decode(text)


def test_a_stream_that_never_ends_is_cut(monkeypatch):
    monkeypatch.setattr(assemble, "MAX_CHARACTERS", 100)
    parts = Assembler()
    for _ in range(100):
        parts.take(TextDelta("x"))
    with pytest.raises(LimitReached):
        parts.take(TextDelta("x"))
