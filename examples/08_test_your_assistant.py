"""Test an application without any model: a script stands in for it and tells what was left over."""

import anyio

from gitu_core import Gitu, ToolCall, tool
from gitu_core.testing import ScriptedModel

SENT: list[str] = []


@tool(effects=["send"], roles={"to": "recipient", "text": "body"})
def send_mail(to: str, text: str) -> str:
    """Sends a mail."""
    SENT.append(f"{to}: {text}")
    return "sent"


async def main() -> None:
    model = ScriptedModel([ToolCall("1", "send_mail", {"to": "bob@example.org", "text": "Hi"}), "I told Bob."])
    async with Gitu(model=model, tools=[send_mail]) as gitu:
        reply = await gitu.send("Say hi to Bob", user="u1")
    assert reply.text == "I told Bob."
    assert SENT == ["bob@example.org: Hi"]
    model.assert_complete()
    print("passed")


anyio.run(main)
