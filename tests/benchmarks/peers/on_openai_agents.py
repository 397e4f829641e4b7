"""OpenAI Agents SDK, with its SQLite session: one a user, of which the request takes nothing along."""

from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

from tests.benchmarks.exchange import ANSWER, INSTRUCTIONS, QUESTION, note
from tests.benchmarks.measure import Send
from tests.benchmarks.variants import KEY

DISTRIBUTION = "openai-agents"
IMPORTS = "from agents import Agent, Runner, SQLiteSession, OpenAIChatCompletionsModel"


async def make(url: str, folder: Path, closing: AsyncExitStack) -> dict[str, Send]:
    """Its turns."""
    from agents import Agent, ModelSettings, OpenAIChatCompletionsModel, RunConfig, Runner, SQLiteSession, function_tool
    from agents.memory import SessionSettings
    from openai import AsyncOpenAI

    client = AsyncOpenAI(base_url=url, api_key=KEY, max_retries=0)
    closing.push_async_callback(client.close)
    model = OpenAIChatCompletionsModel(model="bench", openai_client=client)
    settings = ModelSettings(max_tokens=4096, include_usage=True)
    config = RunConfig(
        tracing_disabled=True, session_settings=SessionSettings(limit=1), session_input_callback=lambda old, new: new
    )
    sessions: dict[tuple[str, int], Any] = {}

    def turn(kind: str, tools: list[Any], stored: bool) -> Send:
        agent = Agent(name="bench", instructions=INSTRUCTIONS, model=model, tools=tools, model_settings=settings)

        async def send(user: int) -> None:
            session = None
            if stored:
                session = sessions.get((kind, user))
                if session is None:
                    session = sessions[kind, user] = SQLiteSession(f"u{user}", folder / f"{kind}.db")
            result = Runner.run_streamed(agent, QUESTION, session=session, run_config=config)
            async for _ in result.stream_events():
                pass
            assert result.final_output == ANSWER, result.final_output

        return send

    tools = {"plain": [], "tool": [function_tool(note)]}
    plain = {kind: turn(kind, each, False) for kind, each in tools.items()}
    return plain | {f"{kind} stored": turn(kind, each, True) for kind, each in tools.items()}
