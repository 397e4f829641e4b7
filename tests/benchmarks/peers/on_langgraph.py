"""LangGraph's prebuilt agent, with its SQLite saver: a thread a user, of which the request takes the last turn."""

import warnings
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

from tests.benchmarks.exchange import ANSWER, INSTRUCTIONS, QUESTION, note
from tests.benchmarks.measure import Send
from tests.benchmarks.variants import KEY

DISTRIBUTION = "langgraph"
IMPORTS = (
    "from langgraph.prebuilt import create_react_agent; from langchain_openai import ChatOpenAI; "
    "from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver"
)


async def make(url: str, folder: Path, closing: AsyncExitStack) -> dict[str, Send]:
    """Its turns."""
    from langchain_core.messages import HumanMessage, SystemMessage
    from langchain_openai import ChatOpenAI
    from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver
    from langgraph.prebuilt import create_react_agent

    warnings.simplefilter("ignore")
    model = ChatOpenAI(
        model="bench", base_url=url, api_key=KEY, streaming=True, stream_usage=True, max_retries=0, max_tokens=4096
    )
    system = SystemMessage(INSTRUCTIONS)

    def prompt(state: Any) -> list[Any]:
        messages = state["messages"]
        last = max(number for number, each in enumerate(messages) if isinstance(each, HumanMessage))
        return [system, *messages[last:]]

    def turn(tools: list[Any], saver: Any) -> Send:
        agent = create_react_agent(model, tools, prompt=prompt, checkpointer=saver)

        async def send(user: int) -> None:
            given: Any = {"messages": [HumanMessage(QUESTION)]}
            config: Any = {"configurable": {"thread_id": f"u{user}"}}
            text = ""
            async for chunk, _ in agent.astream(given, config, stream_mode="messages"):
                if chunk.type == "AIMessageChunk":
                    text += chunk.text if isinstance(chunk.text, str) else chunk.text()
            assert text == ANSWER, text

        return send

    found = {"plain": turn([], None), "tool": turn([note], None)}
    for kind, tools in (("plain", []), ("tool", [note])):
        opened = AsyncSqliteSaver.from_conn_string(str(folder / f"{kind}.db"))
        found[f"{kind} stored"] = turn(tools, await closing.enter_async_context(opened))
    return found
