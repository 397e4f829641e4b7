"""Lanes that fill up, and work that goes on without the one who asked for it."""

from __future__ import annotations

import anyio
import anyio.lowlevel
import pytest

from gitu_core.contracts.ports import InboxEntry
from gitu_core.errors import NotReady
from gitu_core.gateway import LocalDispatcher
from gitu_core.gateway.jobs import Job, Options
from gitu_core.gateway.queues import Lanes
from gitu_core.gateway.shield import Piece, Shield
from gitu_core.model import Account, Conversation, Health, Message, Text, TurnFinished

pytestmark = pytest.mark.anyio


def job(id: str = "j") -> Job:
    """A job."""
    message = Message("k", Conversation("c", "1"), Account("c", "a"), (Text("hi"),))
    return Job(id, InboxEntry(message, "anna", "s"), "default")


async def test_a_full_lane_keeps_its_order_and_is_forgotten_when_it_is_empty():
    lanes, taken = Lanes(2, 100), []
    async with anyio.create_task_group() as group:
        for number in range(7):
            group.start_soon(lanes.put, "a", job(str(number)))
        await anyio.wait_all_tasks_blocked()
        await lanes.put("b", job("other"))
        assert lanes.waiting == 8
        while len(taken) < 7:
            found = lanes.take("a")
            if found is None:
                await anyio.lowlevel.checkpoint()
            else:
                taken.append(found.id)
    assert taken == [str(number) for number in range(7)]
    assert lanes.take("a") is None
    assert lanes.waiting == 1


async def test_who_gives_up_waiting_for_room_leaves_the_lane_as_it_was():
    lanes = Lanes(1, 100)
    await lanes.put("a", job("1"))
    with anyio.move_on_after(0.01):
        await lanes.put("a", job("2"))
    assert lanes.waiting == 1
    found = lanes.take("a")
    assert found is not None
    assert found.id == "1"
    assert lanes.take("a") is None


async def test_work_goes_on_when_its_caller_has_left():
    shield, left, gate, one = Shield(), [], anyio.Event(), job()
    piece = Piece(left.append)
    piece.job = one
    shield.start(piece, gate.wait)
    await anyio.wait_all_tasks_blocked()
    piece.leave()
    assert left == []
    gate.set()
    await piece.done.wait()
    assert left == [one]


async def test_errors_reach_the_caller_and_closing_is_told_as_such():
    shield = Shield()

    async def fail() -> None:
        raise ZeroDivisionError

    failing, hanging = Piece(print), Piece(print)
    shield.start(failing, fail)
    await failing.done.wait()
    assert isinstance(failing.error, ZeroDivisionError)
    shield.start(hanging, anyio.sleep_forever)
    await anyio.wait_all_tasks_blocked()
    await shield.close()
    assert isinstance(hanging.error, NotReady)


async def test_the_last_who_leaves_stops_a_job_and_everybody_who_watches_is_told_its_end():
    events: list[object] = []
    one = job()
    for _ in range(2):
        one.join(Options(watch=events.append, waits=True))
    one.leave()
    assert not one.stopped
    one.leave()
    assert one.stopped
    one.finish()
    one.finish()
    assert [type(event) for event in events] == [TurnFinished, TurnFinished]


async def test_a_notice_waits_for_no_turn_and_is_told_again_when_it_comes_again():
    here, gate, told = LocalDispatcher(1), anyio.Event(), []

    async def handle(lane: str) -> None:
        told.append(lane)
        if lane == "busy" or len(told) == 3:
            await gate.wait()

    async with anyio.create_task_group() as group:
        group.start_soon(here.run, handle)
        for lane in ("busy", "next", "@one"):
            await here.wake(lane)
            await anyio.wait_all_tasks_blocked()
        assert sorted(told) == ["@one", "busy"], "the next turn waits for its turn, the notice does not"
        await here.wake("@two")
        await anyio.wait_all_tasks_blocked()
        await here.wake("@two")
        gate.set()
        await anyio.wait_all_tasks_blocked()
        assert sorted(told[2:]) == ["@two", "@two", "next"]
        assert await here.health() == Health("ok")
        await here.close(1)


async def test_a_wake_while_a_handling_fails_is_handled_all_the_same(caplog: pytest.LogCaptureFixture):
    here, gate, told = LocalDispatcher(1), anyio.Event(), []

    async def handle(lane: str) -> None:
        told.append(lane)
        await gate.wait()
        if len(told) == 1:
            raise ZeroDivisionError

    async with anyio.create_task_group() as group:
        group.start_soon(here.run, handle)
        await here.wake("a")
        await anyio.wait_all_tasks_blocked()
        await here.wake("a")
        gate.set()
        await anyio.wait_all_tasks_blocked()
        await here.close(1)
    assert told == ["a", "a"]
    assert "lane a failed" in caplog.text


async def test_who_brings_more_than_fits_in_all_lanes_waits_until_some_is_taken():
    lanes, taken = Lanes(10, 3), []
    for n in range(3):
        await lanes.room()
        await lanes.put(f"lane {n}", job(str(n)))

    async def bring():
        await lanes.room()
        taken.append("room")

    async with anyio.create_task_group() as group:
        group.start_soon(bring)
        group.start_soon(bring)
        await anyio.wait_all_tasks_blocked()
        assert taken == []
        assert lanes.take("lane 1") is not None
        await anyio.wait_all_tasks_blocked()
        assert taken == ["room"]
        lanes.ease()
    assert taken == ["room", "room"]
