"""Answers are split to what a channel takes; nothing is sent twice blindly."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitu_core.contracts import Channel
from gitu_core.gateway.pieces import pieces, split
from gitu_core.model import Conversation, Location, Outgoing, Text


@given(st.text(), st.integers(2, 50), st.booleans())
def test_splitting_loses_and_adds_nothing_and_keeps_the_limit(text, limit, utf16):
    found = split(text, Channel("c", max_text=limit, utf16=utf16))
    assert "".join(found) == text
    assert all(0 < (len(piece.encode("utf-16-le")) // 2 if utf16 else len(piece)) <= limit for piece in found)


def test_text_is_cut_at_words_where_it_can_and_rather_at_paragraphs():
    assert split("aaaa bbbb cccc", Channel("c", max_text=10)) == ["aaaa bbbb ", "cccc"]
    assert split("aaaaa\n\nb b b", Channel("c", max_text=11)) == ["aaaaa\n\n", "b b b"]


def test_a_channel_may_count_in_units_of_utf_16():
    assert split("😀" * 5, Channel("c", max_text=4, utf16=True)) == ["😀😀", "😀😀", "😀"]
    assert split("😀" * 4, Channel("c", max_text=4)) == ["😀" * 4]


def test_every_piece_has_a_key_of_its_own_that_stays_the_same():
    outgoing = Outgoing("i", "k", Conversation("c", "1"), (Text("x" * 25), Location(1, 2)))
    found = pieces(outgoing, Channel("c", max_text=10))
    assert [piece.key for piece in found] == ["k.0", "k.1", "k.2", "k.3"]
    assert found == pieces(outgoing, Channel("c", max_text=10))
    assert isinstance(found[-1].parts[0], Location)


@pytest.mark.parametrize("limit", [0, 100])
def test_what_fits_goes_as_it_is(limit):
    outgoing = Outgoing("i", "k", Conversation("c", "1"), (Text("short"),))
    assert pieces(outgoing, Channel("c", max_text=limit)) == [outgoing]
