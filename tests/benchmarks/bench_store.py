"""What the store costs: rows a second, CPU a row, CPU to open, bytes a turn. ``python -m
tests.benchmarks.bench_store``

A row is one step of about 600 bytes, sealed. CPU is that of the whole process, the writer's thread included.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from gitu_core.contracts.ports import (
    HistoryEntry,
    InboxDone,
    InboxEntry,
    OutboxEntry,
    StepEntry,
    TurnEntry,
    UsageEntry,
)  # fmt: skip
from gitu_core.model import (
    Account,
    Conversation,
    Message,
    ModelMessage,
    Outgoing,
    Reply,
    Text,
    TurnInfo,
    Usage,
)  # fmt: skip
from gitu_core.model.steps import Begun, Ended, ModelAnswered, ModelAsked, Step
from gitu_core.store import Store
from tests.benchmarks.table import Report, finish, parser

WORDS = Text(text="A sentence of an answer, long enough to be one. " * 10)
ROOM = Conversation(channel="bench", id="room")
SAYS = ModelMessage(role="assistant", parts=(WORDS,), id="m")
OPEN = """
import asyncio, sys, time
from pathlib import Path
import gitu_core.contracts.ports
async def main():
    start = time.process_time()
    from gitu_core.store import Store
    store = Store(home=Path(sys.argv[1])); await store.open()
    opened = time.process_time()
    await store.history("s", 10)
    print(opened - start); await store.close()
asyncio.run(main())
"""


def step(turn: str, n: int) -> StepEntry:
    """One step with an answer of about 500 characters."""
    what = ModelAnswered(message=SAYS, usage=Usage(input_tokens=900, output_tokens=100), model="m")
    return StepEntry(turn=turn, n=n, step=what, session="s", person="ana", at=1.0)


async def rows(store: Store, writers: int, total: int) -> tuple[float, float]:
    """Rows a second and microseconds of CPU a row, each writer awaiting every row."""

    async def one(name: str) -> None:
        for n in range(total // writers):
            await store.write(step(name, n))

    cpu, wall = time.process_time(), time.perf_counter()
    await asyncio.gather(*(one(f"{writers}-{n}") for n in range(writers)))
    done = total // writers * writers
    return done / (time.perf_counter() - wall), (time.process_time() - cpu) / done * 1e6


async def turn(store: Store, n: int, room: Conversation = ROOM) -> None:
    """A plain turn as gateway and runtime store it: three waits, eleven rows and two counters."""
    account, id = Account(channel="bench", id="ana"), f"turn-{n:08}"
    person = await store.person_for(account)
    session = await store.session_for(room, person.id)
    message = Message(key=id, conversation=room, sender=account, parts=(WORDS,))
    receipt = await store.accept(InboxEntry(message=message, person=person.id, session=session.id))
    info = TurnInfo(id=id, session=session.id, cause=receipt.id, principal=f"user:{person.id}")
    where: dict[str, Any] = {"session": session.id, "person": person.id, "at": 1.0}
    await store.history(session.id, 4000)
    usage = Usage(input_tokens=900, output_tokens=100, cost=1)
    steps: list[Step] = [Begun(info=info, ask=receipt.id), ModelAsked(model="m")]
    store.post(
        TurnEntry(info=info, person=person.id, status="running", started_at=1.0),
        *(StepEntry(turn=id, n=k, step=what, **where) for k, what in enumerate(steps)),
    )
    answer = ModelAnswered(message=SAYS, usage=usage, model="m")
    store.post(
        StepEntry(turn=id, n=2, step=answer, **where),
        UsageEntry(
            id=id, person=person.id, session=session.id, turn=id, model="m", owner="platform", usage=usage, at=1.0
        ),
    )
    said = Outgoing(id=id, key=id, conversation=ROOM, parts=(WORDS,), cause=receipt.id)
    out = OutboxEntry(outgoing=said, person=person.id, session=session.id)
    await store.write(
        HistoryEntry(message=ModelMessage(role="user", parts=(WORDS,)), tokens=120, **where),
        HistoryEntry(message=SAYS, tokens=120, **where),
        StepEntry(turn=id, n=3, step=Ended(reply=Reply(turn=id, session=session.id, parts=(WORDS,))), **where),
        TurnEntry(info=info, person=person.id, status="ok", started_at=1.0, ended_at=2.0),
        out,
        InboxDone(id=receipt.id),
    )
    store.post(OutboxEntry(outgoing=said, person=person.id, session=session.id, state="sent"))


async def measure(url: str, home: Path, rounds: int, report: Report) -> None:
    """The figures of one engine."""
    async with Store(url, home=home) as store:
        await rows(store, 31, rounds // 4)
        for writers in (1, 32, 256):
            speed, cost = await rows(store, writers, rounds if writers > 1 else rounds // 10)
            report.line(f"{writers} awaiting writers", speed, "rows/s")
            report.line(f"{writers} awaiting writers, CPU a row", cost, "us")
        for at_once in (1, 32):
            await turns(store, at_once, rounds // 40, report)


COUNT = [0]


async def turns(store: Store, at_once: int, total: int, report: Report) -> None:
    """What a whole turn's storing costs."""
    todo = iter(range(COUNT[0], COUNT[0] + total))
    COUNT[0] += total

    async def worker(room: Conversation) -> None:
        for n in todo:
            await turn(store, n, room)

    cpu, wall = time.process_time(), time.perf_counter()
    await asyncio.gather(*(worker(Conversation(channel="bench", id=str(n))) for n in range(at_once)))
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    report.line(f"{at_once} turns at once", total / wall, "turns/s")
    report.line(f"{at_once} turns at once, CPU a turn", cpu / total * 1e6, "us")


async def bytes_a_turn() -> float:
    """Bytes that a plain turn adds to the database, words of about 500 characters in and out."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        sizes: list[int] = []
        for count in (100, 600):
            async with Store(home=home) as store:
                for n in range(len(sizes) * 10_000, len(sizes) * 10_000 + count):
                    await turn(store, n)
            sizes.append((home / "gitu.db").stat().st_size)
        return (sizes[1] - sizes[0]) / 600


def main(rounds: int = 20_000) -> None:
    """Prints all figures."""
    given = parser(__doc__)
    given.add_argument("url", nargs="?", default="", help="another database than an SQLite file")
    options = given.parse_args()
    url, report = options.url, Report("The store")
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(measure(url, Path(folder), rounds, report))
        if not url:
            runs = [
                float(subprocess.run([sys.executable, "-c", OPEN, folder], capture_output=True, check=True).stdout)
                for _ in range(5)
            ]
            report.line("opening a migrated database, with the imports, CPU", min(runs) * 1000, "ms")
    if not url:
        report.line("the rows of a plain turn, words of 500 characters", asyncio.run(bytes_a_turn()), "bytes")
    finish(report, options)


if __name__ == "__main__":
    main()
