"""How much of what people say is understood, with tools that the plugin has never seen."""

from __future__ import annotations

import datetime
from typing import Any

import pytest

from gitu_core.contracts import ToolSpec
from gitu_offline.choose import choose_all

from .phrasings import PHRASINGS, TOOLS, spec

TODAY = datetime.date(2027, 1, 15)


def calls(tools: tuple[ToolSpec, ...], said: str) -> list[tuple[str, dict[str, Any]]]:
    """What is called for a text."""
    return [(choice.tool, choice.arguments) for choice in choose_all(tools, said, TODAY)]


def test_at_least_nine_of_ten_phrasings_are_understood(capsys: pytest.CaptureFixture[str]) -> None:
    missed = [said for said, expected in PHRASINGS if calls(TOOLS, said) != expected]
    with capsys.disabled():
        understood = f"{len(PHRASINGS) - len(missed)} of {len(PHRASINGS)}"
        print(f"\noffline model: {understood} phrasings understood; missed: {missed}")
    assert len(PHRASINGS) >= 60
    assert len(missed) <= len(PHRASINGS) // 10


@pytest.mark.parametrize("said", [said for said, expected in PHRASINGS if not expected])
def test_small_talk_and_knowledge_call_no_tool(said: str) -> None:
    assert calls(TOOLS, said) == []


@pytest.mark.parametrize("said", [said for said, _ in PHRASINGS])
def test_a_tool_whose_required_arguments_are_missing_is_never_called(said: str) -> None:
    specs = {tool.name: tool for tool in TOOLS}
    for name, arguments in calls(TOOLS, said):
        assert set(specs[name].input_schema["required"]) <= set(arguments)


def test_the_same_request_gives_the_same_calls_whatever_the_order_of_the_tools() -> None:
    for said, _ in PHRASINGS[:20]:
        assert calls(TOOLS, said) == calls(TOOLS[::-1], said)


def test_a_tool_nobody_has_seen_is_used_by_its_description_and_examples_alone() -> None:
    tool = ToolSpec(
        "zorblax",
        "Estimates how long bread must be baked.",
        {
            "type": "object",
            "properties": {"grams": {"type": "number"}, "crust": {"type": "string", "enum": ["soft", "dark"]}},
            "required": ["grams"],
        },
        examples=("Bake a loaf of 500 grams",),
    )
    assert calls((*TOOLS, tool), "how long must I bake 750 grams of bread with a dark crust?") == [
        ("zorblax", {"grams": 750, "crust": "dark"})
    ]


def test_a_question_does_not_trigger_a_tool_that_acts() -> None:
    wipe = spec("wipe_disk", "Erases a disk.", "disk", True, disk={"type": "string"})
    assert calls((wipe,), "what does it mean to erase a disk?") == []
    assert calls((wipe,), "erase disk sda") == [("wipe_disk", {"disk": "sda"})]
