"""The kit for dispatchers: the laws D1 to D6. They live in the host, so nothing is seen through the border."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import anyio
import pytest

from gitu_core.contracts import Dispatcher, Handler
from gitu_core.testing.conformance.base import HOSTILE, PATIENCE, SETTLED, Laws, needs, of, until
from gitu_core.testing.conformance.hands import Hands
from gitu_core.testing.conformance.watch import nothing_left

MOMENT = 3.0
"""Seconds that `wake` may wait for a transport that is down."""


class DispatcherLaws(Laws):
    """A dispatcher keeps the laws D1 to D6. Give the fixture `dispatcher`, which does not run yet.

    The fixture `another`, optional, gives a second one on the same transport, as another process would have it. The
    fixture `remote`, optional, gives the transport, which may

        down()     be switched off
        up()       be switched on again
    """

    @pytest.fixture
    def dispatcher(self) -> Dispatcher:
        """The dispatcher under test; its author gives it."""
        raise NotImplementedError("give a fixture `dispatcher`")

    @pytest.fixture
    def another(self) -> Dispatcher | None:
        """A second one on the same transport; there is none unless overridden."""
        return None

    @asynccontextmanager
    async def running(self, dispatcher: Dispatcher, hands: Handler) -> AsyncIterator[None]:
        """It runs, and is connected, while what is within is done."""
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(dispatcher.run, hands)
            await until(lambda: _well(dispatcher), "the dispatcher is well")
            await anyio.sleep(SETTLED)  # one that is always well may not run yet
            try:
                yield
            finally:
                with anyio.CancelScope(shield=True), anyio.move_on_after(PATIENCE):
                    await dispatcher.close(0)
                tasks.cancel_scope.cancel()

    async def test_d1_a_lane_that_was_woken_is_handled(self, dispatcher: Dispatcher) -> None:
        """Before it runs and while it runs, again and again, whatever the lane is called."""
        hands, lanes = Hands(), [f"lane {number}" for number in range(20)]
        lanes += [each for each in HOSTILE if len(each) < 5_000 and not each.startswith("@")]
        await dispatcher.wake("early")
        async with self.running(dispatcher, hands):
            await until(lambda: hands.done["early"], "what was woken before `run` was handled")
            for lane in (*lanes, *reversed(lanes)):
                await dispatcher.wake(lane)
            await until(lambda: set(hands.done) >= set(lanes), "every lane was handled")

    async def test_d1_a_wake_during_a_handling_leads_to_one_after_it(self, dispatcher: Dispatcher) -> None:
        """The handling may have looked before; a hundred wake-ups are not a hundred handlings."""
        hands = Hands()
        async with self.running(dispatcher, hands):
            hands.gate = anyio.Event()
            await dispatcher.wake("a")
            await until(lambda: hands.began["a"], "the handling began")
            async with anyio.create_task_group() as tasks:
                for _ in range(100):
                    tasks.start_soon(dispatcher.wake, "a")
            hands.gate.set()
            await until(lambda: hands.done["a"] >= 2, "it was handled once more")
            await anyio.sleep(2 * SETTLED)
            assert hands.done["a"] < 50

    async def test_d2_one_handling_of_a_lane_at_a_time(self, dispatcher: Dispatcher) -> None:
        """While others are handled beside it."""
        hands = Hands()
        async with self.running(dispatcher, hands):
            hands.gate = anyio.Event()
            for _ in range(5):
                for lane in ("a", "b"):
                    await dispatcher.wake(lane)
                await anyio.sleep(SETTLED)
            await until(lambda: hands.began["b"], "another lane is handled beside it")
            hands.gate.set()
            await until(lambda: hands.done["a"] and hands.done["b"], "both were handled")
            await dispatcher.wake("a")
            await until(lambda: hands.done["a"] >= 2, "it was handled again")
        assert hands.most == 1, "two handlings of one lane at once"

    async def test_d3_a_handling_that_failed_can_be_woken_again(self, dispatcher: Dispatcher) -> None:
        """The sweep finds the work and wakes the lane: nothing may remember it as being handled. Others go on."""
        hands = Hands()
        hands.fails = {"bad"}
        async with self.running(dispatcher, hands):
            await dispatcher.wake("bad")
            await until(lambda: hands.began["bad"], "the handling began")
            await dispatcher.wake("good")
            await until(lambda: hands.done["good"], "another lane is handled all the same")
            await dispatcher.wake("bad")
            await until(lambda: hands.done["bad"], "the lane was handled when it was woken again")

    async def test_d4_closing_waits_for_what_runs(self, dispatcher: Dispatcher) -> None:
        """Up to the grace; nothing new begins, `run` returns, and nothing is left."""
        hands = Hands()
        hands.gate = anyio.Event()
        async with nothing_left(), anyio.create_task_group() as tasks:
            tasks.start_soon(dispatcher.run, hands)
            await anyio.sleep(SETTLED)
            await dispatcher.wake("a")
            await until(lambda: hands.began["a"], "the handling began")
            tasks.start_soon(dispatcher.close, PATIENCE)
            await anyio.sleep(2 * SETTLED)
            assert not hands.cancelled, "it was cancelled within the grace"
            hands.gate.set()
            await until(lambda: hands.done["a"], "what ran came to its end")
            with anyio.fail_after(PATIENCE):
                await dispatcher.close(PATIENCE)
            await dispatcher.wake("late")
            await anyio.sleep(2 * SETTLED)
            assert not hands.began["late"], "a lane was handled after it was closed"

    async def test_d4_after_the_grace_it_cancels(self, dispatcher: Dispatcher) -> None:
        """What does not end is cancelled, and `close` returns."""
        hands = Hands()
        hands.gate = anyio.Event()
        async with nothing_left(), anyio.create_task_group() as tasks:
            tasks.start_soon(dispatcher.run, hands)
            await anyio.sleep(SETTLED)
            await dispatcher.wake("a")
            await until(lambda: hands.began["a"], "the handling began")
            with anyio.move_on_after(PATIENCE) as closing:
                await dispatcher.close(SETTLED)
            await until(lambda: hands.cancelled, "the handling was cancelled after the grace")
            assert not closing.cancelled_caught, "`close` waits longer than its grace"

    async def test_d5_a_notice_reaches_every_process_and_is_not_kept(
        self, dispatcher: Dispatcher, another: Dispatcher | None
    ) -> None:
        """This one included, however busy it is; whoever comes later does not hear of it."""
        hands, others = Hands(), Hands()
        async with self.running(dispatcher, hands):
            hands.gate = anyio.Event()
            for number in range(50):
                await dispatcher.wake(f"busy {number}")
            await until(lambda: hands.began, "it is busy")
            await dispatcher.wake("@alone")
            await until(lambda: hands.began["@alone"], "the notice reached this process, although it is busy")
            hands.gate.set()
            if another is not None:
                async with self.running(another, others):
                    await dispatcher.wake("@both")
                    await until(lambda: hands.done["@both"] and others.done["@both"], "both heard the notice")
                assert not others.began["@alone"], "a notice was kept"

    async def test_d6_wake_never_raises_while_the_transport_is_down(
        self, dispatcher: Dispatcher, remote: Any, caplog: pytest.LogCaptureFixture
    ) -> None:
        """Nor waits longer than a moment; the outage is logged once; afterwards wake-ups are carried again."""
        needs(remote, "down", "up")
        hands = Hands()
        caplog.set_level(logging.WARNING)
        async with self.running(dispatcher, hands):
            caplog.clear()
            await of(remote.down())
            for number in range(10):
                with anyio.fail_after(MOMENT):
                    await dispatcher.wake(f"down {number % 3}")
                await anyio.sleep(SETTLED)
            assert (await dispatcher.health()).state != "failed"
            await until(lambda: caplog.records, "the outage was logged")
            await anyio.sleep(10 * SETTLED)
            said = [f"{each.name}: {each.getMessage()}" for each in caplog.records if each.name.startswith("gitu")]
            assert len(said) == 1, f"an outage is logged once: {said}"
            await of(remote.up())
            await until(lambda: _woken(dispatcher, hands, "after"), "wake-ups are carried again")

    async def test_health_answers_within_a_second(self, dispatcher: Dispatcher) -> None:
        """Before it runs, while it runs and after it was closed."""
        with anyio.fail_after(1):
            await dispatcher.health()
        async with self.running(dispatcher, Hands()):
            with anyio.fail_after(1):
                assert (await dispatcher.health()).state == "ok"
        with anyio.fail_after(1):
            await dispatcher.health()


async def _well(dispatcher: Dispatcher) -> bool:
    return (await dispatcher.health()).state == "ok"


async def _woken(dispatcher: Dispatcher, hands: Hands, lane: str) -> bool:
    await dispatcher.wake(lane)
    return hands.done[lane] > 0
