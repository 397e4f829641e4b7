"""Identifiers, names, text, and the small computed properties of values."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitu_core.errors import InputError
from gitu_core.model import (
    BlobRef,
    ErrorInfo,
    Media,
    Message,
    ModelMessage,
    Outgoing,
    Reply,
    Text,
    ToolResult,
    ToolSpec,
    Usage,
    check_name,
    clean_text,
    is_sink,
    new_id,
    user_message,
)
from gitu_core.model.base import MAX_NAME
from gitu_core.testing.strategies import accounts, conversations, json_values, part_lists, usages


@given(st.floats(0, 2**37), st.floats(0, 2**37))
def test_new_ids_sort_by_time(early: float, late: float) -> None:
    """To the millisecond; within one, any order."""
    early, late = sorted((early, late))
    a, b = new_id(early), new_id(late)
    assert len(a) == len(b) == 26
    assert a != b
    if int(late * 1000) > int(early * 1000):
        assert a < b


def test_new_ids_do_not_repeat() -> None:
    """Ten thousand in the same millisecond are all different, and all are names."""
    ids = {new_id(1.0) for _ in range(10_000)}
    assert len(ids) == 10_000
    assert all(check_name(id, "id") == id for id in list(ids)[:10])


@given(st.text(st.characters(exclude_categories=["Cs"])).filter(lambda text: "\x00" not in text))
def test_text_without_anything_wrong_is_left_alone(text: str) -> None:
    """Line ends, private use, emoji, right-to-left marks."""
    assert clean_text(text) == text


def test_text_is_repaired_where_no_store_could_keep_it() -> None:
    """Two halves that belong together become the character that they are."""
    assert clean_text("a\x00b") == "a\u2400b"
    assert clean_text("\ud83d\ude00") == "\U0001f600"
    assert clean_text("x\ud83d") == "x\ufffd"
    with pytest.raises(InputError, match="int"):
        clean_text(7)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["", "a" * (MAX_NAME + 1), "a\nb", "\x00", "\ud800", None, 7, b"x"])
def test_what_is_no_name_is_refused(name: object) -> None:
    """The error names the field."""
    with pytest.raises(InputError, match="sender") as caught:
        check_name(name, "sender")  # type: ignore[arg-type]
    assert caught.value.details["field"] == "sender"


@given(usages, usages, usages)
def test_usage_adds_up(a: Usage, b: Usage, c: Usage) -> None:
    """In any grouping, and nothing is the zero."""
    assert (a + b) + c == a + (b + c)
    assert (a + Usage()).cost == a.cost


@given(part_lists, accounts, conversations)
def test_text_of_parts_is_the_same_wherever_the_parts_are(parts, sender, conversation) -> None:  # type: ignore[no-untyped-def]
    """Message, outgoing, model message and reply agree."""
    words = Message("k", conversation, sender, parts).text
    assert Outgoing("i", "k", conversation, parts).text == ModelMessage("user", parts).text == words
    assert Reply("t", "s", parts=parts).text == words


def test_captions_are_words_too() -> None:
    """One part a line."""
    media = Media(BlobRef("sha256:0", 1), caption="a cat")
    assert ModelMessage("user", (Text("look"), media, Media(BlobRef("d", 1)))).text == "look\na cat"
    assert user_message("hi").text == "hi"


@given(json_values)
def test_a_result_always_has_words_for_the_model(content: object) -> None:
    """Text as it is, anything else as JSON; an error with its next step."""
    text = ToolResult(content=content).text
    assert text == content if isinstance(content, str) else text
    assert ToolResult("error", error=ErrorInfo("tool", "broken", "mend it")).text == "error: broken (mend it)"


def test_roles_that_nobody_knows_count_as_sinks() -> None:
    """Safe by default, with or without a kind behind the role."""
    assert is_sink("recipient")
    assert is_sink("reference:invoice")
    assert is_sink("something new")
    assert not is_sink("body")
    spec = ToolSpec("send", "d", effects=("send",), roles={"to": "recipient", "text": "body"})
    assert spec.sinks == ("to",)
    assert spec.acts
    assert not ToolSpec("read", "d").acts
