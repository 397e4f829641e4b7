"""What it costs to list 1,000 installed distributions of which 100 are plugins, and to call hooks."""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import anyio

from gitu_core.manifest import Contribution, Manifest, render
from gitu_core.registry import Registry
from gitu_core.registry.describe import RecordingHost
from tests.benchmarks.table import Report, finish, parser

DISTRIBUTIONS, PLUGINS, LISTINGS, CALLS = 1000, 100, 20, 50_000
SCHEMA = {
    "type": "object",
    "properties": {name: {"type": "string"} for name in ("to", "title", "body")},
    "required": ["to"],
}


def build(site: Path) -> None:
    """Writes the distributions as an installer leaves them behind; every tenth is a plugin with two tools."""
    for number in range(DISTRIBUTIONS):
        info = site / f"dist_{number}-1.0.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text(f"Metadata-Version: 2.4\nName: dist-{number}\nVersion: 1.0\n\n" + "words " * 500)
        (info / "RECORD").write_text("")
        if number % (DISTRIBUTIONS // PLUGINS) == 0:
            package = site / f"x_{number}"
            package.mkdir()
            (package / "__init__.py").write_text("raise RuntimeError('a listing imported me')\n")
            tools = tuple(
                Contribution(seam="tool", name=f"{name}_{number}", description="Does.", spec={"input_schema": SCHEMA})
                for name in ("read", "write")
            )
            manifest = Manifest(id=f"p{number}", contracts={"tool": 1}, hooks={"gitu_tools": 0}, contributes=tools)
            (package / "gitu-plugin.toml").write_text(render(manifest))
            (info / "entry_points.txt").write_text(f"[gitu.plugins]\np{number} = x_{number}\n")
        elif number % 3 == 0:
            (info / "entry_points.txt").write_text("[console_scripts]\nx = x:main\n")
    past = time.time() - 60
    os.utime(site, (past, past))


def listing(home: Path, site: Path) -> float:
    """Lists all plugins with a new registry; gives CPU milliseconds."""
    started = time.process_time()
    found = Registry(home, host_for=lambda manifest: _host(manifest), path=[str(site)]).plugins()
    spent = (time.process_time() - started) * 1000
    assert len(found) == PLUGINS
    return spent


def _host(manifest: Manifest) -> Any:
    return RecordingHost(manifest.id)


class Listener:
    """A plugin with one observer."""

    def gitu_turn_started(self, turn: object) -> None:
        """Does nothing."""


class Waiter:
    """A plugin with one asynchronous observer."""

    async def gitu_turn_started(self, turn: object) -> None:
        """Does nothing."""


async def calls(home: Path, report: Report) -> None:
    """What hooks cost with nobody and with one plugin listening, in microseconds."""

    async def measure(observe: Callable[..., Awaitable[None]]) -> float:
        started = time.process_time()
        for _ in range(CALLS):
            await observe("gitu_turn_started", turn=None)
        return (time.process_time() - started) / CALLS * 1e6

    for name, local in (("no", []), ("one def", [("x", Listener())]), ("one async def", [("x", Waiter())])):
        registry = Registry(home, host_for=_host, path=[], local=local)
        await registry.start()
        report.line(f"observe, {name} implementation", await measure(registry.hooks.observe), "us")
        if not local:
            started = time.process_time()
            for _ in range(CALLS):
                registry.hooks.wants("gitu_turn_started")
            report.line("wants", (time.process_time() - started) / CALLS * 1e6, "us")
        await registry.stop()


def main() -> None:
    """Prints the figures."""
    options = parser(__doc__).parse_args()
    report = Report("Plugins and hooks")
    with tempfile.TemporaryDirectory() as folder:
        site, home = Path(folder, "site"), Path(folder, "home")
        build(site)
        cold = listing(home, site)
        warm = sorted(listing(home, site) for _ in range(LISTINGS))
        imported = sum(name.startswith("x_") for name in sys.modules)
        report.note(f"{DISTRIBUTIONS} distributions, {PLUGINS} of them plugins")
        report.line("listing, cold", cold, "ms")
        report.line("listing, warm", warm[LISTINGS // 2], "ms")
        report.line("plugins imported by a listing", imported, "", 0)
        anyio.run(calls, home, report)
    finish(report, options)


if __name__ == "__main__":
    main()
