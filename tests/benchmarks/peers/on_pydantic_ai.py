"""Pydantic AI. It has no store."""

from contextlib import AsyncExitStack
from pathlib import Path

from tests.benchmarks.exchange import ANSWER, INSTRUCTIONS, QUESTION, note
from tests.benchmarks.measure import Send
from tests.benchmarks.variants import KEY

DISTRIBUTION = "pydantic-ai-slim"
IMPORTS = "from pydantic_ai import Agent; from pydantic_ai.models.openai import OpenAIChatModel"


async def make(url: str, folder: Path, closing: AsyncExitStack) -> dict[str, Send]:
    """Its turns."""
    from pydantic_ai import Agent
    from pydantic_ai.models.openai import OpenAIChatModel
    from pydantic_ai.providers.openai import OpenAIProvider

    model = OpenAIChatModel("bench", provider=OpenAIProvider(base_url=url, api_key=KEY))

    def turn(tools: list[object]) -> Send:
        agent = Agent(model, instructions=INSTRUCTIONS, tools=tools, model_settings={"max_tokens": 4096})  # type: ignore[arg-type]

        async def send(user: int) -> None:
            async with agent.run_stream(QUESTION) as answer:
                text = await answer.get_output()
            assert text == ANSWER, text

        return send

    return {"plain": turn([]), "tool": turn([note])}
