"""Several workers on one database: each timer goes to one of them, and none is lost with its worker."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import anyio
import pytest

from gitu_core.clock import SystemClock
from gitu_core.errors import LeaseLost
from gitu_core.store import Store
from tests.app.around import until
from tests.timers.around import JumpingClock, Plugins, pass_by, rows, running, timer

pytestmark = pytest.mark.anyio
ROOT = Path(__file__).resolve().parents[2]


async def test_two_workers_share_two_hundred_timers_and_each_comes_once(
    store: Store, other: Store, clock: JumpingClock
) -> None:
    async def work(key: str, data: Any, attempt: int) -> None:
        await anyio.sleep(0.02)

    for n in range(200):
        await store.put_timer(timer(f"{n}", clock.now() - n % 7))
    first, second = Plugins(handler=work), Plugins(handler=work)
    async with running(store, first, SystemClock()), running(other, second, SystemClock()):
        await until(lambda: len(first.seen) + len(second.seen) >= 200, 20)
        await anyio.sleep(0.2)
    assert Counter(first.keys + second.keys) == Counter(str(n) for n in range(200))
    assert first.seen
    assert second.seen
    assert await rows(store) == []


@pytest.mark.parametrize("point", ["timer.claimed", "timer.fired"])
async def test_a_timer_of_a_worker_that_was_killed_comes_again_after_it_was_taken_over(
    url: str, tmp_path: Path, store: Store, clock: JumpingClock, point: str
) -> None:
    command = [sys.executable, "-m", "tests.timers.child", url, str(tmp_path), point]
    child = await anyio.run_process(command, cwd=ROOT, check=False, stderr=subprocess.STDOUT)
    assert child.returncode == 9, child.stdout
    assert await rows(store) == [("tea", "running", 1)]
    clock.wrong = 86_400 * 3650
    plugins = Plugins()
    async with running(store, plugins, clock) as timers:
        for _ in range(3):
            await pass_by(clock, timers)
        assert plugins.seen == [], "it is the other worker's until its end is known"
        found: list[Any] = []
        while not (found and found[0].gone):
            found = list(await store.others())
        assert await store.take_over(found[0])
        await pass_by(clock, timers)
    assert plugins.seen == [("shop", "tea", {"key": "tea"}, 2)]
    assert await rows(store) == []


async def test_a_worker_that_was_taken_over_ends_nothing_any_more(
    store: Store, other: Store, clock: JumpingClock
) -> None:
    await store.put_timer(timer("tea", clock.now()))
    ((mine,), due) = await store.take_timers(["shop"], 9, ())
    assert (mine.attempt, due) == (1, clock.now())
    (first,) = await other.others()
    assert await other.take_over(first)
    for late in (store.finish_timer(mine), store.finish_timer(mine, clock.now()), store.delete_timer("shop", "tea")):
        with pytest.raises(LeaseLost):
            await late
    with pytest.raises(LeaseLost):
        await store.take_timers(["shop"], 9, ())
    with pytest.raises(LeaseLost):
        await store.put_timer(timer("new", clock.now()))
    ((theirs,), _) = await other.take_timers(["shop"], 9, ())
    assert theirs.attempt == 2
    await store.join("first, again")
    assert not await store.finish_timer(mine), "a new lease does not bring the old claim back"
    assert await rows(store) == [("tea", "running", 2)]
    assert await other.finish_timer(theirs)
    assert await rows(store) == []


async def test_a_worker_that_stood_still_before_it_handed_a_timer_over_leaves_it_alone(
    store: Store, other: Store, clock: JumpingClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is paused right after its claim, for longer than its lease; meanwhile the other one takes over."""
    take, mine, theirs = store.take_timers, Plugins(), Plugins()

    async def paused(*args: Any) -> Any:
        taken = await take(*args)
        if taken[0]:
            (first,) = await other.others()
            assert await other.take_over(first)
            clock._move(clock.monotonic() + 20)
        return taken

    monkeypatch.setattr(store, "take_timers", paused)
    await store.put_timer(timer("tea", clock.now()))
    async with running(store, mine, clock, patience=5.0) as timers:
        await pass_by(clock, timers)
        async with running(other, theirs, clock) as others:
            await clock.until_asleep(2)
            clock.jump(1.0)
            await until(lambda: bool(theirs.seen) and not others._running)
    assert mine.seen == []
    assert theirs.seen == [("shop", "tea", {"key": "tea"}, 2)]


async def test_what_a_worker_has_in_hand_is_cut_off_when_its_lease_is_lost(store: Store, clock: JumpingClock) -> None:
    cut = anyio.Event()

    async def hang(key: str, data: Any, attempt: int) -> None:
        try:
            await anyio.sleep_forever()
        finally:
            cut.set()

    plugins = Plugins(handler=hang)
    await store.put_timer(timer("tea", clock.now()))
    async with running(store, plugins, clock) as timers:
        await clock.until_asleep()
        clock.jump(1.0)
        await until(lambda: bool(plugins.seen))
        await timers.drop()
        assert cut.is_set()
        plugins.handler = None
        await store.put_timer(timer("next", clock.now()))
        await pass_by(clock, timers)
    assert plugins.keys == ["tea", "next"], "it goes on with the next ones"
    assert await rows(store) == [("tea", "running", 1)]


async def test_a_claim_that_is_overtaken_by_a_new_lease_belongs_to_the_new_one(
    store: Store, other: Store, clock: JumpingClock
) -> None:
    """Whoever the timer is written down for must be somebody who can be taken over."""
    await store.put_timer(timer("tea", clock.now()))
    ahead = store._read

    async def read_slowly(script: Any) -> Any:
        found = await ahead(script)
        if store.engine.fence is not None and store.engine.fence.worker == old:
            await store.join("first, again")
        return found

    assert store.engine.fence is not None
    old = store.engine.fence.worker
    store._read = read_slowly  # type: ignore[method-assign]
    ((taken,), _) = await store.take_timers(["shop"], 9, ())
    assert taken.worker == store.engine.fence.worker != old
    assert {each.id for each in await other.others()} == {taken.worker}


async def test_who_leaves_gives_its_timers_back(store: Store, other: Store, clock: JumpingClock) -> None:
    await store.put_timer(timer("tea", clock.now()))
    await store.take_timers(["shop"], 9, ())
    assert await other.take_timers(["shop"], 9, ()) == ([], float("inf"))
    await store.leave()
    ((theirs,), _) = await other.take_timers(["shop"], 9, ())
    assert theirs.attempt == 2
