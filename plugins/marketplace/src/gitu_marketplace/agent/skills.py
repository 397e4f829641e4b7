"""The skills of a package: their instructions and files are read when a model asks for them, and never run."""

from __future__ import annotations

from pathlib import Path

from gitu_core.contracts import Context, ToolCall, ToolResult, ToolSpec
from gitu_core.errors import ToolError

LARGEST, MOST = 256 << 10, 200
"""Bytes that a file may have to be read, and how many files are named."""


class SkillTool:
    """Gives the instructions of a skill, or one of its files. *folder* holds a folder for each skill."""

    def __init__(self, spec: ToolSpec, folder: Path) -> None:
        self.spec = spec
        self._folder = folder

    async def run(self, call: ToolCall, context: Context) -> ToolResult:
        """Reads; every path stays in the skill's own folder."""
        skill = self._folder / call.arguments["skill"]
        if file := call.arguments.get("file"):
            return ToolResult(content=_text(_inside(skill, file), file))
        head, _, body = _text(skill / "SKILL.md", "SKILL.md").partition("\n---")
        body = body.partition("\n")[2] if head.startswith("---") else f"{head}{body}"
        files = sorted(each.relative_to(skill).as_posix() for each in skill.rglob("*") if each.is_file())
        named = [each for each in files if each != "SKILL.md"]
        left = {"more_files": len(named) - MOST} if len(named) > MOST else {}
        return ToolResult(content={"instructions": body.strip(), "files": named[:MOST], **left})

    async def verify(self, call: ToolCall, context: Context) -> ToolResult:
        """Reading leaves nothing to look for."""
        return await self.run(call, context)


def _inside(skill: Path, file: str) -> Path:
    parts = file.removeprefix("./").split("/")
    place = skill.joinpath(*parts)
    if "\0" in file or "\\" in file or file.startswith("/") or any(each in ("", ".", "..") for each in parts):
        raise ToolError(f"{file[:100]!r} is no file of the skill", hint="name it as in the list of its files")
    try:
        there = place.resolve().is_relative_to(skill.resolve()) and place.is_file()
    except (OSError, ValueError):  # no file system has such a name
        there = False
    if not there:
        raise ToolError(f"the skill has no file {file[:100]!r}", hint="name one of the list that the skill gives")
    return place


def _text(place: Path, name: str) -> str:
    with open(place, "rb") as stream:
        data = stream.read(LARGEST + 1)
    if len(data) > LARGEST:
        raise ToolError(f"{name} has more than {LARGEST >> 10} KiB", hint="do without it")
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise ToolError(f"{name} is no text", hint="do without it") from error
