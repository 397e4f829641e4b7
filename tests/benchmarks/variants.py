"""A turn as Gitu does it, and the same requests with nothing around them. Each gives a `Send` a kind of turn."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

from tests.benchmarks.exchange import ANSWER, ASKED, INSTRUCTIONS, NOTE, OPTIONS, QUESTION, note
from tests.benchmarks.measure import Send

KEY = "sk-bench"

Ask = Callable[..., Awaitable[tuple[str, dict[str, str]]]]
"""One request; gives the words of the answer, and the call that the model makes."""


async def gitu(
    url: str, folder: Path, kind: str, closing: AsyncExitStack, question: str = QUESTION, budgets: bool = False,
    **limits: Any,
) -> Send:  # fmt: skip
    """A stored turn of a user who keeps one session. No history is read, so that the request stays the same, however
    much was said before; *limits* change that. With *budgets* every call draws on two envelopes. `AssertionError` if
    the database does not wait for the disk."""
    import os

    from gitu_core import Gitu, tool
    from gitu_core.config import Envelope, Limits, Profile, Settings

    os.environ |= {"OPENAI_BASE_URL": url, "OPENAI_API_KEY": KEY}
    tools = [tool(effects=["write"])(note)] if kind == "tool" else []
    given = Limits(**{"context_tokens": 0, **limits})
    profile = Profile(instructions=INSTRUCTIONS, tools=("local-tools:*",), exact=True, limits=given)
    amounts = {"each": Envelope(per=("user",), period="day", tokens=10**12), "all": Envelope(tokens=10**15)}
    config = Settings(budgets=amounts) if budgets else None
    made = Gitu(model="openai/bench", tools=tools, profiles=[profile], home=folder, config=config)
    entered = await closing.enter_async_context(made)
    level = await entered.house.store.engine.raw(lambda writer: writer.execute("PRAGMA synchronous").fetchone()[0])
    assert level >= 2, f"PRAGMA synchronous is {level}: what is accepted could be lost"

    async def send(user: int) -> None:
        reply = await entered.send(question, user=f"u{user}")
        if reply.text != ANSWER:
            raise RuntimeError(f"the turn gave {reply}")

    return send


def file_system(folder: Path) -> str:
    """What kind of file system *folder* is on: one that keeps nothing would make waiting for the disk look cheap."""
    try:
        lines = Path("/proc/mounts").read_text("utf-8").splitlines()
    except OSError:
        return "an unknown file system"
    kinds = dict(line.split()[1:3] for line in lines)
    return kinds[max((each for each in kinds if folder.resolve().is_relative_to(each)), key=len)]


def openai_call(url: str, closing: AsyncExitStack) -> Ask:
    """A call of the vendor's client, and nothing else."""
    from openai import AsyncOpenAI

    client = AsyncOpenAI(base_url=url, api_key=KEY, max_retries=0)
    closing.push_async_callback(client.close)

    async def ask(**request: Any) -> tuple[str, dict[str, str]]:
        text, call = "", {"id": "", "name": "", "arguments": ""}
        async for chunk in await client.chat.completions.create(**OPTIONS, **request):
            for choice in chunk.choices:
                text += choice.delta.content or ""
                for piece in choice.delta.tool_calls or ():
                    call["id"] += piece.id or ""
                    if piece.function is not None:
                        call["name"] += piece.function.name or ""
                        call["arguments"] += piece.function.arguments or ""
        return text, call

    return ask


def openai_client(url: str, closing: AsyncExitStack) -> dict[str, Send]:
    """Turns by the vendor's client."""
    return _turns(openai_call(url, closing))


def aiohttp_session(url: str, closing: AsyncExitStack) -> dict[str, Send]:
    """Bare HTTP, and the standard library's JSON."""
    import aiohttp

    session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=512))
    closing.push_async_callback(session.close)
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {KEY}"}

    async def ask(**request: Any) -> tuple[str, dict[str, str]]:
        text, call = "", {"id": "", "name": "", "arguments": ""}
        data = json.dumps({**OPTIONS, **request})
        async with session.post(f"{url}/chat/completions", data=data, headers=headers) as response:
            async for line in response.content:
                if line.startswith(b"data: {"):
                    for choice in json.loads(line[6:])["choices"]:
                        delta = choice["delta"]
                        text += delta.get("content") or ""
                        for piece in delta.get("tool_calls", ()):
                            call["id"] += piece.get("id", "")
                            call["name"] += piece["function"].get("name", "")
                            call["arguments"] += piece["function"].get("arguments", "")
        return text, call

    return _turns(ask)


def _turns(ask: Ask) -> dict[str, Send]:
    async def plain(user: int) -> None:
        text, _ = await ask(messages=ASKED)
        assert text == ANSWER, text

    async def tool(user: int) -> None:
        _, call = await ask(messages=ASKED, tools=[NOTE])
        text, _ = await ask(messages=[*ASKED, *await _answered(call)], tools=[NOTE])
        assert text == ANSWER, text

    return {"plain": plain, "tool": tool}


async def _answered(call: Mapping[str, str]) -> list[dict[str, Any]]:
    """Runs a call; gives the two messages that tell the model so."""
    made = {"id": call["id"], "type": "function", "function": {name: call[name] for name in ("name", "arguments")}}
    return [
        {"role": "assistant", "content": None, "tool_calls": [made]},
        {"role": "tool", "tool_call_id": call["id"], "content": await note(**json.loads(call["arguments"]))},
    ]  # fmt: skip
