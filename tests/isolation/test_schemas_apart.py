"""What an isolated plugin says with a JSON Schema is evaluated in the host, and does not hold it up."""

from __future__ import annotations

from pathlib import Path

import pytest

from gitu_core import Gitu, ToolCall
from gitu_core.config import Settings
from gitu_core.testing import ScriptedModel
from tests.registry.conftest import Site, tool_manifest

pytestmark = pytest.mark.anyio

PLAIN = '{"type": "object", "properties": {}, "additionalProperties": false}'
SLOW = '{"type": "object", "properties": {"x": {"pattern": "^(a+)+$"}}}'
SLOW_SCHEMA = """
from gitu_core import ToolResult, ToolSpec

class Slow:
    spec = ToolSpec("slow", "Says slow.", {"type": "object", "properties": {"x": {"pattern": "^(a+)+$"}}})
    async def run(self, call, context): return ToolResult(content="ran")
    async def verify(self, call, context): return ToolResult("unknown")

def gitu_tools(host): return [Slow()]
"""


async def test_the_schema_of_a_tool_does_not_hold_up_the_host(site: Site, home: Path) -> None:
    site.install("slow", SLOW_SCHEMA, tool_manifest("slow").replace(PLAIN, SLOW))
    settings = Settings(home=str(home), plugins={"slow": {"enabled": True}})
    calls = [ToolCall("c1", "slow", {"x": "a" * 40 + "!"}), ToolCall("c2", "slow", {"x": "a" * 40})]
    async with Gitu(model=ScriptedModel([*calls, "done"]), config=settings) as gitu:
        results = (await gitu.send("go", user="u")).results
    assert [each.status for each in results] == ["error", "ok"]
    assert results[0].error is not None
    assert "does not match" in results[0].error.message
