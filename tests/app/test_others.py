"""Several processes share the work: how soon they notice each other's end, and who is told what became of a message."""

from __future__ import annotations

import anyio
import pytest

from gitu_core import Gitu
from gitu_core.clock import SystemClock
from gitu_core.contracts import Handler, Health
from gitu_core.gateway.inbox import AdapterInbox
from gitu_core.gateway.keeper import LOOK, SOON
from gitu_core.options import Settings
from gitu_core.testing import RecordingAdapter
from tests.app.around import ECHO, On, until

pytestmark = pytest.mark.anyio


class Sleeps(SystemClock):
    """A clock that keeps how long was slept."""

    def __init__(self) -> None:
        self.slept: list[float] = []

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        await super().sleep(min(seconds, 0.05))


async def test_who_is_not_alone_looks_more_often_whether_the_others_live(tmp_path):
    clock = Sleeps()
    async with Gitu(model=ECHO, home=tmp_path, clock=clock) as gitu:
        await until(lambda: len(clock.slept) > 8)
        assert SOON not in clock.slept
        async with Gitu(model=ECHO, home=tmp_path):
            await until(lambda: clock.slept.count(SOON) > 3)
            beat = (await gitu.house.store.others())[0].beat
            await until(lambda: other_beats(gitu, beat), 3 * LOOK)
        await until(lambda: not gitu.house.keeper._beats)
        clock.slept.clear()
        await until(lambda: len(clock.slept) > 8)
        assert clock.slept.count(SOON) <= 1


async def other_beats(gitu, before: int) -> bool:
    """True if the other process showed a sign of life since."""
    return (await gitu.house.store.others())[0].beat > before


class Elsewhere:
    """A dispatcher that wakes another process, and for notices this one."""

    name = "elsewhere"

    def __init__(self) -> None:
        self.there: list[Handler] = []
        self._here: Handler | None = None
        self._ended = anyio.Event()

    def gitu_dispatchers(self) -> list[Elsewhere]:
        return [self]

    async def run(self, handler: Handler) -> None:
        self._here = handler
        await self._ended.wait()

    async def wake(self, lane: str) -> None:
        for handler in self.there if not lane.startswith("@") else [self._here]:
            await handler(lane)

    async def health(self) -> Health:
        return Health()

    async def close(self, grace: float) -> None:
        self._ended.set()


async def test_who_waits_until_a_message_is_finished_elsewhere_is_told_and_nothing_is_kept(tmp_path):
    adapter, carrier = RecordingAdapter(), Elsewhere()
    first = Gitu(model=ECHO, plugins=[On(adapter), carrier], use=["*"],
                 config=Settings(home=str(tmp_path), dispatcher="elsewhere"))  # fmt: skip
    async with first, Gitu(model=ECHO, home=tmp_path) as second, anyio.create_task_group() as group:
        group.start_soon(first.serve)
        carrier.there.append(second.house.gateway.woken)
        await until(lambda: "test" in first.house.gateway.adapters)
        reads = []
        accepted = first.house.store.accepted

        async def counted(id):
            reads.append(id)
            return await accepted(id)

        first.house.store.accepted = counted
        second.house.gateway.dispatcher = carrier
        receipt = await adapter.say("hi")
        with anyio.fail_after(5):
            await AdapterInbox(first.house.gateway, "test").finished(receipt.id)
        await until(lambda: adapter.sent)
        assert [each.text for each in adapter.sent] == ["you said hi"]
        assert first.house.gateway._jobs == {}
        assert reads == [], "one look at what waits tells it of all"
        group.cancel_scope.cancel()


async def test_who_serves_has_its_model_loaded_before_anybody_says_something():
    adapter = RecordingAdapter()
    async with Gitu(plugins=[On(adapter)], use=["*"]) as gitu, anyio.create_task_group() as group:
        assert not active(gitu, "offline")
        group.start_soon(gitu.serve)
        await until(lambda: "test" in gitu.house.gateway.adapters)
        assert active(gitu, "offline")
        group.cancel_scope.cancel()


def active(gitu, id: str) -> bool:
    """True if a plugin's code was loaded."""
    return next(each.active for each in gitu.house.registry.plugins() if each.id.endswith(id))
