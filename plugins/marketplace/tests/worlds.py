"""The tools of a package, for processes that die: the server is the world of the crash tests, which counts."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from mcp_types import CallToolResult, TextContent

from gitu_core.contracts import CallInfo, ToolCall
from gitu_core.testing import CountingTool, World
from gitu_marketplace.agent.agreed import Agreed, Pinned, Skill, skills_spec, tool_spec
from gitu_marketplace.agent.link import Said, said
from gitu_marketplace.agent.skills import SkillTool
from gitu_marketplace.agent.tools import ServerTool

from .packs import SKILL, write_package

SCHEMA = {"type": "object", "properties": {"item": {"type": "string"}}, "required": ["item"]}


class Counting:
    """A server that does whatever it is asked for, as often as it is asked."""

    agree = "gitu plugins tools lamps"

    def __init__(self, world: World) -> None:
        self._tool = CountingTool(world)

    async def listed(self) -> dict[str, Said]:
        """Its tools."""
        return {"pay": said("pay", "Pays for an item.", SCHEMA)}

    async def call(self, name: str, arguments: dict[str, Any], seconds: float, key: str) -> CallToolResult:
        """Does it."""
        context: Any = SimpleNamespace(info=CallInfo("1", key))
        result = await self._tool.run(ToolCall("1", name, arguments), context)
        return CallToolResult(content=[TextContent(type="text", text=result.text)])


def tools(world: World) -> list[Any]:
    """What a package with a skill and a server hands over; the scenarios call the server's tool."""
    skill = skills_spec(Agreed("lamps", "lamps", (Skill("wire", "How to wire."),)))
    assert skill is not None
    spec = tool_spec("pay", "Pays for an item.", SCHEMA)
    server: Any = Counting(world)
    folder = write_package(world.folder, skills={"wire": SKILL.format(name="wire")}) / "skills"
    return [
        SkillTool(skill, folder),
        ServerTool(Pinned("shop", "pay", said("pay", "Pays for an item.", SCHEMA).digest, spec), server),
    ]
