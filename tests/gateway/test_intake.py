"""What cannot be accepted is refused before anything is stored; what can be mended is cleaned."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitu_core.errors import InputError
from gitu_core.gateway.intake import label_of, normalise
from gitu_core.model import Account, Ask, Conversation, Location, Message, Text


def message(*parts, key="k", conversation=None, **more):
    return Message(key, conversation or Conversation("c", "1"), Account("c", "anna"), parts, **more)


@pytest.mark.parametrize(
    "bad",
    [
        message(),
        message(Text("x"), key=""),
        message(Text("x"), key="a\nb"),
        message(Text("x"), key="x" * 600),
        message(Text("x"), conversation=Conversation("c", "")),
        message(Text("x" * 1_000_001)),
        message(*[Text("x")] * 101),
        message(Ask("1", "ok?", ("yes",))),
        message(Location(91, 0)),
        message(Location(float("nan"), 0)),
    ],
)
def test_what_can_never_be_accepted_is_refused(bad):
    with pytest.raises(InputError) as caught:
        normalise(bad)
    assert caught.value.hint


@given(st.text(alphabet=st.characters(), min_size=1))
def test_any_text_becomes_text_that_can_be_stored(text):
    cleaned = normalise(message(Text(text))).text
    cleaned.encode()
    assert "\x00" not in cleaned


def test_clean_messages_pass_untouched():
    clean = message(Text("hello"))
    assert normalise(clean) is clean


def test_what_is_said_in_private_is_for_its_author_alone_and_in_a_group_for_all():
    private = label_of(message(Text("x")), "anna")
    assert private.readers == {"user:anna"}
    group = label_of(message(Text("x"), conversation=Conversation("c", "1", kind="group")), "anna")
    assert group.readers == {"user:anna", "group:c:1"}
    assert group.origins == {"user:anna"}
    forged = label_of(message(Text("x")), "anna", vouched=False)
    assert forged.readers == {"user:anna"}
    assert not forged.trusted_for("user:anna")
