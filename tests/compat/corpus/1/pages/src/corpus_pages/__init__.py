"""A page with a block of every kind."""

from gitu_core import ToolResult
from gitu_core.contracts import Block, ErrorInfo


class Board:
    """A board."""

    path, title, icon = "board", "Board", "b"

    async def blocks(self, principal):
        """One of each kind."""
        return [
            Block("text", "Hello", {"text": f"Hello {principal}"}),
            Block("table", data={"rows": [{"a": 1}]}),
            Block("form", data={"schema": {"type": "object", "properties": {}}, "values": {}}, action="save"),
            Block("action", "Clear", {"label": "Clear", "arguments": {}}, "clear"),
            Block("chart", data={"series": [[0, 1], [1, 2]]}),
        ]

    async def act(self, principal, action, values):
        """Saves, and can do nothing else."""
        if action == "save":
            return ToolResult(content=values)
        return ToolResult("error", error=ErrorInfo("input", f"no {action}", "save instead", {"by": principal}))


def gitu_pages(host):
    """Pages of the console."""
    return [Board()]
