"""Where the CPU of a durable turn goes: threads, rooms, functions. ``profile [plain|tool] [--sessions 32]``

First the CPU of each thread. Then samples of the main thread, which cost it next to nothing: what runs by room, on
whose behalf, and by function (what a function calls in C counts as its own). cProfile counts the calls, and tells what
is spent in C; its clock counts what other threads do meanwhile, so that only its large figures mean something.
"""

from __future__ import annotations

import asyncio
import cProfile
import gc
import pstats
import signal
import sys
import tempfile
import threading
import time
from collections import Counter
from contextlib import AsyncExitStack
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

from tests.benchmarks.measure import Send, drive, model_server
from tests.benchmarks.table import Report, painted, parser
from tests.benchmarks.variants import gitu

TOP = 25
SAMPLED = 3
"""How many times as many turns are sampled: samples are few."""

Stats = dict[tuple[str, int, str], tuple[int, int, float, float, dict[Any, Any]]]
"""By function: calls, own and whole seconds, as `pstats` keeps them."""

_HERE = Path(__file__).parent.as_posix()


def place(file: str) -> tuple[str, bool]:
    """What a source file belongs to: a room, a plugin, a library; and whether that is Gitu's."""
    path = file.replace("\\", "/")
    parts = path.split("/")
    if path.startswith(_HERE):
        return "the benchmark", False
    if "gitu_core" in parts:
        room = parts[parts.index("gitu_core") + 1].removesuffix(".py")
        return f"gitu_core.{room}", True
    if plugin := next((part for part in parts if part.startswith("gitu_")), ""):
        return plugin, True
    if "site-packages" in parts:
        return parts[parts.index("site-packages") + 1].removesuffix(".py"), False
    if "asyncio" in parts:
        return "asyncio", False
    return f"python: {parts[-1].removesuffix('.py')}", False


class Sampler:
    """Looks what the main thread does whenever the process has used another bit of CPU."""

    def __init__(self) -> None:
        self.own: Counter[str] = Counter()
        self.behalf: Counter[str] = Counter()
        self.functions: Counter[CodeType] = Counter()
        self._last = 0.0

    def __enter__(self) -> Sampler:
        self._last = time.thread_time()
        self._before = signal.signal(signal.SIGPROF, self._look)
        signal.setitimer(signal.ITIMER_PROF, 0.001, 0.001)
        return self

    def __exit__(self, *_: object) -> None:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, self._before)

    def _look(self, number: int, frame: FrameType | None) -> None:
        # The timer counts all threads; the weight is what this one used since the last look.
        now = time.thread_time()
        weight, self._last = now - self._last, now
        if frame is None:
            return
        self.functions[frame.f_code] += weight  # type: ignore[assignment]
        self.own[place(frame.f_code.co_filename)[0]] += weight  # type: ignore[assignment]
        at: FrameType | None = frame
        while at is not None:
            name, ours = place(at.f_code.co_filename)
            if ours:
                self.behalf[name] += weight  # type: ignore[assignment]
                return
            at = at.f_back
        self.behalf["the event loop and its callbacks"] += weight  # type: ignore[assignment]


def thread_clocks() -> dict[str, float]:
    """Seconds of CPU by thread; threads whose names differ only by a number count as one."""
    found: dict[str, float] = {}
    for thread in threading.enumerate():
        if thread.ident is not None and hasattr(time, "pthread_getcpuclockid"):
            name = thread.name.rstrip("0123456789").rstrip("_-")
            seconds = time.clock_gettime(time.pthread_getcpuclockid(thread.ident))
            found[name] = found.get(name, 0.0) + seconds
    return found


async def by_thread(send: Send, sessions: int, turns: int, report: Report) -> None:
    """Prints the CPU of each thread, nothing else running."""
    gc.collect()
    before, cpu = thread_clocks(), time.process_time()
    await drive(send, sessions, turns)
    cpu, after = time.process_time() - cpu, thread_clocks()
    spent = {name: 1000 * (seconds - before.get(name, 0.0)) / turns for name, seconds in after.items()}
    rows: list[tuple[Any, ...]] = [(name, ms, f"{100 * ms * turns / 1000 / cpu:.0f} %") for name, ms in spent.items()]
    rows.append(("all", 1000 * cpu / turns, ""))
    report.rows(("thread", "ms CPU a turn", "of all"), rows)


def by_room(sampler: Sampler, turns: int, report: Report) -> None:
    """Prints what the main thread does, and for whom."""
    for title, counted in (("runs", sampler.own), ("on behalf of (with what it calls)", sampler.behalf)):
        total = sum(counted.values()) or 1.0
        rows = [
            (name, 1e6 * seconds / turns, f"{100 * seconds / total:.1f} %")
            for name, seconds in counted.most_common(20)
            if seconds / total > 0.005
        ]
        report.rows((title, "us CPU a turn", "of the main thread"), rows)


def by_function(sampler: Sampler, counted: Stats, turns: tuple[int, int], report: Report, top: int) -> None:
    """Prints the functions that use most CPU themselves."""
    total = sum(sampler.functions.values()) or 1.0
    rows = []
    for code, seconds in sampler.functions.most_common(top):
        calls = counted.get((code.co_filename, code.co_firstlineno, code.co_name), (0, 0))[1]
        name = f"{'/'.join(Path(code.co_filename).parts[-2:])}:{code.co_firstlineno} {code.co_qualname}"
        rows.append((name[-72:], 1e6 * seconds / turns[0], f"{100 * seconds / total:.1f} %", calls / turns[1]))
    report.rows(("function", "own us CPU a turn", "of the main thread", "calls a turn"), rows)
    built_in = sorted((item for item in counted.items() if item[0][0] == "~"), key=lambda item: -item[1][2])
    rows = [(key[2][:72], 1e6 * own / turns[1], calls / turns[1]) for key, (_, calls, own, _, _) in built_in[:top]]
    report.rows(("in C, as cProfile counts", "own us a turn", "calls a turn"), rows)


async def counted_by(send: Send, sessions: int, turns: int) -> Stats:
    """What cProfile counts in the main thread, without the waiting for events."""
    profile = cProfile.Profile()
    profile.enable()
    await drive(send, sessions, turns)
    profile.disable()
    stats: Stats = pstats.Stats(profile).stats  # type: ignore[attr-defined]
    return {key: entry for key, entry in stats.items() if "'poll' of 'select." not in key[2]}


async def run(url: str, folder: Path, kind: str, sessions: int, turns: int, top: int, report: Report) -> None:
    """All views, one after the other, of the same assistant."""
    async with AsyncExitStack() as closing:
        send = await gitu(url, folder, kind, closing)
        await drive(send, sessions, max(200, 2 * sessions))
        await by_thread(send, sessions, turns, report)
        with Sampler() as sampler:
            await drive(send, sessions, SAMPLED * turns)
        by_room(sampler, SAMPLED * turns, report)
        by_function(sampler, await counted_by(send, sessions, turns), (SAMPLED * turns, turns), report, top)


def main() -> None:
    """Starts the server, measures, prints the views."""
    given = parser(__doc__)
    given.add_argument("kind", nargs="?", choices=("plain", "tool"), default="plain")
    given.add_argument("--sessions", type=int, default=32, help="how many at once")
    given.add_argument("--turns", type=int, default=2_000)
    given.add_argument("--top", type=int, default=TOP, help="how many functions")
    options = given.parse_args()
    report = Report(f"Where a {options.kind} turn's CPU goes, {options.sessions} sessions at once")
    print(painted(f"  {report.title}", "bold"), file=sys.stdout)
    with model_server() as server, tempfile.TemporaryDirectory() as folder:
        asyncio.run(run(server.url, Path(folder), options.kind, options.sessions, options.turns, options.top, report))
    if options.json:
        report.write(options.json)


if __name__ == "__main__":
    main()
