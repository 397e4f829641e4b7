"""What goes wrong around a turn: cancelled callers, crashes, closing, broken plugins, a store that is locked."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import anyio
import msgspec
import pytest

from gitu_core import Gitu, Profile
from gitu_core.errors import NotReady, Rejected, Unknown
from gitu_core.gateway import gateway as gateway_module
from gitu_core.model import Account, Answer, Conversation, TurnFinished
from gitu_core.testing import FunctionModel, RecordingAdapter, ScriptedModel, call
from gitu_core.testing.invariants import open_messages
from tests.app.around import ECHO, OK, left_over, mail, on, pending, slow, until

pytestmark = pytest.mark.anyio


# ---- closing ----------------------------------------------------------------------------------------


async def test_whoever_waits_is_told_when_everything_closes(short_grace, tmp_path):
    started = anyio.Event()
    async with Gitu(model=slow(started=started), home=tmp_path) as gitu:
        tasks = [asyncio.create_task(gitu.send(f"m{n}", user="u")) for n in range(3)]
        await started.wait()
        house = gitu.house
    with anyio.fail_after(5):
        found = await asyncio.gather(*tasks, return_exceptions=True)
    assert [type(each) for each in found] == [NotReady] * 3
    with pytest.raises(NotReady):
        await house.submit("late", "u", "", None, None, "", "", None)


async def test_a_stream_ends_when_everything_closes(short_grace):
    started = anyio.Event()
    events = []

    async def watch():
        async for event in gitu.stream("x", user="u"):
            events.append(event)

    async with Gitu(model=slow(started=started)) as gitu:
        task = asyncio.create_task(watch())
        await started.wait()
    with anyio.fail_after(5):
        await task
    assert isinstance(events[-1], TurnFinished)
    assert events[-1].reply.error.code == "not_ready"


# ---- lanes ------------------------------------------------------------------------------------------


async def test_nobody_is_lost_where_a_lane_is_full(monkeypatch):
    monkeypatch.setattr(gateway_module, "DEEP", 3)
    async with Gitu(model=slow(0.005)) as gitu:
        with anyio.fail_after(10):
            replies = await asyncio.gather(*(gitu.send(f"m{n}", user="u") for n in range(20)))
        assert len(replies) == 20
        assert gitu.house.gateway.load == (0, 0)
        history = await gitu.history(replies[0].session)
        assert {each.message.text for each in history if each.message.role == "user"} == {f"m{n}" for n in range(20)}


async def test_a_full_lane_can_still_be_stopped(monkeypatch):
    monkeypatch.setattr(gateway_module, "DEEP", 2)
    adapter, started = RecordingAdapter(), anyio.Event()
    async with on(adapter, slow(started=started)), anyio.create_task_group() as group:
        for number in range(6):
            group.start_soon(adapter.say, str(number))
        await started.wait()
        with anyio.fail_after(5):
            await anyio.sleep(0.05)
            assert "Stopped." in await adapter.talk("/stop")
            await until(lambda: len([each for each in adapter.sent if each.text == "Stopped."]) == 7)


@pytest.mark.parametrize("broken", [{"label": None}, {"parts": 5}, {"parts": ("x",)}])
async def test_a_broken_filter_stalls_no_lane_and_pays_for_it(broken, caplog):
    class Plugin:
        def gitu_filter_outgoing(self, outgoing):
            return msgspec.structs.replace(outgoing, **broken)

        def gitu_filter_message(self, message):
            return msgspec.structs.replace(message, **broken)

    async with Gitu(model=OK, plugins=[Plugin()]) as gitu:
        with anyio.fail_after(5):
            assert [(await gitu.send(str(n), user="u")).text for n in range(2)] == ["ok", "ok"]
        assert await pending(gitu) == 0
    assert caplog.text.count("local-plugin-0 gitu_filter_outgoing: returned a broken Outgoing") == 2


async def test_a_message_whose_turn_cannot_begin_is_answered_and_done_with():
    adapter = RecordingAdapter()
    async with on(adapter, OK, profiles=[Profile(name="p")]) as gitu:
        store = gitu.house.store
        person = await store.person_for(Account("test", "ana"))
        await store.session_for(Conversation("test", "ana"), person.id, profile="gone")
        assert "no profile 'gone'" in await adapter.talk("again")
        assert await pending(gitu) == 0


# ---- cancelled callers ------------------------------------------------------------------------------


async def test_a_cancelled_caller_leaves_nothing_behind_whenever_it_is_cancelled():
    async with Gitu(model=FunctionModel(lambda r: call("mail", to="b") if r.messages[-1].role == "user" else "ok"),
                    tools=[mail]) as gitu:  # fmt: skip
        await gitu.send("warm", user="u")
        for steps in range(60):
            task = asyncio.create_task(gitu.send("x", user="u"))
            for _ in range(steps):
                await asyncio.sleep(0)
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
        with anyio.fail_after(5):
            assert (await gitu.send("still there?", user="u")).text == "ok"
        assert await pending(gitu) == 0
        assert gitu.house.gateway.load == (0, 0)


async def test_one_of_two_who_wait_may_leave_and_the_last_stops_the_turn():
    started = anyio.Event()
    async with Gitu(model=slow(0.2, started)) as gitu:
        first = asyncio.create_task(gitu.send("x", user="u", key="k"))
        await started.wait()
        second = asyncio.create_task(gitu.send("x", user="u", key="k"))
        await anyio.sleep(0.05)
        second.cancel()
        assert (await first).text == "slow answer"
    started = anyio.Event()
    async with Gitu(model=slow(started=started)) as gitu:
        both = [asyncio.create_task(gitu.send("y", user="u", key="k2")) for _ in range(2)]
        await started.wait()
        for task in both:
            task.cancel()
        await until(lambda: gitu.house.gateway.load == (0, 0))
        assert await pending(gitu) == 0
        assert (await gitu.send("y", user="u", key="k2")).status == "cancelled"


# ---- the same message again --------------------------------------------------------------------------


async def test_a_key_that_an_earlier_run_left_open_is_answered_now(short_grace, tmp_path):
    started = anyio.Event()
    async with Gitu(model=slow(started=started), home=tmp_path) as gitu:
        task = asyncio.create_task(gitu.send("important", user="u", key="k"))
        await started.wait()
    assert isinstance((await asyncio.gather(task, return_exceptions=True))[0], NotReady)
    async with Gitu(model=ECHO, home=tmp_path) as gitu:
        assert (await gitu.send("other words", user="u", key="k")).text == "you said important"
        assert await pending(gitu) == 0
        again = await gitu.send("important", user="u", key="k")
        assert (again.text, again.status) == ("you said important", "ok")


async def test_what_nobody_asked_for_within_a_day_is_given_up(tmp_path, fake_clock):
    async with Gitu(model=OK, home=tmp_path, clock=fake_clock) as gitu:
        await left_over(gitu, "old", "1:u:old", "app", "u")
        await left_over(gitu, "on a channel")
    await fake_clock.advance(100_000)
    async with Gitu(model=OK, home=tmp_path, clock=fake_clock) as gitu:
        await left_over(gitu, "young", "1:u:young", "app", "u")

        async def swept():
            return await pending(gitu) == 2

        await until(swept)
        assert {entry.message.text for _, entry in await open_messages(gitu.house.store)} == {"on a channel", "young"}
        with pytest.raises(Unknown, match="given up"):
            await gitu.send("old", user="u", key="old")
        assert (await gitu.send("young", user="u", key="young")).text == "ok"


async def test_a_failure_stays_a_failure_when_its_key_comes_again():
    async with Gitu(model=ScriptedModel(Rejected("no", hint="do not")), profiles=[Profile(exact=True)]) as gitu:
        for _ in range(2):
            with pytest.raises(Rejected, match="no"):
                await gitu.send("x", user="u", key="k")


async def test_users_share_neither_sessions_nor_keys_whatever_they_are_called():
    async with Gitu(model=ECHO) as gitu:
        first = await gitu.send("a secret", user="a", session="b", key="b/1")
        assert (await gitu.send("hi", user="a/b", key="1")).text == "you said hi"
        assert (await gitu.send("x", user="a/b")).session != first.session
        one = await gitu.send("first", user="1:a", key="x")
        two = await gitu.send("second", user="1", key="a:x")
        assert (one.text, two.text) == ("you said first", "you said second")
        long = "k" * 600
        texts = [(await gitu.send(word, user="u", key=key)).text for word, key in (("1", long), ("2", long + "!"))]
        assert texts == ["you said 1", "you said 2"]
        assert (await gitu.send("again", user="u", key=long)).text == "you said 1"


async def test_streams_end_whatever_became_of_their_message():
    async def events(*words, **options):
        with anyio.fail_after(5):
            return [event async for event in gitu.stream(*words, **options)]

    started = anyio.Event()
    async with Gitu(model=slow(0.1, started)) as gitu:
        running = asyncio.create_task(gitu.send("x", user="u", key="k"))
        await started.wait()
        assert (await events("x", user="u", key="k"))[-1].reply.text == "slow answer"
        await running
        assert (await events("x", user="u", key="k"))[-1].reply.text == "slow answer"
        assert (await events([Answer("nothing", "yes")], user="u"))[-1].reply.text.startswith("This question is closed")
        assert "/help" in (await events("/help", user="u"))[-1].reply.text
