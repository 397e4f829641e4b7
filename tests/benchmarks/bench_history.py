"""A turn with a long history beside the vendor client's bare call, and a turn in a session that stores a lot.

Warm is what a running assistant does; after a restart the first turn of a session reads its history from the disk.
"""

from __future__ import annotations

import asyncio
import json
import tempfile
from contextlib import AsyncExitStack
from pathlib import Path
from statistics import median
from typing import Any

from tests.benchmarks.measure import Send, Server, drive, model_server, timed
from tests.benchmarks.table import Report, finish, parser
from tests.benchmarks.variants import gitu, openai_call

LONG, LIMIT = 500, 5.0
"""Messages of history that a request carries, and the milliseconds of CPU that such a turn may take."""

STORED, FEW, TIMES = 5_000, 10, 1.3
"""Messages stored in a long and in a short session, and what a turn in the long one may cost in terms of the other."""

USERS, ROUNDS, RESTARTS = 2, 9, 7
SPEECH = "Some words of an ordinary length, as people write them in a chat. " * 3
RECENT = {"context_tokens": 160}
"""So much that a session of ten messages fills it: the requests of both sessions are equal."""


async def one_by_one(send: Send, users: range, turns: int) -> float:
    """Milliseconds of CPU a turn, one turn after the other, *turns* of each user."""

    async def each(number: int) -> None:
        await send(users[number % len(users)])

    numbers = iter(range(turns * len(users)))
    return (await timed(lambda _: each(next(numbers)), 1, turns * len(users)))[0]


async def long_history(server: Server, folder: Path, report: Report) -> None:
    """A turn with 500 messages of history."""
    async with AsyncExitStack() as closing:
        send = await gitu(server.url, folder, "plain", closing, SPEECH, context_tokens=200_000)
        await drive(send, USERS, USERS * (LONG // 2 + 10))
        (body,) = await server.bodies(send)
        messages: list[dict[str, Any]] = json.loads(body)["messages"]
        assert len(messages) == LONG + 2, f"the request carries {len(messages)} messages"
        ask = openai_call(server.url, closing)

        async def bare(user: int) -> None:
            await ask(messages=messages)

        await bare(0)
        found: dict[str, list[float]] = {"gitu": [], "openai": []}
        for _ in range(ROUNDS):
            found["gitu"].append(await one_by_one(send, range(USERS), 2))
            found["openai"].append((await timed(bare, 1, 3))[0])
        (again,) = await server.bodies(send)
        assert len(json.loads(again)["messages"]) == len(messages), "the history grew while it was measured"
    cold = []
    for _ in range(RESTARTS):
        async with AsyncExitStack() as closing:
            send = await gitu(server.url, folder, "plain", closing, SPEECH, context_tokens=200_000)
            await one_by_one(send, range(USERS, USERS + 1), 20)
            cold.append(await one_by_one(send, range(USERS), 1))
    report.note(f"{LONG} messages of history, {len(body):,} bytes a request, checked on the server")
    report.line(f"{LONG} messages of history, CPU of a stored turn", median(found["gitu"]), "ms", LIMIT)
    report.line(f"{LONG} messages of history, the first turn after a restart", median(cold), "ms")
    report.line(f"{LONG} messages of history, the bare openai client", median(found["openai"]), "ms")


async def stored(server: Server, folder: Path, report: Report) -> None:
    """A turn in a session of 5,000 messages and one in a session of 10, with equal requests."""
    warm: dict[int, list[float]] = {STORED: [], FEW: []}
    cold: dict[int, list[float]] = {STORED: [], FEW: []}
    first = USERS
    async with AsyncExitStack() as closing:
        send = await gitu(server.url, folder, "plain", closing, **RECENT)
        await drive(send, USERS, USERS * STORED // 2)
        for _ in range(ROUNDS):
            users = range(first, first + 8 * USERS)
            first += len(users)
            await fill(send, users)
            await equal(server, send, users)
            warm[FEW].append(await one_by_one(send, users, 2))
            warm[STORED].append(await one_by_one(send, range(USERS), 16))
    for number in range(RESTARTS):
        users = range(first, first + USERS)
        first += len(users) + 1
        async with AsyncExitStack() as closing:
            await fill(await gitu(server.url, folder, "plain", closing, **RECENT), users)
        async with AsyncExitStack() as closing:
            send = await gitu(server.url, folder, "plain", closing, **RECENT)
            await one_by_one(send, range(users.stop, users.stop + 1), 20)
            for size, those in ((FEW, users), (STORED, range(USERS)))[:: 1 if number % 2 else -1]:
                cold[size].append(await one_by_one(send, those, 1))
    report.note(f"sessions of {STORED:,} and {FEW} stored messages: equal requests, checked on the server")
    states = {"a running assistant": warm, "the first turn after a restart": cold}
    rows = [(name, median(state[FEW]), median(state[STORED])) for name, state in states.items()]
    report.rows(("ms CPU a turn in a session of", f"{FEW} stored", f"{STORED:,} stored"), rows)
    for name, state in states.items():
        ratio = median(one / two for one, two in zip(state[STORED], state[FEW], strict=True))
        report.line(f"{STORED:,} stored messages in terms of {FEW}, {name}", ratio, "", TIMES)


async def fill(send: Send, users: range) -> None:
    """Gives every user a session of ten messages."""
    await drive(lambda number: send(users[number]), len(users), len(users) * FEW // 2)


async def equal(server: Server, send: Send, users: range) -> None:
    """Ends the run if the requests of a long and a short session differ."""
    (one,), (other,) = await server.bodies(send, 0), await server.bodies(send, users[0])
    if one != other:
        counts = [len(json.loads(each)["messages"]) for each in (one, other)]
        raise SystemExit(f"the requests of a long and a short session differ: {counts} messages")


async def run(server: Server, report: Report) -> None:
    """Both measurements, each in a home of its own."""
    with tempfile.TemporaryDirectory() as folder:
        await long_history(server, Path(folder, "long"), report)
        await stored(server, Path(folder, "stored"), report)


def main() -> None:
    """Starts the server, measures, prints a table."""
    options = parser(__doc__).parse_args()
    report = Report("Turns with a history")
    with model_server() as server:
        asyncio.run(run(server, report))
    finish(report, options)


if __name__ == "__main__":
    main()
