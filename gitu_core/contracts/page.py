"""Console pages and commands as data, so that an isolated plugin brings its own without code in another's page."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, Protocol

import msgspec

from gitu_core.contracts.base import contract
from gitu_core.model import ToolResult, Value

__all__ = ["Block", "Command", "CommandSpec", "Page"]


class Block(Value, frozen=True):
    """One block of a page. `data` is what the kind takes: rows for a table, a JSON Schema and values for a form,
    a label and arguments for an action, series for a chart, words for a text; markup for ``html``, which is shown as
    words unless the plugin is trusted to run in the host."""

    kind: Literal["text", "table", "form", "action", "chart", "html"]
    title: str = ""
    data: dict[str, Any] = msgspec.field(default_factory=dict)
    action: str = ""


@contract("page")
class Page(Protocol):
    """A page of the console. `path` is unique within the plugin; one that begins with ``admin/`` is shown only to
    whoever may look after the installation."""

    path: str
    title: str
    icon: str

    async def blocks(self, principal: str) -> Sequence[Block]:
        """What the page shows to a principal."""

    async def act(self, principal: str, action: str, values: dict[str, Any]) -> ToolResult:
        """Does what an action or form of the page asks for."""


class CommandSpec(Value, frozen=True):
    """A subcommand of `gitu`. `arguments` is a JSON Schema of type object; its properties become options."""

    name: str
    description: str
    arguments: dict[str, Any] = msgspec.field(default_factory=lambda: {"type": "object", "properties": {}})


@contract("command")
class Command(Protocol):
    """A command that a plugin adds to `gitu`."""

    spec: CommandSpec

    async def run(self, arguments: dict[str, Any]) -> ToolResult:
        """Runs it. The text of the result is printed; a status other than ok exits non-zero."""
