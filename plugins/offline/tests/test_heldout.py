"""Sets of phrasings that were written before they were tried: how much is understood, and what must never happen."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from typing import Any

import pytest

from gitu_core.contracts import ToolSpec
from gitu_offline.choose import choose_all

from .heldout import BASICS, MADE_UP, OTHERS, Calls, shipped
from .heldout_second import MORE, SECOND

TODAY = datetime.date(2027, 1, 15)
FIRST_TOOLS = (*shipped("basics"), *MADE_UP)
SECOND_TOOLS = (*FIRST_TOOLS, *MORE)

SETS: dict[str, tuple[Sequence[ToolSpec], list[tuple[str, Calls]], int]] = {
    "shipped tools": (FIRST_TOOLS, BASICS, 39),
    "made-up tools": (FIRST_TOOLS, OTHERS, 40),
    "second set": (SECOND_TOOLS, SECOND, 30),
}
"""The tools at hand, the phrasings, and how many of them must be understood.

When each set was tried for the first time it was 32 of 40, 22 of 40 and 25 of 30.
"""

NOTHING = [(tools, said) for tools, phrasings, _ in SETS.values() for said, expected in phrasings if not expected]


def calls(tools: Sequence[ToolSpec], said: str) -> list[tuple[str, dict[str, Any]]]:
    """What is called for a text."""
    return [(choice.tool, choice.arguments) for choice in choose_all(tools, said, TODAY)]


def same(got: Calls, expected: Calls) -> bool:
    """True if every call is as expected; of a set of spellings any will do."""
    if [tool for tool, _ in got] != [tool for tool, _ in expected]:
        return False
    pairs = zip(got, expected, strict=True)
    return all(values.keys() == wanted.keys() and _fits(values, wanted) for (_, values), (_, wanted) in pairs)


def _fits(values: dict[str, Any], wanted: dict[str, Any]) -> bool:
    return all(
        str(values[name]).replace(" ", "") in value if isinstance(value, frozenset) else values[name] == value
        for name, value in wanted.items()
    )


@pytest.mark.parametrize("name", SETS)
def test_as_many_phrasings_are_understood_as_ever(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The hit rate is printed; the threshold is what has been reached."""
    tools, phrasings, least = SETS[name]
    missed = [said for said, expected in phrasings if not same(calls(tools, said), expected)]
    hits = len(phrasings) - len(missed)
    with capsys.disabled():
        print(f"\noffline model, {name}: {hits} of {len(phrasings)} = {hits / len(phrasings):.0%}; missed: {missed}")
    assert hits >= least


@pytest.mark.parametrize(("tools", "said"), NOTHING, ids=[said for _, said in NOTHING])
def test_what_no_tool_can_answer_calls_no_tool(tools: Sequence[ToolSpec], said: str) -> None:
    """Small talk, knowledge and writing; above all nothing with an effect."""
    assert calls(tools, said) == []


@pytest.mark.parametrize("order", ["as listed", "reversed"])
def test_the_order_of_the_tools_changes_nothing(order: str) -> None:
    """A score decides, not the place in a list."""
    turned = SECOND_TOOLS if order == "as listed" else SECOND_TOOLS[::-1]
    for said, expected in SECOND:
        assert same(calls(turned, said), expected), said
