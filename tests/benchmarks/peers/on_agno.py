"""Agno, with its SQLite database: one session a user, of which the request takes nothing along (its default)."""

from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

from tests.benchmarks.exchange import ANSWER, INSTRUCTIONS, QUESTION, note
from tests.benchmarks.measure import Send
from tests.benchmarks.variants import KEY

DISTRIBUTION = "agno"
IMPORTS = "from agno.agent import Agent; from agno.models.openai import OpenAIChat; from agno.db.sqlite import SqliteDb"


async def make(url: str, folder: Path, closing: AsyncExitStack) -> dict[str, Send]:
    """Its turns."""
    from agno.agent import Agent
    from agno.db.sqlite import SqliteDb
    from agno.models.openai import OpenAIChat

    roles = {"system": "system", "user": "user", "assistant": "assistant", "tool": "tool"}

    def turn(tools: list[Any], database: Any) -> Send:
        model = OpenAIChat(id="bench", base_url=url, api_key=KEY, max_tokens=4096, role_map=roles)
        agent = Agent(model=model, system_message=INSTRUCTIONS, tools=tools, db=database, telemetry=False)

        async def send(user: int) -> None:
            text = ""
            async for event in agent.arun(QUESTION, stream=True, session_id=f"u{user}", user_id=f"u{user}"):
                if event.event == "RunContent":
                    text += event.content
            assert text == ANSWER, text

        return send

    found = {"plain": turn([], None), "tool": turn([note], None)}
    for kind, tools in (("plain", []), ("tool", [note])):
        found[f"{kind} stored"] = turn(tools, SqliteDb(db_file=str(folder / f"{kind}.db")))
    return found
