"""A plugin is an object with functions named like hooks. Here it lives in the application itself."""

import anyio

from gitu_core import Gitu, Host, Message, ToolResult, tool
from gitu_core.contracts import ToolCall, TurnInfo


@tool
def dice(sides: int = 6) -> int:
    """Rolls a dice with a number of sides."""
    return sides  # a very lucky dice, so that this example always prints the same


class Plugin:
    """Offers a tool, watches messages, and forbids dice with more than a hundred sides."""

    def gitu_tools(self, host: Host) -> list[object]:
        return [dice]

    def gitu_message_received(self, message: Message) -> None:
        print(f"somebody said: {message.text}")

    def gitu_guard_call(self, call: ToolCall) -> str | None:
        return "that is no dice" if call.arguments.get("sides", 6) > 100 else None

    async def gitu_tool_called(self, turn: TurnInfo, call: ToolCall, result: ToolResult) -> None:
        print(f"{call.tool} gave {result.text}")


async def main() -> None:
    async with Gitu(model="offline/offline", plugins=[Plugin()]) as gitu:
        print((await gitu.send("Roll a dice with 20 sides", user="u1")).text)


anyio.run(main)
