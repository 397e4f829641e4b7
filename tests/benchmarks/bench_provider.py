"""CPU of one model call in this process: the provider beside a bare HTTP session and the vendor's own client.

The server runs in a process of its own. All variants take turns, so that a busy machine disturbs them alike.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any, cast

from tests.benchmarks.table import Report, finish, parser

ROUNDS = 150
LONG = 500
"""Messages of history in the long conversation."""

Call = Callable[[], Awaitable[Any]]


class _Host:
    """What the provider needs of a host."""

    def __init__(self, url: str) -> None:
        self.config = {"base_url": url}
        self.secrets = self
        self.blobs = self

    async def reveal(self, name: str) -> str:
        """A key that the server does not check."""
        return "sk-bench"


def _history(length: int) -> list[dict[str, str]]:
    roles = ("user", "assistant")
    text = "Some words of an ordinary length, as people write them in a chat. " * 3
    messages = [{"role": roles[n % 2], "content": f"{n} {text}"} for n in range(length)]
    return [*messages, {"role": "user", "content": "hello"}]


def _provider(url: str, closing: AsyncExitStack) -> Callable[[int, bool], Call]:
    from gitu_core.contracts import Host, ModelMessage, ModelRequest, Text
    from gitu_openai.provider import OpenAIProvider

    provider = OpenAIProvider(cast(Host, _Host(url)))
    closing.push_async_callback(provider.close)

    def make(length: int, stream: bool) -> Call:
        messages = tuple(
            ModelMessage(cast(Any, each["role"]), (Text(each["content"]),), id=f"{length}.{n}")
            for n, each in enumerate(_history(length))
        )

        async def call() -> None:
            request = ModelRequest("test", messages, settings={"stream": stream})
            async for _ in provider.stream(request):
                pass

        return call

    return make


def _session(url: str, closing: AsyncExitStack) -> Callable[[int, bool], Call]:
    import aiohttp

    session = aiohttp.ClientSession()
    closing.push_async_callback(session.close)

    def make(length: int, stream: bool) -> Call:
        body = {"model": "test", "messages": _history(length), "stream": stream}
        headers = {"Content-Type": "application/json"}

        async def call() -> None:
            async with session.post(f"{url}/chat/completions", data=json.dumps(body), headers=headers) as response:
                if not stream:
                    json.loads(await response.read())
                    return
                async for line in response.content:
                    if line.startswith(b"data: {"):
                        json.loads(line[6:])

        return call

    return make


def _vendor(url: str, closing: AsyncExitStack) -> Callable[[int, bool], Call]:
    import openai

    client = openai.AsyncOpenAI(api_key="sk-bench", base_url=url, max_retries=0)
    closing.push_async_callback(client.close)

    def make(length: int, stream: bool) -> Call:
        messages = cast(Any, _history(length))

        async def call() -> None:
            answer: Any = await client.chat.completions.create(model="test", messages=messages, stream=stream)
            if stream:
                async for _ in answer:
                    pass

        return call

    return make


async def _measure(calls: dict[str, Call], rounds: int) -> dict[str, float]:
    """Milliseconds of CPU a call, the median over the rounds."""
    for call in calls.values():
        for _ in range(3):
            await call()
    spent: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(rounds):
        for name, call in calls.items():
            began = time.process_time()
            await call()
            spent[name].append(time.process_time() - began)
    return {name: 1000 * sorted(times)[len(times) // 2] for name, times in spent.items()}


async def run(url: str) -> dict[str, dict[str, float]]:
    """All figures: by situation, by variant, in milliseconds of CPU."""
    situations = {
        "streamed": (0, True, ROUNDS),
        "plain": (0, False, ROUNDS),
        f"streamed, {LONG} messages": (LONG, True, ROUNDS // 10),
    }
    async with AsyncExitStack() as closing:
        makers = {
            "gitu_openai": _provider(url, closing),
            "bare aiohttp": _session(url, closing),
            "openai client": _vendor(url, closing),
        }
        return {
            name: await _measure({who: make(length, stream) for who, make in makers.items()}, rounds)
            for name, (length, stream, rounds) in situations.items()
        }


def main() -> None:
    """Starts the server, measures, prints a table."""
    options = parser(__doc__).parse_args()
    report = Report("One model call")
    command = [sys.executable, "-m", "gitu_core.testing.model_server", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=dict(os.environ)) as server:
        try:
            assert server.stdout is not None
            figures = asyncio.run(run(server.stdout.readline().strip()))
        finally:
            server.terminate()
    rows = [
        (situation, name, milliseconds, milliseconds / by_variant["openai client"])
        for situation, by_variant in figures.items()
        for name, milliseconds in by_variant.items()
    ]
    report.rows(("situation", "variant", "ms CPU", "of the openai client"), rows)
    finish(report, options)


if __name__ == "__main__":
    main()
