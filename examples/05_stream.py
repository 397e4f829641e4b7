"""Watch a turn while it runs: partial words, tools at work, and the reply at the end."""

import anyio

from gitu_core import AnswerDelta, Gitu, ToolFinished, ToolStarted, TurnFinished


async def main() -> None:
    async with Gitu(model="offline/offline", use=["calculate"]) as gitu:
        async for event in gitu.stream("What is 12 * 12?", user="u1"):
            match event:
                case ToolStarted(call=call):
                    print(f"[{call.tool} {call.arguments}]")
                case ToolFinished(result=result):
                    print(f"[{result.status}]")
                case AnswerDelta(text=text):
                    print(text, end="")
                case TurnFinished(reply=reply):
                    print(f"\n({reply.status}, {reply.usage.output_tokens > 0})")


anyio.run(main)
