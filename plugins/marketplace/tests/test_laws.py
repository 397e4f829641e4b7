"""The tools of a package keep the laws of the contract: its skills, and what a server offers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import anyio
import anyio.lowlevel
import pytest
from mcp_types import CallToolResult, TextContent

from gitu_core import Tool
from gitu_core.testing.conformance import ToolLaws
from gitu_marketplace.agent.agreed import Agreed, Pinned, Skill, skills_spec, tool_spec
from gitu_marketplace.agent.link import Said, said
from gitu_marketplace.agent.skills import SkillTool
from gitu_marketplace.agent.tools import ServerTool

from .packs import SKILL, write_package


class Shelved:
    """The folder of a skill."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def state(self) -> str:
        """All of it."""
        return self._file.read_text("utf-8")

    def plant(self, text: str) -> None:
        """An author who writes what they like."""
        self._file.write_text(f"{SKILL.format(name='wire')}\n{text}", "utf-8")


class TestSkills(ToolLaws):
    """The one tool for all skills."""

    crash = {"tools": "plugins.marketplace.tests.worlds:tools"}  # noqa: RUF012 - never changed

    @pytest.fixture
    def folder(self, tmp_path: Path) -> Path:
        return write_package(tmp_path, skills={"wire": SKILL.format(name="wire")}) / "skills"

    @pytest.fixture
    def tool(self, folder: Path) -> Tool:
        spec = skills_spec(Agreed("lamps", "lamps", (Skill("wire", "How to wire."),)))
        assert spec is not None
        return SkillTool(spec, folder)

    @pytest.fixture
    def remote(self, folder: Path) -> Shelved:
        return Shelved(folder / "wire/SKILL.md")

    def arguments(self, spec: Any, number: int) -> dict[str, Any]:
        return {"skill": "wire"}


class Answering:
    """A server of one tool, in this process: what is written to it, it keeps and gives back."""

    agree = "gitu plugins tools lamps"

    def __init__(self) -> None:
        self.kept = ""
        self._answers: dict[str, str] = {}

    async def listed(self) -> dict[str, Said]:
        """Its tools."""
        return {"do": said("do", "Does it.", {"type": "object"})}

    async def call(self, name: str, arguments: dict[str, Any], seconds: float, key: str) -> CallToolResult:
        """Does it, once a key."""
        await anyio.lowlevel.checkpoint()
        if key not in self._answers:
            self.kept += arguments["text"]
            self._answers[key] = self.kept
        return CallToolResult(content=[TextContent(type="text", text=self._answers[key])])

    def state(self) -> str:
        """All that it keeps."""
        return self.kept

    def plant(self, text: str) -> None:
        """Somebody else's words."""
        self.kept = text


class TestServers(ToolLaws):
    """A tool of a server."""

    crash = {"tools": "plugins.marketplace.tests.worlds:tools"}  # noqa: RUF012 - never changed

    @pytest.fixture
    def remote(self) -> Answering:
        return Answering()

    @pytest.fixture
    def tool(self, remote: Any) -> Tool:
        schema = {"type": "object", "properties": {"text": {"type": "string"}}, "required": ["text"]}
        digest = said("do", "Does it.", {"type": "object"}).digest
        return ServerTool(Pinned("house", "do", digest, tool_spec("lamps_house_do", "Does it.", schema)), remote)

    def arguments(self, spec: Any, number: int) -> dict[str, Any]:
        return {"text": f"{number}"}
