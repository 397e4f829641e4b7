"""What a command of the operator is made of: its arguments as JSON Schema, and the work that it does."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from gitu_core import Host, ToolResult
from gitu_core.contracts import Admin, CommandSpec

Given = dict[str, Any]
"""What was said behind the command; what was not said is not there."""

Work = Callable[[Admin, Given], Awaitable[str | tuple[str, bool]]]
"""Gives what is printed and, where that is not plain, whether all is well: if not, the command ends with 1."""


class Order:
    """One command; *work* does it. What is *needed* stands alone, in this order."""

    def __init__(
        self, host: Host, name: str, description: str, work: Work, needed: Sequence[str] = (), /, **options: Any
    ) -> None:
        schema = {"type": "object", "properties": options, "required": [*needed]}
        self.spec = CommandSpec(name, description, schema)
        self._host, self._work = host, work

    async def run(self, arguments: dict[str, Any]) -> ToolResult:
        """Does it."""
        said = await self._work(self._host.admin, arguments)
        text, fine = (said, True) if isinstance(said, str) else said
        return ToolResult("ok" if fine else "error", text)


def text(description: str, **more: Any) -> Given:
    """An option that is a text."""
    return {"type": "string", "description": description, **more}


def words(description: str) -> Given:
    """Any number of words that stand alone."""
    return {"type": "array", "items": {"type": "string"}, "description": description}


def flag(description: str) -> Given:
    """An option that is said or not."""
    return {"type": "boolean", "description": description}


def pairs(description: str, shape: str) -> Given:
    """An option that is said again for another one."""
    return {**words(description), "title": shape, "x-gitu": "option"}


def action(description: str, *choices: str) -> Given:
    """What to do; the first of its words where nothing is said."""
    return text(description, enum=list(choices), default=choices[0])


JSON = flag("print JSON")
