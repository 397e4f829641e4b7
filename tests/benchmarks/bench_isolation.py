"""What a process of its own costs a plugin: a call, a stream, memory. And what many plugins cost the start."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import anyio

from gitu_core.contracts import ModelRequest
from gitu_core.manifest import Contribution, Manifest, render
from gitu_core.model import CallInfo, ToolCall, user_message
from gitu_core.registry import Registry
from gitu_core.registry.describe import RecordingHost
from tests.benchmarks.table import Report, finish, parser
from tests.registry.conftest import Site

CALLS, STREAMS, CHUNKS, ROUNDS = 1_000, 40, 200, 5
INSTALLED, ENABLED, STARTS = 300, 50, 7

CODE = '''
from gitu_core import tool
from gitu_core.contracts import Finish, TextDelta, Usage

@tool
async def add(a: int, b: int) -> int:
    """Adds two numbers."""
    return a + b

class Words:
    name = "words"

    async def catalogue(self):
        return []

    async def stream(self, request):
        for _ in range(199):
            yield TextDelta("word ")
        yield Finish("stop", Usage(1, 1))

def gitu_tools(host):
    return [add]

def gitu_model_providers(host):
    return [Words()]
'''


class Context:
    """A call's context without anybody behind it."""

    info = CallInfo("c", "k", principal="user:ana")
    deps = None

    async def progress(self, text: str, fraction: float | None = None) -> None:
        """Is lost."""


def host_for(manifest: Manifest) -> Any:
    """A host for plugins that ask nothing of it."""
    return RecordingHost(manifest.id)


async def call(tool: Any) -> float:
    """The median time of a small call, in microseconds."""
    took = []
    for number in range(CALLS):
        started = time.perf_counter()
        await tool.run(ToolCall("1", "add", {"a": number, "b": 1}), Context())
        took.append(time.perf_counter() - started)
    return sorted(took)[CALLS // 2] * 1e6


async def stream(provider: Any) -> float:
    """Chunks a second, streams of 200 each."""
    request = ModelRequest("words", (user_message("go"),))
    started = time.perf_counter()
    for _ in range(STREAMS):
        assert sum([1 async for _ in provider.stream(request)]) == CHUNKS
    return STREAMS * CHUNKS / (time.perf_counter() - started)


def memory(pid: int) -> tuple[float, float]:
    """What a process holds, in megabytes: alone and its share of what others hold as well; and all of it."""
    lines = (line.split() for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:])
    found = {name: int(size) / 1024 for name, size, *_ in lines}
    return found["Pss:"], found["Rss:"]


async def border(folder: Path, report: Report) -> None:
    """Calls and streams, inside and outside, side by side."""
    site = Site(folder / "site")
    site.install("adds", CODE, None)
    sides: dict[str, Registry] = {}
    for side in ("host", "process"):
        sides[side] = Registry(folder / side, host_for=host_for, path=[str(site.folder)],
                               enabled=lambda id, manifest: True, trusts=lambda *_, s=side: s == "host")  # fmt: skip
        await sides[side].start()
    tools = {side: await registry.get("tool", "add") for side, registry in sides.items()}
    words = {side: await registry.get("provider", "words") for side, registry in sides.items()}
    for side in sides:  # once, so that everything is loaded
        await call(tools[side])
        await stream(words[side])
    rows, added, fast = [], [], []
    for number in range(ROUNDS):
        calls = {side: await call(tools[side]) for side in sides}
        streams = {side: await stream(words[side]) for side in sides}
        added.append(calls["process"] - calls["host"])
        fast.append(streams["process"])
        rows.append((f"round {number + 1}", calls["host"], calls["process"], streams["host"], streams["process"]))
    report.rows(("", "call inside, us", "outside, us", "chunks/s inside", "outside"), rows)
    apart = sides["process"]._record("adds").active.apart  # type: ignore[union-attr]
    share, whole = memory(apart._run.pid)
    report.note(f"walls around the worker: {'; '.join(apart.walls)}")
    report.line("a small call across the border adds, median", sorted(added)[ROUNDS // 2], "us", 300)
    report.line(f"a stream of {CHUNKS} chunks, median", sorted(fast)[ROUNDS // 2], "chunks/s", 20_000, sense="at least")
    report.line("a worker holds, shared pages divided (PSS)", share, "MB", 35)
    report.line("a worker holds, shared pages whole (RSS)", whole, "MB")
    for registry in sides.values():
        await registry.stop()


def many(folder: Path) -> tuple[Path, str]:
    """Installs plugins with two tools each; gives their folder and the configuration that enables some."""
    site = Site(folder / "many")
    schema = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
    for number in range(INSTALLED):
        tools = tuple(
            Contribution("tool", name, spec={"name": name, "description": "Does something.", "input_schema": schema})
            for name in (f"polish_{number}", f"weigh_{number}")
        )
        manifest = Manifest(f"p{number}", contracts={"tool": 1}, hooks={"gitu_tools": 0}, contributes=tools)
        text = render(manifest).partition("\n")[2]
        site.install(f"p{number}", "raise RuntimeError('nobody asked for me')", text)
    return site.folder, "".join(f"[plugins.p{number}]\nenabled = true\n" for number in range(ENABLED))


def first_answer(home: Path, config: Path, path: str) -> tuple[float, float]:
    """CPU and wall time of one ``gitu ask``, in milliseconds."""
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    environment |= {"GITU_HOME": str(home), "GITU_MODEL": "offline", "PYTHONPATH": path}
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    command = [sys.executable, "-m", "gitu_core", "--config", str(config), "ask", "what is 2+2*10?"]
    done = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
    assert "22" in done.stdout
    after, ended = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    return 1000 * (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime), 1000 * (ended - began)


def start(folder: Path, report: Report) -> None:
    """The first answer with many plugins beside the one with those that come with Gitu."""
    site, enabled = many(folder)
    few, lots = folder / "few.toml", folder / "lots.toml"
    few.write_text("")
    lots.write_text(enabled)
    found: dict[str, list[tuple[float, float]]] = {"few": [], "lots": []}
    for _ in range(STARTS + 1):  # the first of each makes the database and the index
        found["few"].append(first_answer(folder / "home-few", few, os.getcwd()))
        found["lots"].append(first_answer(folder / "home-lots", lots, f"{os.getcwd()}{os.pathsep}{site}"))
    best = {name: [min(each[n] for each in takes[1:]) for n in (0, 1)] for name, takes in found.items()}
    rows = [("the built-in plugins", *best["few"]), (f"{INSTALLED} more, {ENABLED} enabled", *best["lots"])]
    report.rows(("first answer with", "ms CPU", "ms"), rows)
    for n, what in enumerate(("CPU", "time")):
        report.line(
            f"first answer with {INSTALLED} plugins, {what} of that without", best["lots"][n] / best["few"][n], "", 1.3
        )


def main() -> None:
    """Prints the figures."""
    options = parser(__doc__).parse_args()
    report = Report("Plugins in processes of their own")
    with tempfile.TemporaryDirectory() as folder:
        anyio.run(border, Path(folder), report)
        start(Path(folder), report)
    finish(report, options)


if __name__ == "__main__":
    main()
