"""CPU of a whole stored turn beside the vendor client's bare call, for the same request against the same server."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from gitu_core import Gitu

TURNS = {1: 100, 32: 640, 256: 1280}
"""How many turns are measured at each number of sessions at once."""

Send = Callable[[int], Awaitable[object]]


@contextmanager
def server() -> Iterator[str]:
    """A model server in a process of its own; gives its address."""
    command = [sys.executable, "-m", "gitu_core.testing.model_server", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().split()[-1]
        finally:
            process.terminate()


async def measure(send: Send, at_once: int, turns: int) -> tuple[float, float]:
    """CPU milliseconds a turn and turns a second, with *at_once* sessions that each wait for their answers."""
    left = iter(range(turns))

    async def session(number: int) -> None:
        for _ in left:
            await send(number)

    await asyncio.gather(*(send(number) for number in range(at_once)))  # connections and caches are warm
    cpu, wall = time.process_time(), time.perf_counter()
    await asyncio.gather(*(session(number) for number in range(at_once)))
    return 1000 * (time.process_time() - cpu) / turns, turns / (time.perf_counter() - wall)


async def compare(url: str, folder: Path) -> None:
    """Prints one line a number of sessions."""
    from openai import AsyncOpenAI

    client = AsyncOpenAI(base_url=url, api_key="sk-bench")
    instructions = "Answer."

    async def bare(number: int) -> None:
        messages = [{"role": "system", "content": instructions}, {"role": "user", "content": "hello"}]
        stream = await client.chat.completions.create(model="bench", messages=messages, stream=True)  # type: ignore[call-overload]
        async for _ in stream:
            pass

    print(f"  {'at once':>8}{'bare ms':>10}{'gitu ms':>10}{'ratio':>8}{'bare/s':>9}{'gitu/s':>9}")
    for at_once, turns in TURNS.items():
        async with Gitu(model="openai/bench", instructions=instructions, home=folder / str(at_once)) as gitu:
            count = iter(range(10**9))

            async def stored(number: int, gitu: Gitu = gitu, count: Iterator[int] = count) -> None:
                # A session of its own a turn: the request is the same as the bare one, whatever was said before.
                await gitu.send("hello", user=f"u{number}", session=str(next(count)))

            theirs, their_rate = await measure(bare, at_once, max(50, turns // 4))
            ours, our_rate = await measure(stored, at_once, turns)
        print(f"  {at_once:>8}{theirs:>10.2f}{ours:>10.2f}{ours / theirs:>8.2f}{their_rate:>9.0f}{our_rate:>9.0f}")
    await client.close()


def main() -> None:
    """Prints the table."""
    with server() as url, tempfile.TemporaryDirectory() as folder:
        os.environ |= {"OPENAI_BASE_URL": url, "OPENAI_API_KEY": "sk-bench"}
        asyncio.run(compare(url, Path(folder)))


if __name__ == "__main__":
    main()
