"""The error tree: codes, words, places, and the way over the border."""

from __future__ import annotations

import re

import pytest
from hypothesis import given

from gitu_core import errors
from gitu_core.border.faults import pack, unpack
from gitu_core.errors import GituError, NotReady, RateLimited, by_code
from gitu_core.testing.strategies import json_objects, texts

OURS = sorted(name for name in errors.__all__)


def test_every_error_has_a_code_of_its_own() -> None:
    """So that the same class can be raised on the other side."""
    classes = [getattr(errors, name) for name in OURS]
    assert len({kind.code for kind in classes}) == len(classes)
    known = by_code()
    assert {kind.code: kind for kind in classes}.items() <= known.items()


def test_the_tree_that_is_drawn_is_the_tree_that_is_there() -> None:
    """Every class of the picture exists and stands below the class that the picture shows."""
    stack: list[tuple[int, type]] = []
    drawn = set()
    for line in (errors.__doc__ or "").splitlines():
        found = re.match(r"^ {4}([│ ├└─]*)([A-Z]\w+)", line)
        if found is None:
            continue
        depth, kind = len(found[1]), getattr(errors, found[2])
        while stack and stack[-1][0] >= depth:
            stack.pop()
        if stack:
            assert kind.__bases__ == (stack[-1][1],)
        stack.append((depth, kind))
        drawn.add(found[2])
    assert drawn == set(OURS)


@pytest.mark.parametrize("name", OURS)
@given(message=texts, hint=texts, details=json_objects)
def test_every_error_crosses_as_itself(name: str, message: str, hint: str, details: dict[str, object]) -> None:
    """With its message, hint and details; what is empty counts as absent."""
    kind = getattr(errors, name)
    error = kind(message, hint=hint)
    error.details.update(details)
    back = unpack(pack(error))
    assert type(back) is kind
    assert (back.message, back.details) == (error.message.replace("\x00", "\u2400"), _clean(error.details))
    assert back.hint == hint.replace("\x00", "\u2400")


def _clean(details: dict[str, object]) -> dict[str, object]:
    return {key.replace("\x00", "\u2400"): value for key, value in details.items()}


def test_an_error_says_what_where_and_what_next() -> None:
    """What is known already stays."""
    error = GituError("broke", hint="mend it", plugin="p", empty="", none=None)
    assert error.details == {"plugin": "p"}
    assert error.at(plugin="other", version="1", hook="", file=None) is error
    assert str(error) == "p 1: broke (next: mend it)"
    assert str(NotReady()) == "NotReady"


def test_how_long_to_wait() -> None:
    """In seconds where the other side said so, else None."""
    assert RateLimited("x", retry_after=2).retry_after == 2.0
    assert NotReady("x").retry_after is None
    assert NotReady("x", retry_after="soon").retry_after is None
