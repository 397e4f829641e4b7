"""Every kind of part on its way in: cleaned, or refused with the reason."""

from __future__ import annotations

import pytest

from gitu_core.errors import InputError
from gitu_core.gateway.intake import MAX_PARTS, MAX_TEXT, normalise
from gitu_core.model import Account, Answer, Ask, BlobRef, Conversation, Location, Media, Message, Part, Reaction, Text

DIRTY = "a\x00b"
"""Text with a character that nobody typed."""


def message(*parts: Part) -> Message:
    """A message of these parts."""
    return Message("k", Conversation("test", "ana"), Account("test", "ana"), parts)


@pytest.mark.parametrize(
    ("part", "field"),
    [
        (Text(DIRTY), "text"),
        (Media("image", BlobRef("0" * 64, 1, "image/png"), caption=DIRTY), "caption"),
        (Answer(DIRTY, "yes"), "ask"),
        (Answer("ask", DIRTY), "choice"),
        (Location(1.0, 2.0, DIRTY), "name"),
        (Reaction(DIRTY), "emoji"),
    ],
    ids=lambda each: each if isinstance(each, str) else type(each).__name__,
)
def test_words_are_cleaned_in_every_kind_of_part(part: Part, field: str) -> None:
    (cleaned,) = normalise(message(part)).parts
    assert type(cleaned) is type(part)
    assert "\x00" not in getattr(cleaned, field)


@pytest.mark.parametrize("place", [Location(90.1, 0.0), Location(0.0, -180.5), Location(float("nan"), 0.0)])
def test_a_place_that_is_nowhere_is_refused(place: Location) -> None:
    with pytest.raises(InputError, match="not on this planet"):
        normalise(message(place))


def test_what_no_person_can_send_is_refused() -> None:
    with pytest.raises(InputError, match="question of ours"):
        normalise(message(Ask("a", "May I?", ("yes", "no"))))
    with pytest.raises(InputError, match="parts"):
        normalise(message(*[Text("x")] * (MAX_PARTS + 1)))
    with pytest.raises(InputError, match="longer than"):
        normalise(message(Text("x" * MAX_TEXT), Text("y")))
