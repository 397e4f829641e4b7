"""A thousand clients over WebSockets: what an idle one costs, and whether under load everything is answered once.

The server is a whole assistant in a process of its own: real store, real turns, a model that answers at once. The
clients are in this process. Memory is what the server has for itself (PSS) with all clients connected and greeted, less
what it had before, when a few had come and gone so that all code was loaded. What the system holds for a connection is
not in there.
"""

from __future__ import annotations

import asyncio
import json
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from typing import Any

from tests.benchmarks.load_users import share
from tests.benchmarks.table import Report, finish, parser

CLIENTS, RATE, SECONDS = 1_000, 100.0, 30.0
PATIENCE = 20.0
"""Seconds that answers may still take after the last message."""

WARM = 20
"""Clients that come and go before anything is measured."""

AT_ONCE = 50
"""Clients that connect at once."""


class Person:
    """A client: one WebSocket, what it said, and what it heard."""

    def __init__(self, url: str, number: int) -> None:
        self._url, self.name = url, f"person-{number}"
        self.said: dict[str, float] = {}
        self.safe: dict[str, float] = {}
        self.answers = Counter[str]()
        self.took: list[float] = []
        self._socket: Any = None
        self._reading: asyncio.Task[None] | None = None

    async def connect(self) -> None:
        """Connects and is greeted."""
        from websockets.asyncio.client import connect

        self._socket = await connect(
            self._url, subprotocols=["gitu.v1"], additional_headers={"authorization": f"Bearer {self.name}"},
            compression=None, ping_interval=None, open_timeout=30, proxy=None,
        )  # fmt: skip
        await self._socket.send('{"type": "hello"}')
        assert json.loads(await self._socket.recv())["type"] == "welcome"
        self._reading = asyncio.create_task(self._read())

    async def say(self, key: str) -> None:
        """Says something that no other message says."""
        self.said[key] = time.perf_counter()
        await self._socket.send(json.dumps({"type": "message", "key": key, "text": f"{self.name} {key}"}))

    async def _read(self) -> None:
        async for text in self._socket:
            frame, now = json.loads(text), time.perf_counter()
            if frame["type"] == "ack":
                self.safe[frame["key"]] = now - self.said[frame["key"]]
            elif frame["type"] == "letter" and frame["kind"] == "told":
                name, _, key = frame["parts"][0]["text"].partition(" ")
                assert name == self.name, f"{self.name} heard what {name} said"
                self.answers[key] += 1
                self.took.append(now - self.said[key])

    async def close(self) -> None:
        """Goes away."""
        await self._socket.close()
        if self._reading is not None:
            await self._reading


async def each(people: list[Person], what: str) -> None:
    """Lets everybody do something, so many at once."""
    gate = asyncio.Semaphore(AT_ONCE)

    async def one(person: Person) -> None:
        async with gate:
            await getattr(person, what)()

    await asyncio.gather(*map(one, people))


def memory(pid: int, field: str = "Pss") -> float:
    """Bytes of memory of a process."""
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith(f"{field}:"):
            return float(line.split()[1]) * 1024
    raise OSError(f"the system does not tell {field} of a process")


def cpu(pid: int) -> float:
    """Seconds of CPU that a process took."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / 100


async def load(people: list[Person], rate: float, seconds: float) -> None:
    """Lets one after the other say something, evenly spread."""
    began = time.perf_counter()
    for number in range(int(rate * seconds)):
        await asyncio.sleep(max(0.0, began + number / rate - time.perf_counter()))
        await people[number % len(people)].say(f"m{number}")
    until = time.perf_counter() + PATIENCE
    while time.perf_counter() < until and any(len(one.answers) < len(one.said) for one in people):  # noqa: ASYNC110
        await asyncio.sleep(0.1)


async def measure(pid: int, url: str, options: Any, report: Report) -> None:
    """All of it."""
    await each(first := [Person(url, number) for number in range(WARM)], "connect")
    await each(first, "close")
    await asyncio.sleep(2)
    before = memory(pid)
    people = [Person(url, number) for number in range(options.clients)]
    began = time.perf_counter()
    await each(people, "connect")
    connected = time.perf_counter() - began
    await asyncio.sleep(2)
    idle = (memory(pid) - before) / options.clients / 1024
    report.note(f"{options.clients:,} clients connected in {connected:.1f} s; the server had {before / 2**20:.0f} MiB")
    used = cpu(pid)
    await load(people, options.rate, options.seconds)
    used = cpu(pid) - used
    said = sum(len(one.said) for one in people)
    safe = [1000 * took for one in people for took in one.safe.values()]
    took = [1000 * took for one in people for took in one.took]
    lost = sum(key not in one.answers for one in people for key in one.safe)
    report.note(f"{said:,} said, {len(safe):,} acknowledged, {len(took):,} answered")
    report.line("lost", lost + said - len(safe), "", 0)
    report.line("doubled", sum(count - 1 for one in people for count in one.answers.values()), "", 0)
    report.line("memory of an idle client", idle, "kB", 20)
    report.line("until it was safe, p50", share(safe, 0.5), "ms")
    report.line("until it was safe, p99", share(safe, 0.99), "ms")
    report.line("until the answer was there, p50", share(took, 0.5), "ms")
    report.line("until the answer was there, p99", share(took, 0.99), "ms", 500)
    report.line("CPU of the server", 1000 * used / max(1, said), "ms a message")
    await each(people, "close")


async def run(options: Any, report: Report) -> None:
    """Starts the server, and ends it."""
    async with AsyncExitStack() as closing:
        folder = closing.enter_context(tempfile.TemporaryDirectory())
        with socket.socket() as found:
            found.bind(("127.0.0.1", 0))
            port = int(found.getsockname()[1])
        command = [sys.executable, "-m", "tests.benchmarks.web_server", str(port), folder]
        process = subprocess.Popen(command)  # noqa: ASYNC220 - nothing else runs yet
        closing.callback(process.wait)
        closing.callback(process.terminate)
        for _ in range(200):
            with suppress(OSError):
                (await asyncio.open_connection("127.0.0.1", port))[1].close()
                break
            await asyncio.sleep(0.1)
        await measure(process.pid, f"ws://127.0.0.1:{port}/v1/socket", options, report)


def main() -> None:
    """Measures, prints a table."""
    given = parser(__doc__)
    given.add_argument("--clients", type=int, default=CLIENTS)
    given.add_argument("--rate", type=float, default=RATE, help="messages a second, of all together")
    given.add_argument("--seconds", type=float, default=SECONDS)
    options = given.parse_args()
    title = f"{options.clients:,} clients, {options.rate:g} messages a second, for {options.seconds:g} s"
    report = Report(title)
    report.note(title)
    asyncio.run(run(options, report))
    finish(report, options)


if __name__ == "__main__":
    main()
