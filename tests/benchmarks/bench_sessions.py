"""What stays behind: memory of sessions that were used once and are idle, and bytes of the database a turn.

Memory is measured in a process of its own, before and after, each time with what is free handed back to the system.
"""

from __future__ import annotations

import asyncio
import ctypes
import gc
import json
import sqlite3
import subprocess
import sys
import tempfile
from contextlib import AsyncExitStack, closing, suppress
from pathlib import Path

from tests.benchmarks.exchange import KINDS
from tests.benchmarks.measure import drive, model_server
from tests.benchmarks.table import Report, finish, parser
from tests.benchmarks.variants import gitu

IDLE, LIMIT = 10_000, 20.0
"""Sessions that were used once, and the megabytes that they may add."""

BUSY, TURNS, WARM = 64, 10_000, 3_000
"""Users who share as many turns, to tell what turns leave behind from what sessions do."""

STORED = 1_000
"""Turns over which the bytes of the database are counted."""


def resident() -> float:
    """Megabytes of this process in memory."""
    gc.collect()
    with suppress(OSError, AttributeError):  # with another C library what is free counts as used
        ctypes.CDLL(None).malloc_trim(0)
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    raise RuntimeError("this system does not tell how much memory a process has")


async def measure(url: str, folder: Path) -> dict[str, float]:
    """Megabytes at the start, after turns of few users, and after as many of users who come once."""
    async with AsyncExitStack() as stack:
        send = await gitu(url, folder, "plain", stack)
        await drive(send, BUSY, WARM)
        found = {"start": resident()}
        await drive(send, BUSY, TURNS)
        found["turns"] = resident()
        numbers = iter(range(BUSY, BUSY + IDLE))
        await drive(lambda _: send(next(numbers)), BUSY, IDLE)
        await asyncio.sleep(1)
        found["idle"] = resident()
    with closing(sqlite3.connect(folder / "gitu.db")) as database:
        (sessions,) = database.execute("SELECT count(*) FROM sessions WHERE ended_at IS NULL").fetchone()
    assert sessions == BUSY + IDLE, f"{sessions} sessions are open"
    return found


async def size_of(url: str, folder: Path, kind: str, turns: int) -> int:
    """Bytes of the database, with all that is in its log, after more turns."""
    async with AsyncExitStack() as stack:
        await drive(await gitu(url, folder, kind, stack), 32, turns)
    path = folder / "gitu.db"
    with closing(sqlite3.connect(path)) as database:
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    log = folder / "gitu.db-wal"
    return path.stat().st_size + (log.stat().st_size if log.exists() else 0)


async def disk(url: str, folder: Path, report: Report) -> None:
    """Bytes that a turn adds."""
    for kind in KINDS:
        before = await size_of(url, folder / kind, kind, STORED // 4)
        after = await size_of(url, folder / kind, kind, STORED)
        report.line(f"{kind} turn, bytes of the database", (after - before) / STORED, "bytes")


def main() -> None:
    """Measures and prints a table. With ``--inside URL FOLDER`` it is the process whose memory is measured."""
    if sys.argv[1:2] == ["--inside"]:
        print(json.dumps(asyncio.run(measure(sys.argv[2], Path(sys.argv[3])))))
        return
    options = parser(__doc__).parse_args()
    report = Report("What stays behind")
    with model_server() as server, tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "tests.benchmarks.bench_sessions", "--inside", server.url, f"{folder}/memory"]
        found = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
        report.note(
            f"{found['start']:.0f} MB after {WARM:,} turns of {BUSY} users, {found['turns']:.0f} after {TURNS:,} more, "
            f"{found['idle']:.0f} after {IDLE:,} users who came once"
        )
        report.line(f"{TURNS:,} turns of the same {BUSY} sessions add", found["turns"] - found["start"], "MB")
        report.line(f"{IDLE:,} idle sessions add", found["idle"] - found["turns"], "MB", LIMIT)
        asyncio.run(disk(server.url, Path(folder), report))
    finish(report, options)


if __name__ == "__main__":
    main()
