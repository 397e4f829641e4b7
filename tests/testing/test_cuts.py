"""Work can be cancelled at its first suspension, at its second, and so on until it ends by itself."""

from __future__ import annotations

import anyio
import anyio.lowlevel
import pytest

from gitu_core.testing.conformance import cancel_at, cuts

pytestmark = pytest.mark.anyio


async def test_each_suspension_is_reached_once_and_the_last_cut_ends_by_itself() -> None:
    reached: list[list[str]] = []

    async def work(number: int) -> str:
        reached.append(["begun"])
        for step in ("one", "two"):
            await anyio.lowlevel.checkpoint()
            reached[-1].append(step)
        return f"done {number}"

    found = [cut async for cut in cuts(work)]
    assert reached == [["begun"], ["begun", "one"], ["begun", "one", "two"]]
    assert [(cut.nth, cut.reached, cut.ended) for cut in found] == [
        (1, True, False), (2, True, False), (3, False, True)
    ]  # fmt: skip
    assert found[-1].value == "done 3"


async def test_what_is_raised_or_given_in_spite_of_the_cancellation_is_told() -> None:
    async def fails() -> None:
        await anyio.lowlevel.checkpoint()
        raise KeyError("x")

    async def goes_on() -> str:
        try:
            await anyio.sleep(60)
        except anyio.get_cancelled_exc_class():
            return "anyway"
        return "late"

    failed, stubborn = await cancel_at(9, fails), await cancel_at(1, goes_on)
    assert (failed.reached, failed.ended, repr(failed.error)) == (False, True, "KeyError('x')")
    assert (stubborn.reached, stubborn.ended, stubborn.value) == (True, True, "anyway")


async def test_work_without_an_end_is_cancelled_after_a_time_or_a_number() -> None:
    async def for_ever(number: int = 0) -> None:
        while True:  # noqa: ASYNC110 - it has no end
            await anyio.sleep(0.001)

    assert [cut.nth async for cut in cuts(for_ever, most=3)] == [1, 2, 3]
    cut = await cancel_at(10_000, for_ever, within=0.01)
    assert (cut.reached, cut.ended) == (False, False)


async def test_the_caller_is_not_cancelled_with_it() -> None:
    async with anyio.create_task_group() as tasks:
        await cancel_at(1, lambda: anyio.sleep(60))
        await anyio.lowlevel.checkpoint()
        assert not tasks.cancel_scope.cancel_called
