"""Workers whose wake-ups travel through a server of NATS: it is killed and comes back, two of three workers die, and
one dies with a wake-up in its hands."""

from __future__ import annotations

import argparse
import importlib.util
import random
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import anyio

from gitu_core.testing.crash import Result, folder
from tests.chaos import show
from tests.chaos.crowd import Crowd
from tests.chaos.databases import Databases
from tests.chaos.matrix import NOT_HERE
from tests.chaos.team import Team, broken
from tests.chaos.workers import PEOPLE, has_answer, judged, late_after, talk, two_of_three, unanswered

ROOT = Path(__file__).resolve().parents[2]

DOWN = 3.0
"""Seconds that the server is gone."""


def run(options: argparse.Namespace) -> list[Result]:
    """Runs all cases on PostgreSQL; nothing where the plugin is not installed."""
    show.head("workers behind NATS")
    if importlib.util.find_spec("gitu_nats") is None:
        show.say("left out: the plugin nats is not installed (next: make setup)")
        return []
    cases: dict[str, Callable[[Team, Any], dict[str, list[str]]]] = {
        "two of three killed": lambda team, node: two_of_three(team),
        "server killed and back": _killed_and_back,
        **{f"killed at {point}": _killed_at(point) for point in NOT_HERE},
    }
    wanted = {name: case for name, case in cases.items() if all(word in name for word in options.only)}
    results = []
    with folder() as base, Databases(bool(wanted), str(base)) as databases:
        for name, case in wanted.items():
            with databases.one("postgresql") as database, one_server(base / name.replace(" ", "-")) as node:

                def run_case(team: Team, case: Any = case, node: Any = node) -> dict[str, list[str]]:
                    found: dict[str, list[str]] = case(team, node)
                    return found

                settings = (
                    'dispatcher = "nats"\n[plugins.nats]\nenabled = true\ntrusted = true\n'
                    f'servers = ["{node.url}"]\nack_wait = 2\n'
                )
                place = base / f"team-{name.replace(' ', '-')}"
                results.append(
                    judged(place, "postgresql", "verifiable", f"nats: {name}", run_case, database, settings=settings)
                )
    return results


def _killed_at(point: str) -> Callable[[Team, Any], dict[str, list[str]]]:
    """A worker dies with a wake-up in its hands, while people talk; the others go on."""

    def case(team: Team, node: Any) -> dict[str, list[str]]:
        crowd = Crowd(team.world, PEOPLE, random.Random(point))
        first = team.start(f"{point}:kill:5")
        for _ in range(2):
            team.start()
        end = time.monotonic() + 10
        while team.alive[first][0].poll() is None and time.monotonic() < end:
            talk(crowd, 0.01)
        still, at = unanswered(team), team.dies(first)
        late = late_after(team, at, still, crowd)
        return broken(team.finish(), late)

    return case


def _killed_and_back(team: Team, node: Any) -> dict[str, list[str]]:
    """The server dies while people talk; work goes on without it, and it comes back."""
    crowd = Crowd(team.world, PEOPLE, random.Random(3))
    for _ in range(3):
        team.start()
    talk(crowd, 1.5)
    anyio.run(node.kill)
    at, said = time.monotonic(), len(team.world.events("said"))
    talk(crowd, DOWN)
    meanwhile = [each for each in team.world.events("said")[said:] if not each.ask]
    served = [each for each in meanwhile if has_answer(team, each.text)]
    anyio.run(node.start)
    talk(crowd, 1.5)
    evidence = team.finish()
    late = f"of {len(meanwhile)} messages in the {time.monotonic() - at:.0f} s without the server none was answered"
    return broken(evidence, [] if served else [late])


@contextmanager
def one_server(place: Path) -> Iterator[Any]:
    """A server out of a wheel, on free ports, with its data below *place*."""
    servers = _servers()
    node = servers.Node(place, "one", servers.free_ports(3))
    anyio.run(node.start)
    try:
        yield node
    finally:
        anyio.run(node.kill)


def _servers() -> Any:
    """What the tests of the plugin start servers with."""
    spec = importlib.util.spec_from_file_location("nats_servers", ROOT / "plugins" / "nats" / "tests" / "servers.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module
