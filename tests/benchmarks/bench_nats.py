"""What wake-ups between machines cost. ``python -m tests.benchmarks.bench_nats``

One server, then a cluster of three that keeps everything three times, all on this machine with files. Everything runs
in one event loop: the one who wakes and two who work.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median, quantiles
from typing import Any

import anyio

ROOT = Path(__file__).parents[2]


async def publishes(worker: Any, total: int, at_once: int) -> tuple[float, float]:
    """Wake-ups a second that the stream said it keeps, each of a lane of its own, and CPU in microseconds for each."""
    todo = iter(range(total))

    async def wake() -> None:
        for number in todo:
            await worker.dispatcher.wake(f"{at_once}-{number}")

    cpu, wall = time.process_time(), time.perf_counter()
    async with anyio.create_task_group() as group:
        for _ in range(at_once):
            group.start_soon(wake)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    return total / wall, cpu / total * 1e6


async def wake_ups(waker: Any, workers: Sequence[Any], total: int, pause: float) -> list[float]:
    """Milliseconds from a wake-up to the beginning of its handling, one wake-up after the other."""
    began: dict[str, float] = {}
    taken: list[float] = []

    async def handle(lane: str) -> None:
        taken.append((time.perf_counter() - began[lane]) * 1000)

    for worker in workers:
        worker.work = handle
    for number in range(total):
        began[f"lane-{number}"] = time.perf_counter()
        await waker.dispatcher.wake(f"lane-{number}")
        await anyio.sleep(pause)
    while len(taken) < total:  # noqa: ASYNC110 - figures, not a test
        await anyio.sleep(0.01)
    return taken


async def measure(kind: str, nodes: Sequence[Any], crew: Any, rounds: int) -> None:
    """Prints the figures of one installation."""
    urls = [node.url for node in nodes]
    workers = [await crew.worker(*urls, replicas=len(nodes)) for _ in range(3)]
    waker = workers[0]
    for at_once in (1, 32, 256):
        total = rounds if at_once > 1 else rounds // 10
        speed, cost = await publishes(waker, total, at_once)
        print(f"{kind}: {at_once:4} awaiting wake: {speed:8,.0f} publishes/s {cost:6.0f} us CPU each, handled")
    while sum(worker.done.total() for worker in workers) < rounds * 2 + rounds // 10:  # noqa: ASYNC110 - figures
        await anyio.sleep(0.01)
    taken = await wake_ups(waker, workers, rounds // 5, 0.002)
    print(f"{kind}: wake-up to handling: p50 {median(taken):.2f} ms, p99 {quantiles(taken, n=100)[-1]:.2f} ms")
    for worker in workers:
        await worker.dispatcher.close(1)


async def main(rounds: int = 5_000) -> None:
    """Prints all figures."""
    sys.path.insert(0, str(ROOT / "plugins" / "nats" / "tests"))
    from around import Crew  # type: ignore[import-not-found]
    from servers import Servers  # type: ignore[import-not-found]

    with tempfile.TemporaryDirectory() as folder:
        async with Servers(Path(folder)) as servers, Crew() as crew:
            await measure("one server", [await servers.one()], crew, rounds)
        async with Servers(Path(folder)) as servers, Crew() as crew:
            await measure("three servers", await servers.cluster(3), crew, rounds)


if __name__ == "__main__":
    anyio.run(main)
