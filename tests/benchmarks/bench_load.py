"""A thousand people talk at once: errors, lost and doubled answers, and what of the waiting is the framework's.

With ``--workers N`` the database is PostgreSQL, wake-ups travel through NATS, N processes run `gitu worker`, and the
first of them is killed halfway. Without, one process with SQLite does everything.
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

from tests.benchmarks.load_users import CHANNEL, Book, Crowd, share
from tests.benchmarks.measure import model_server
from tests.benchmarks.table import Report, finish, parser

USERS, EVERY, SECONDS, DELAY = 1_000, 10.0, 60.0, 0.25
PATIENCE = 30.0
"""Seconds that an answer may still take after the last message."""

LIMIT = 50.0
"""Milliseconds of the framework's time that 99 of 100 messages may take at most."""


async def talk(crowd: Crowd, seconds: float, halfway: Callable[[], Awaitable[None]], **options: Any) -> float:
    """Lets the crowd talk to an assistant; gives the seconds of CPU that this process took."""
    from gitu_core import Gitu

    async def disturb() -> None:
        await crowd.began.wait()
        await asyncio.sleep(seconds / 2)
        await halfway()

    async with Gitu(plugins=[crowd], **options) as gitu:
        cpu = time.process_time()
        disturbing = asyncio.create_task(disturb())
        await gitu.serve(CHANNEL)
        await disturbing
        return time.process_time() - cpu


async def alone(url: str, folder: Path, crowd: Crowd, options: argparse.Namespace) -> float:
    """Everything in this process, with SQLite."""
    import os

    from gitu_core.config import Profile

    async def nothing() -> None:
        """Nobody is killed."""

    os.environ |= {"OPENAI_BASE_URL": url, "OPENAI_API_KEY": "sk-bench"}
    profile = Profile(instructions="Answer.", tools=(), exact=True)
    return await talk(crowd, options.seconds, nothing, model="openai/bench", profiles=[profile], home=folder)


async def many(url: str, folder: Path, crowd: Crowd, options: argparse.Namespace) -> float:
    """The channel in this process, the turns in workers."""
    from gitu_core.errors import ConfigError
    from tests.benchmarks.load_cluster import Cluster

    async with AsyncExitStack() as closing:
        cluster = Cluster(folder, url, options.workers)
        try:
            await cluster.start(closing)
        except ConfigError as error:
            raise SystemExit(f"this Gitu cannot work with several processes yet: {error}") from error
        return await talk(crowd, options.seconds, cluster.kill_one, config=cluster.config)


def judge(book: Book, cpu: float, report: Report) -> None:
    """Adds the lines."""
    own = [1000 * each for each in book.own.values()]
    answered = max(1, len(book.total))
    for title, values in (("framework", book.own), ("accept", book.accepted), ("whole", book.total)):
        times = [1000 * each for each in values.values()]
        report.details.append({"ms": title} | {str(part): share(times, part) for part in (0.5, 0.9, 0.99, 1.0)})
    rows = [tuple(each.values()) for each in report.details]
    report.details.clear()
    report.rows(("ms", "p50", "p90", "p99", "max"), rows)
    report.note(
        f"{len(book.asked):,} said, {len(book.total):,} answered, {book.repeated} handed over again under their key"
    )
    for each in book.errors[:5]:
        report.note(each)
    report.line("errors", len(book.errors), "", 0)
    report.line("lost", len(book.lost), "", 0)
    report.line("doubled", len(book.doubled), "", 0)
    report.line("framework time, p99", share(own, 0.99), "ms", LIMIT)
    report.line("framework time, p50", share(own, 0.5), "ms")
    report.line("framework time, longest", share(own, 1.0), "ms")
    report.line("CPU of the channel's process, users included", 1000 * cpu / answered, "ms a turn")


def main() -> None:
    """Starts the server, lets the crowd talk, prints a table."""
    given = parser(__doc__)
    given.add_argument("--users", type=int, default=USERS)
    given.add_argument("--every", type=float, default=EVERY, help="seconds between two messages of one person")
    given.add_argument("--seconds", type=float, default=SECONDS)
    given.add_argument("--delay", type=float, default=DELAY, help="seconds that the model takes")
    given.add_argument("--workers", type=int, default=0, help="processes that work, on PostgreSQL and NATS")
    options = given.parse_args()
    report = Report(f"{options.users:,} people, a message every {options.every:g} s, for {options.seconds:g} s")

    async def run(url: str, folder: Path) -> None:
        crowd = Crowd(options.users, options.every, options.seconds, PATIENCE)
        cpu = await (many if options.workers else alone)(url, folder, crowd, options)
        judge(crowd.book, cpu, report)

    report.note(
        f"{report.title}; the model takes {options.delay:g} s and says how long it took exactly, which is subtracted"
    )
    with model_server("--delay", str(options.delay)) as server, tempfile.TemporaryDirectory() as folder:
        asyncio.run(run(server.url, Path(folder)))
    finish(report, options)


if __name__ == "__main__":
    main()
