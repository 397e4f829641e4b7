"""Calls, deaths, rests, cancellations and ends of a worker at the same time: nothing hangs, and nothing is left."""

from __future__ import annotations

import os
import random
import signal
from contextlib import suppress
from pathlib import Path
from typing import Any

import anyio
import pytest

from gitu_core.registry import apart as apart_module
from tests.isolation.conftest import Open, plugin
from tests.registry.conftest import Site

pytestmark = pytest.mark.anyio


def started_in(home: Path) -> list[int]:
    """The processes of workers whose folders are in this home."""
    found = []
    for each in filter(str.isdigit, os.listdir("/proc")):
        with suppress(OSError):
            if os.readlink(f"/proc/{each}/cwd").startswith(f"{home}/tmp/"):
                found.append(int(each))
    return found


@pytest.mark.skipif(not os.path.isdir("/proc/self"), reason="not tested: processes are found in /proc; run it on Linux")
@pytest.mark.parametrize("seed", range(4))
async def test_whatever_comes_together_everybody_gets_an_end_and_nobody_is_left(
    site: Site, opened: Open, home: Path, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    monkeypatch.setattr(apart_module, "FIRST_WAIT", 0.01)
    monkeypatch.setattr(apart_module, "LONGEST_WAIT", 0.05)
    monkeypatch.setattr(apart_module, "IDLE", 0.2)
    chance = random.Random(seed)
    plugin(site, "plain", "await asyncio.sleep(0.01)\nreturn 'said'")
    ended: list[Any] = []

    async def ask(number: int) -> None:
        await anyio.sleep(chance.random() * 2)
        with anyio.move_on_after(chance.choice((0.001, 0.01, 0.05, 0.2, 10))):
            ended.append(await house.ask("plain", f"user{number}"))

    async def kill() -> None:
        for _ in range(4):
            await anyio.sleep(chance.random() * 0.6)
            for pid in started_in(home):
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)

    async with opened("plain") as house:
        await house.ask("plain")  # whoever dies while it is loaded for the first time is not tried again
        monkeypatch.setattr(house.gitu.house.registry, "fault", lambda *_: None)  # its deaths are not its fault
        with anyio.fail_after(60):
            async with anyio.create_task_group() as group:
                group.start_soon(kill)
                for number in range(30):
                    group.start_soon(ask, number)
        assert ended
        with anyio.fail_after(10):
            while not (found := (await house.ask("plain")).results) or found[0].status != "ok":  # noqa: ASYNC110 - as a person would
                await anyio.sleep(0.1)
    with anyio.fail_after(10):
        while started_in(home) or os.listdir(home / "tmp"):  # noqa: ASYNC110 - processes that end
            await anyio.sleep(0.05)


@pytest.mark.parametrize("after", [0.0, 0.001, 0.01, 0.05, 0.1, 0.2, 0.4])
async def test_a_start_that_is_cancelled_leaves_nothing(site: Site, opened: Open, home: Path, after: float) -> None:
    plugin(site, "plain", "return 'said'")
    async with opened("plain") as house:
        await house.ask("plain")
        apart = house.worker("plain")
        run = apart._run
        run.end()
        await run.over.wait()
        with anyio.move_on_after(after):
            await apart.object("tool", "plain")
        now = apart._run
        assert (await house.ask("plain")).results[0].content == "said"
        assert now is None or now is run or now.alive
        assert len([each for each in os.listdir(home / "tmp") if each.endswith(".lock")]) <= 2
    with anyio.fail_after(10):
        while os.listdir(home / "tmp"):  # noqa: ASYNC110 - a process that ends
            await anyio.sleep(0.05)
