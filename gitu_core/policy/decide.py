"""The decision about a call: a pure function of the call, its tool, the labels of the context and the turn."""

from __future__ import annotations

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
        if not tool.acts and not any(name in call.arguments for name in tool.sinks):
            return _READS
        if context.join(call.label).trusted_for(turn.principal):
            return _TRUSTED
        sources = sorted(context.join(call.label).origins - {turn.principal, "system"})
        return Verdict("ask", f"{tool.name} acts after content from {', '.join(sources)} was read")
