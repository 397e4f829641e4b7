"""One framework in a process of its own: ``python -m tests.benchmarks.peers NAME URL FOLDER``; prints JSON."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from contextlib import AsyncExitStack
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import Any

from tests.benchmarks.exchange import differences
from tests.benchmarks.measure import Figure, Send, Server, side_by_side
from tests.benchmarks.variants import openai_client

OFF = {"OPENAI_AGENTS_DISABLE_TRACING": "1", "LANGSMITH_TRACING": "false", "AGNO_TELEMETRY": "false"}
"""Nobody reports anything to anybody."""

IMPORT = """
import resource, time
began, before = time.process_time(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
{imports}
print(time.process_time() - began, (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024)
"""
AT_ONCE = {"plain": (32, 256), "plain stored": (1, 32)}
TURNS = {1: 20, 32: 96, 256: 384}
ROUNDS = 3


def imported(imports: str) -> tuple[float, float]:
    """Seconds of CPU and megabytes that an import takes with warm bytecode, the best of three."""
    command = [sys.executable, "-c", IMPORT.format(imports=imports)]
    runs = []
    for _ in range(4):
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            raise SystemExit(done.stderr.strip())
        runs.append([float(word) for word in done.stdout.split()])
    seconds, megabytes = zip(*runs[1:], strict=True)
    return min(seconds), min(megabytes)


async def measured(send: Send, bare: Send, at_once: int, server: Server) -> tuple[Figure, Figure]:
    """A framework's turn and the bare client's calls, round after round."""
    turns = dict.fromkeys(("peer", "bare"), TURNS[at_once])
    found = await side_by_side({"peer": send, "bare": bare}, at_once, turns, ROUNDS, server)
    return found["peer"], found["bare"]


async def measure(name: str, url: str, folder: Path) -> dict[str, Any]:
    """All figures of one framework."""
    peer = import_module(f"tests.benchmarks.peers.on_{name}")
    seconds, megabytes = imported(peer.IMPORTS)
    found: dict[str, Any] = {
        "name": f"{peer.DISTRIBUTION} {version(peer.DISTRIBUTION)}", "openai": version("openai"),
        "import s": seconds, "import MB": megabytes,
    }  # fmt: skip
    differs: dict[str, str] = {}
    server = Server(url)
    folder.mkdir(parents=True, exist_ok=True)  # noqa: ASYNC240
    async with AsyncExitStack() as closing:
        bare = openai_client(url, closing)
        for what, send in (await peer.make(url, folder, closing)).items():
            kind = what.partition(" ")[0]
            await send(0)  # the second turn of a session shows whether the first one comes along
            for each in differences(kind, await server.bodies(send), strict=False):
                differs.setdefault(each.partition(": ")[2], f"{what}, {each}")
            for at_once in AT_ONCE.get(what, (32,)):
                mine, its = await measured(send, bare[kind], at_once, server)
                found[f"{what} at {at_once}"] = {
                    "ms": mine.ms, "ratio": mine.ratio(its), "rate": mine.best_rate, "bare ms": its.ms,
                    "bare rate": its.best_rate,
                }  # fmt: skip
    return {**found, "differs": sorted(differs.values())}


if __name__ == "__main__":
    os.environ |= OFF
    print(json.dumps(asyncio.run(measure(sys.argv[1], sys.argv[2], Path(sys.argv[3])))))
