"""An action that a rule may take."""

from gitu_core import ToolResult
from gitu_core.contracts import ActionSpec


class Ring:
    """Rings."""

    spec = ActionSpec(
        "ring",
        "Rings a bell.",
        {"type": "object", "properties": {"times": {"type": "integer"}}, "required": ["times"]},
        effects=("write", "execute"),
        roles={"times": "amount"},
        verifiable=True,
        timeout=3.0,
    )

    async def run(self, call, context):
        """Does the work."""
        await context.progress("ringing")
        return ToolResult(content="ding " * call.arguments["times"])

    async def verify(self, call, context):
        """It always happened."""
        return ToolResult("ok", "rung")


def gitu_rule_actions(host):
    """Actions that a rule may take."""
    return [Ring()]
