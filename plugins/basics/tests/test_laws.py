"""Every tool of the plugin keeps the laws of the contract."""

from __future__ import annotations

from typing import Any

import pytest

from gitu_basics.tools import make_tools
from gitu_core import Tool, ToolCall
from gitu_core.contracts import CallInfo, Entry, from_outside
from gitu_core.testing.conformance import ToolLaws

from .conftest import NOW, Call


class Kept:
    """What the host keeps for the plugin."""

    def __init__(self, host: Any) -> None:
        self.host = host

    def state(self) -> dict[str, Entry]:
        """All of it."""
        return dict(self.host.kv.entries)

    async def plant(self, text: str) -> None:
        """A note that a page from outside wrote."""
        value = {"text": text, "written": "2026-11-22T05:05:00+00:00", "call": "other"}
        key = f"note/ana/{len(self.host.kv.entries) + 1:09}"
        await self.host.kv.put(Entry(key=key, value=value, person="ana", label=from_outside("web:a.example")))


class Basics(ToolLaws):
    """One of the tools, on a host of the tests."""

    name = ""

    @pytest.fixture
    def tool(self, host: Any) -> Tool:
        return next(each for each in make_tools(host, lambda: NOW) if each.spec.name == self.name)

    @pytest.fixture
    def remote(self, host: Any) -> Kept:
        return Kept(host)


class OfArguments(Basics):
    """A tool that knows nothing but its arguments, so that nobody else's words can come back."""

    async def test_t7_what_others_wrote_is_named_or_labelled(self, subject: Tool) -> None:  # type: ignore[override]
        assert subject.spec.writers == {"": "system"}


class TestClock(OfArguments):
    name = "clock"


class TestCalculate(OfArguments):
    name = "calculate"

    def arguments(self, spec: Any, number: int) -> dict[str, Any]:
        return {"expression": f"15% of 80 + {number}"}


class TestConvert(OfArguments):
    name = "convert"

    def arguments(self, spec: Any, number: int) -> dict[str, Any]:
        return {"value": number, "source": "miles", "target": "km"}


class TestNote(OfArguments):
    name = "note"

    def arguments(self, spec: Any, number: int) -> dict[str, Any]:
        return {"text": f"buy {number} eggs"}

    async def test_t7_what_others_wrote_is_named_or_labelled(self, subject: Tool) -> None:  # type: ignore[override]
        result = await self.called(subject, 1, "key")
        assert result.content["text"].endswith("buy 1 eggs"), "it gives back what the caller wrote, and labels"


class TestNotes(Basics):
    name = "notes"


class TestForgetNote(Basics):
    """The notes 1 to 70 are there."""

    name = "forget_note"

    @pytest.fixture
    async def tool(self, host: Any, anyio_backend: str) -> Tool:
        tools = {each.spec.name: each for each in make_tools(host, lambda: NOW)}
        for number in range(1, 71):
            info = CallInfo(call=str(number), key=f"before-{number}", principal="user:ana")
            await tools["note"].run(ToolCall(info.call, "note", {"text": f"note {number}"}), Call(info))
        return tools["forget_note"]

    def arguments(self, spec: Any, number: int) -> dict[str, Any]:
        return {"number": number + 1}

    async def test_t7_what_others_wrote_is_named_or_labelled(self, subject: Tool) -> None:  # type: ignore[override]
        result = await self.called(subject, 1, "key")
        assert result.content == {"number": 2, "text": "Note 2 is gone."}, "nothing that anybody wrote"
