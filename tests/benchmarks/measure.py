"""Measures calls side by side: in rounds that take turns, CPU before wall time. Imports nothing of Gitu.

CPU is that of this process with all its threads, what is still written after the last answer included; the CPU of the
model server, and of a database server, is theirs and not counted.
"""

from __future__ import annotations

import asyncio
import gc
import json
import subprocess
import sys
import time
import urllib.request
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from statistics import median
from typing import Any

Send = Callable[[int], Awaitable[None]]
"""One turn of the user with this number."""

SETTLE = 0.05
"""Seconds in which what follows a round's last answer is done; its CPU counts, the time does not."""


@dataclass
class Figure:
    """What a variant took, round by round: milliseconds of CPU a turn, turns a second, and the share of the time in
    which the model server was busy."""

    cpu: list[float] = field(default_factory=list)
    rate: list[float] = field(default_factory=list)
    busy: list[float] = field(default_factory=list)

    @property
    def ms(self) -> float:
        """Milliseconds of CPU a turn, the median."""
        return median(self.cpu)

    @property
    def best_rate(self) -> float:
        """Turns a second, the best round: whatever else the machine does can only make it slower."""
        return max(self.rate)

    def ratio(self, other: Figure) -> float:
        """This one's CPU in terms of the other's, the median over the rounds."""
        return median(one / two for one, two in zip(self.cpu, other.cpu, strict=True))


async def drive(send: Send, at_once: int, turns: int) -> None:
    """*turns* turns of *at_once* users, each of whom waits for the answer before the next."""
    left = iter(range(turns))

    async def user(number: int) -> None:
        for _ in left:
            await send(number)

    await asyncio.gather(*(user(number) for number in range(at_once)))


async def timed(send: Send, at_once: int, turns: int) -> tuple[float, float]:
    """Milliseconds of CPU a turn, and turns a second."""
    gc.collect()
    cpu, wall = time.process_time(), time.perf_counter()
    await drive(send, at_once, turns)
    wall = time.perf_counter() - wall
    await asyncio.sleep(SETTLE)
    return 1000 * (time.process_time() - cpu) / turns, turns / wall


@dataclass(frozen=True)
class Server:
    """A model server in a process of its own."""

    url: str

    def _ask(self, method: str, path: str) -> dict[str, Any]:
        request = urllib.request.Request(self.url.removesuffix("/v1") + path, method=method)
        with urllib.request.urlopen(request) as answer:
            found: dict[str, Any] = json.load(answer)
            return found

    def stats(self) -> dict[str, Any]:
        """How many requests came, what CPU they took, and the bodies that were kept."""
        return self._ask("GET", "/stats")

    def keep(self, requests: int) -> None:
        """Keeps the bodies of the next *requests* requests."""
        self._ask("POST", f"/keep?{requests}")

    async def bodies(self, send: Send, user: int = 0) -> list[str]:
        """The bodies of the requests that one turn makes."""
        self.keep(100)
        await send(user)
        kept: list[str] = self.stats()["kept"]
        self.keep(0)
        return kept


@contextmanager
def model_server(*arguments: str) -> Iterator[Server]:
    """Starts a model server; ends it with the block."""
    command = [sys.executable, "-m", "tests.benchmarks.server", *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield Server(process.stdout.readline().strip())
        finally:
            process.terminate()


async def side_by_side(
    variants: Mapping[str, Send], at_once: int, turns: Mapping[str, int], rounds: int, server: Server
) -> dict[str, Figure]:
    """All variants, round after round; before the first, every user has had a turn with each."""
    figures = {name: Figure() for name in variants}
    for send in variants.values():
        await drive(send, at_once, max(2 * at_once, 20))
    for number in range(rounds):
        for name, send in list(variants.items())[:: 1 if number % 2 else -1]:
            before = server.stats()["cpu"]
            cpu, rate = await timed(send, at_once, turns[name])
            figures[name].cpu.append(cpu)
            figures[name].rate.append(rate)
            figures[name].busy.append((server.stats()["cpu"] - before) * rate / turns[name])
    return figures


async def capacity(server: Server, body: bytes, connections: int = 32, seconds: float = 1.0) -> tuple[float, float]:
    """Requests a second that the server answers to a client that only asks, and microseconds of its CPU each."""
    port = int(server.url.split(":")[2].partition("/")[0])
    request = b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)
    before, began = server.stats(), time.perf_counter()

    async def one() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        while time.perf_counter() - began < seconds:
            writer.write(request)
            await reader.readuntil(b"\r\n0\r\n\r\n")
        writer.close()

    await asyncio.gather(*(one() for _ in range(connections)))
    wall, after = time.perf_counter() - began, server.stats()
    answered = after["requests"] - before["requests"]
    return answered / wall, 1e6 * (after["cpu"] - before["cpu"]) / answered
