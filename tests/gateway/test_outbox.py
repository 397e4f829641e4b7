"""Answers are split to what a channel takes; nothing is sent twice blindly."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitu_core.gateway.pieces import pieces, split
from gitu_core.model import Conversation, Location, Outgoing, Text


@given(st.text(), st.integers(1, 50))
def test_splitting_loses_and_adds_nothing_and_keeps_the_limit(text, limit):
    found = split(text, limit)
    assert "".join(found) == text
    assert all(0 < len(piece) <= limit for piece in found)


def test_text_is_cut_at_words_where_it_can():
    assert split("aaaa bbbb cccc", 10) == ["aaaa bbbb ", "cccc"]


def test_every_piece_has_a_key_of_its_own_that_stays_the_same():
    outgoing = Outgoing("i", "k", Conversation("c", "1"), (Text("x" * 25), Location(1, 2)))
    found = pieces(outgoing, 10)
    assert [piece.key for piece in found] == ["k.0", "k.1", "k.2", "k.3"]
    assert found == pieces(outgoing, 10)
    assert isinstance(found[-1].parts[0], Location)


@pytest.mark.parametrize("limit", [0, 100])
def test_what_fits_goes_as_it_is(limit):
    outgoing = Outgoing("i", "k", Conversation("c", "1"), (Text("short"),))
    assert pieces(outgoing, limit) == [outgoing]
