"""A command of the terminal program."""

from gitu_core import ToolResult
from gitu_core.contracts import CommandSpec


class Greet:
    """Greets."""

    spec = CommandSpec(
        "greet",
        "Greets somebody.",
        {"type": "object", "properties": {"who": {"type": "string"}, "loud": {"type": "boolean"}}, "required": ["who"]},
    )

    async def run(self, arguments):
        """The words that are printed."""
        words = f"Hello {arguments['who']}"
        return ToolResult(content=words.upper() if arguments.get("loud") else words)


def gitu_commands(host):
    """Commands of the terminal program."""
    return [Greet()]
