"""The fake clock: time moves only when told, sleepers wake in order at their own moment."""

from __future__ import annotations

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitu_core.testing import FakeClock

pytestmark = pytest.mark.anyio


def test_time_stands_still_until_it_is_moved() -> None:
    """Both readings move together."""
    clock = FakeClock(100.0)
    assert (clock.now(), clock.now(), clock.monotonic()) == (100.0, 100.0, 0.0)
    clock.jump(2.5)
    assert (clock.now(), clock.monotonic()) == (102.5, 2.5)


@pytest.mark.parametrize("move", ["jump", "advance"])
async def test_time_never_goes_back(move: str) -> None:
    """A monotonic clock that went back would break its law."""
    clock = FakeClock()

    async def back() -> None:
        if move == "jump":
            clock.jump(-1)
        else:
            await clock.advance(-1)

    with pytest.raises(ValueError, match="does not go back"):
        await back()


def test_identifiers_are_the_same_in_every_run_and_sort_by_time() -> None:
    """26 characters, like the real ones."""
    one, two = FakeClock(), FakeClock()
    first = [one.new_id() for _ in range(5)]
    assert first == [two.new_id() for _ in range(5)]
    one.jump(0.001)
    assert first == sorted(set(first))
    assert one.new_id() > first[-1]
    assert {len(each) for each in first} == {26}


async def test_sleepers_wake_in_order_each_at_its_own_moment() -> None:
    """One advance over three deadlines; one task sleeps twice within it."""
    clock = FakeClock(0.0)
    seen: list[tuple[str, float]] = []

    async def nap(name: str, *times: float) -> None:
        for seconds in times:
            await clock.sleep(seconds)
            seen.append((name, clock.now()))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(nap, "late", 9.0)
        tasks.start_soon(nap, "twice", 2.0, 3.0)
        await clock.until_asleep(2)
        await clock.advance(8.0)
        assert seen == [("twice", 2.0), ("twice", 5.0)]
        assert clock.sleepers == 1
        await clock.advance(1.0)
        assert seen[-1] == ("late", 9.0)
    assert clock.sleepers == 0


async def test_a_cancelled_sleeper_is_forgotten() -> None:
    """It neither blocks `advance` nor stays counted."""
    clock = FakeClock()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(clock.sleep, 5.0)
        tasks.start_soon(clock.sleep, 6.0)
        await clock.until_asleep(2)
        tasks.cancel_scope.cancel()
    assert clock.sleepers == 0


async def test_sleeping_for_nothing_does_not_wait() -> None:
    """As with a real clock."""
    clock = FakeClock()
    await clock.sleep(0)
    await clock.sleep(-1)
    assert clock.sleepers == 0


async def test_jump_wakes_everybody_who_is_due_at_the_new_time() -> None:
    """Unlike `advance` it does not stop in between."""
    clock = FakeClock(0.0)
    seen: list[float] = []

    async def nap(seconds: float) -> None:
        await clock.sleep(seconds)
        seen.append(clock.now())

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(nap, 1.0)
        tasks.start_soon(nap, 2.0)
        await clock.until_asleep(2)
        clock.jump(4.0)
    assert seen == [4.0, 4.0]


@given(st.lists(st.floats(0, 1000), max_size=20))
async def test_many_small_steps_end_where_the_sum_does(steps: list[float]) -> None:
    """Moving time loses none of it."""
    clock = FakeClock(0.0)
    for step in steps:
        await clock.advance(step)
    assert clock.monotonic() == sum(steps)
