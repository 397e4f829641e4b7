"""Several processes share the work: how soon they notice each other's end, and who is told what became of a message."""

from __future__ import annotations

import errno
import os
import platform

import anyio
import pytest

from gitu_core import Gitu
from gitu_core.clock import SystemClock
from gitu_core.contracts import Handler, Health
from gitu_core.gateway.inbox import AdapterInbox
from gitu_core.gateway.keeper import LOOK, SOON
from gitu_core.options import Settings
from gitu_core.store import Store
from gitu_core.testing import RecordingAdapter, armed
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


async def test_a_process_without_file_descriptors_goes_on_when_it_has_some(tmp_path, monkeypatch):
    async with Gitu(model=ECHO, home=tmp_path) as gitu, Gitu(model=ECHO, home=tmp_path) as other:
        await until(lambda: gitu.house.keeper._beats and other.house.keeper._beats)
        opened, refused = os.open, []

        def full(path, *args, **more):
            if str(path).endswith(".lock"):
                refused.append(path)
                raise OSError(errno.EMFILE, "too many open files", str(path))
            return opened(path, *args, **more)

        with monkeypatch.context() as patched:
            patched.setattr(os, "open", full)
            await until(lambda: len(refused) > 3)
        beat = (await gitu.house.store.others())[0].beat
        await until(lambda: other_beats(gitu, beat))
        assert (await gitu.send("hi", user="u")).text == "you said hi"
        assert (await other.send("ho", user="u")).text == "you said ho"


async def test_who_lost_the_lease_to_one_that_is_gone_by_now_begins_anew(tmp_path):
    async with Gitu(model=ECHO, home=tmp_path) as gitu, Store(home=tmp_path) as other:
        before = gitu.house.keeper.id
        assert await other.take_over((await other.others())[0])
        await until(lambda: gitu.house.keeper.id != before)
        assert (await gitu.send("hi", user="u")).text == "you said hi"


async def test_who_lost_the_lease_tries_until_the_store_takes_it_back(tmp_path, caplog):
    async with Gitu(model=ECHO, home=tmp_path) as gitu, Store(home=tmp_path) as other:
        assert (await gitu.send("hi", user="u")).text == "you said hi"
        before = gitu.house.keeper.id
        assert await other.take_over((await other.others())[0])
        await other.join("for a moment")
        await until(lambda: "another worker took over" in caplog.text)
        with armed("writer.begin:raise=store:*"):
            await until(lambda: caplog.text.count("the store could not be looked at") > 1)
        await other.leave()
        await until(lambda: gitu.house.keeper.id != before)
        assert (await gitu.send("ho", user="u")).text == "you said ho"
        assert [each.about for each in await other.others()] == [f"process {os.getpid()} on {platform.node()}"]
