"""The decision about a call: a pure function of the call, its tool, the labels of the context and the turn."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from gitu_core.contracts.ports import Verdict
from gitu_core.model import Label, ToolCall, ToolSpec, TurnInfo

_READS = Verdict("allow", "it only reads")
_TRUSTED = Verdict("allow", "only people you trust wrote what led to it")


class LabelPolicy:
    """Reading is free; what acts, or sends data to a place the call chooses, needs a context without outside content.

    Where outside content has entered, a person is asked once with the exact arguments.
    """

    def decide(self, call: ToolCall, tool: ToolSpec, context: Label, turn: TurnInfo) -> Verdict:
        """What may happen, and why, in words."""
        sinks = tuple(path for path in tool.sinks if present(call.arguments, path))
        if not tool.acts and not sinks:
            return _READS
        influence = context.join(call.influence)
        if influence.trusted_for(turn.principal):
            return _TRUSTED
        sources = ", ".join(sorted(influence.origins - {turn.principal, "system"}))
        return Verdict("ask", f"{tool.name} acts after content from {sources} was read", sinks)


def present(value: Any, path: str) -> bool:
    """True if *value* has something at the dotted *path* (``*`` = any item). A path that leads
    through something without parts counts as there: a role that cannot be followed must not switch a check off."""
    return any(True for _ in _follow(value, path.split(".")))


def _follow(value: Any, path: list[str]) -> Iterator[Any]:
    if not path:
        yield value
    elif isinstance(value, dict):
        items = value.values() if path[0] == "*" else [value[path[0]]] if path[0] in value else []
        for item in items:
            yield from _follow(item, path[1:])
    elif isinstance(value, list | tuple):
        for item in value:
            # A path may leave the star out: what holds for the list holds for every item.
            yield from _follow(item, path[1:] if path[0] == "*" else path)
    elif value is not None:
        yield value
