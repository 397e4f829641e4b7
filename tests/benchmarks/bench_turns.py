"""A durable turn beside the vendor client's bare calls: the same requests, against the same server, in one run.

A plain turn is one model call; a tool turn is one that calls a tool, the tool's effect, and one that answers. Every
user keeps one session. All variants take turns, round after round.
"""

from __future__ import annotations

import asyncio
import json
import tempfile
from contextlib import AsyncExitStack
from pathlib import Path

from tests.benchmarks.exchange import KINDS, differences
from tests.benchmarks.measure import Figure, Send, Server, capacity, model_server, side_by_side
from tests.benchmarks.table import Report, finish, parser
from tests.benchmarks.variants import aiohttp_session, file_system, gitu, openai_client

TURNS = {1: {"gitu": 100, "budgets": 100, "openai": 50, "aiohttp": 100},
         32: {"gitu": 480, "budgets": 480, "openai": 192, "aiohttp": 480},
         256: {"gitu": 1024, "budgets": 1024, "openai": 512, "aiohttp": 1024}}  # fmt: skip
"""How many turns a round has, at each number of sessions at once."""

ROUNDS = 5
LIMITS = {1: 0.6, 32: 0.25, 256: 0.25}
"""Gitu's CPU in terms of the bare client's."""

AIMS = {1: 0.3, 32: 0.15, 256: 0.15}
SPEED = 3.0
"""Gitu's turns a second in terms of the bare client's, at 32 sessions."""

STEADY = 0.8
"""Gitu's turns a second at 256 sessions in terms of its own at 32."""


async def same(server: Server, kind: str, variants: dict[str, Send], when: str) -> None:
    """Ends the run if somebody sends something else than everybody should."""
    for name, send in variants.items():
        found = differences(kind, await server.bodies(send))
        if found:
            raise SystemExit(f"{name}, {kind} turn, {when}: the requests are not the same:\n  " + "\n  ".join(found))


async def compare(server: Server, folder: Path, rounds: int, report: Report, budgets: bool) -> None:
    """Measures and fills the report."""
    body = json.dumps(KINDS["plain"][0]).encode()
    fast, cost = await capacity(server, body)
    report.note(f"the model server answers {fast:,.0f} requests/s to a bare client; each takes it {cost:.0f} us of CPU")
    report.note(f"database on {file_system(folder)}, synchronous=FULL; CPU of this process, not of the server")
    for kind in KINDS:
        async with AsyncExitStack() as closing:
            variants = {
                "gitu": await gitu(server.url, folder / kind, kind, closing),
                "openai": openai_client(server.url, closing)[kind],
                "aiohttp": aiohttp_session(server.url, closing)[kind],
            }
            if budgets:
                variants["budgets"] = await gitu(server.url, folder / f"{kind}-budgets", kind, closing, budgets=True)
            await same(server, kind, variants, "at the start")
            found = {n: await side_by_side(variants, n, turns, rounds, server) for n, turns in TURNS.items()}
            await same(server, kind, variants, "at the end")
        show(kind, found, report)
        judge(kind, found, report)


def show(kind: str, found: dict[int, dict[str, Figure]], report: Report) -> None:
    """Prints the figures of one kind of turn."""
    names = {
        "gitu": "Gitu, stored",
        "budgets": "the same with two budgets",
        "openai": "bare openai client",
        "aiohttp": "bare aiohttp",
    }
    rows = [
        (
            f"{kind} turn, {names[name]}", at_once, figure.ms, figure.ratio(by_name["openai"]), figure.best_rate,
            f"{100 * max(figure.busy):.0f} %",
        )
        for at_once, by_name in found.items()
        for name, figure in by_name.items()
    ]  # fmt: skip
    report.rows(("", "at once", "ms CPU", "of openai", "turns/s", "server busy"), rows)


def judge(kind: str, found: dict[int, dict[str, Figure]], report: Report) -> None:
    """Adds the lines with limits."""
    for at_once, by_name in found.items():
        ratio = by_name["gitu"].ratio(by_name["openai"])
        name = f"{kind} turn, CPU of the bare client's at {at_once}"
        report.line(name, ratio, "", LIMITS[at_once], aim=AIMS[at_once])
    mine = {at_once: by_name["gitu"].best_rate for at_once, by_name in found.items()}
    speed = mine[32] / found[32]["openai"].best_rate
    report.line(f"{kind} turn, turns/s of the bare client's at 32", speed, "", SPEED, sense="at least")
    report.line(f"{kind} turn, turns/s at 256 of those at 32", mine[256] / mine[32], "", STEADY, sense="at least")


def main() -> None:
    """Starts the server, measures, prints a table."""
    given = parser(__doc__)
    given.add_argument("--rounds", type=int, default=ROUNDS)
    given.add_argument("--budgets", action="store_true", help="measure a turn with two budgets as well")
    given.add_argument("--gap", type=float, default=0.0, help="seconds between two events of a stream")
    options = given.parse_args()
    report = Report("A durable turn beside the bare client's calls")
    with model_server("--gap", str(options.gap)) as server, tempfile.TemporaryDirectory() as folder:
        asyncio.run(compare(server, Path(folder), options.rounds, report, options.budgets))
    finish(report, options)


if __name__ == "__main__":
    main()
