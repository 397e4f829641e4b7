"""A lane that is idle begins with a message while it is on its way to the disk. What comes of it counts only after."""

from __future__ import annotations

import asyncio

import pytest

from gitu_core import Gitu
from gitu_core.errors import NotReady, StoreError
from gitu_core.testing import FunctionModel, RecordingAdapter, armed, call
from tests.app.around import ECHO, mail, on, until, web

pytestmark = pytest.mark.anyio


def model(asked: list[str]) -> FunctionModel:
    def answer(request):
        asked.append(request.messages[-1].parts[0].text)
        return f"{len(asked)}: {asked[-1]}"

    return FunctionModel(answer)


async def commits(gitu, text):
    """How many commits a turn takes."""
    seen = []
    engine = gitu.house.store.engine
    tell = engine._tell

    def told(jobs):
        seen.append(len(jobs))
        tell(jobs)

    engine._tell = told
    await gitu.send(text, user="ana")
    engine._tell = tell
    return len(seen)


async def test_a_plain_turn_takes_two_commits():
    async with Gitu(model=ECHO) as gitu:
        await gitu.send("first", user="ana")
        await gitu.send("second", user="ana")
        assert await commits(gitu, "third") == 2


async def test_the_same_key_again_gives_the_first_reply_and_asks_no_model():
    asked = []
    async with Gitu(model=model(asked)) as gitu:
        first = await gitu.send("one", user="ana", key="k")
        again = await gitu.send("one", user="ana", key="k")
        assert (again.text, again.turn) == (first.text, first.turn)
        assert asked == ["one"]
        events = [event async for event in gitu.stream("one", user="ana", key="k")]
        assert events[-1].reply.text == first.text
        assert asked == ["one"]
        assert (await gitu.send("two", user="ana")).text == "2: two"
        assert gitu.house.gateway.load == (0, 0)
        assert not gitu.house.gateway._jobs


async def test_the_same_key_twice_in_one_moment_is_one_turn():
    asked = []
    async with Gitu(model=model(asked)) as gitu:
        await gitu.send("zero", user="ana")
        one, two = await asyncio.gather(*(gitu.send("one", user="ana", key="k") for _ in range(2)))
        assert one.text == two.text
        assert asked == ["zero", "one"]


@pytest.mark.parametrize("point", ["writer.begin", "writer.rows"])
async def test_a_message_that_cannot_be_stored_begins_nothing(point):
    asked = []
    async with Gitu(model=model(asked)) as gitu:
        await gitu.send("one", user="ana")
        with armed(f"{point}:raise=store:*"), pytest.raises(StoreError):
            await gitu.send("two", user="ana")
        await until(lambda: not gitu.house.gateway._jobs)
        assert asked == ["one"]
        assert (await gitu.send("three", user="ana")).text == "2: three"
        (session,) = await gitu.sessions("ana")
        said = [entry.message.parts[0].text for entry in await gitu.history(session.id)]
        assert said == ["one", "1: one", "three", "2: three"]
        assert not await gitu.house.store.waiting()


async def test_a_message_that_cannot_be_accepted_begins_nothing(monkeypatch):
    asked = []
    async with Gitu(model=model(asked)) as gitu:
        await gitu.send("one", user="ana")
        with monkeypatch.context() as patched:
            patched.setattr(gitu.house.store.engine, "submit", lambda job: (_ for _ in ()).throw(StoreError("closed")))
            with pytest.raises(StoreError):
                await gitu.send("two", user="ana")
        assert (await gitu.send("three", user="ana")).text == "2: three"
        assert asked == ["one", "three"]


async def test_who_leaves_before_the_message_is_stored_stops_its_turn():
    asked = []
    async with Gitu(model=model(asked)) as gitu:
        await gitu.send("one", user="ana")
        task = asyncio.ensure_future(gitu.send("two", user="ana"))
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert (await gitu.send("three", user="ana")).status == "ok"
        assert asked[0] == "one"
        assert asked[-1] == "three"
        assert not await gitu.house.store.waiting()


async def test_what_is_stopped_while_it_is_stored_ends_as_cancelled():
    asked = []
    async with Gitu(model=model(asked)) as gitu:
        first = await gitu.send("one", user="ana")
        task = asyncio.ensure_future(gitu.send("two", user="ana"))
        await asyncio.sleep(0)
        assert gitu.stop(first.session) == 1
        assert (await task).status == "cancelled"
        assert asked == ["one"]


async def test_a_channel_that_sends_a_message_twice_gets_one_answer():
    adapter = RecordingAdapter()
    async with on(adapter, ECHO):
        await adapter.talk("zero")
        receipts = await asyncio.gather(*(adapter.say("one", key="k") for _ in range(2)))
        assert [each.fresh for each in receipts] == [True, False]
        assert receipts[0].id == receipts[1].id
        await until(lambda: len(adapter.sent) == 2)
        assert not (await adapter.say("one", key="k")).fresh
    assert [each.text for each in adapter.sent] == ["you said zero", "you said one"]


async def test_nothing_is_shown_to_a_filter_before_it_is_on_disk():
    seen = []

    class Plugin:
        def gitu_filter_request(self, request):
            seen.append(request.messages[-1].text)

    async with Gitu(model=ECHO, plugins=[Plugin()]) as gitu:
        for _ in range(2):
            await gitu.send("one", user="ana", key="k")
        with armed("writer.begin:raise=store:*"), pytest.raises(StoreError):
            await gitu.send("two", user="ana")
        await gitu.send("three", user="ana")
    assert seen == ["one", "three"]


async def test_what_is_on_its_way_to_the_disk_comes_before_what_arrives_when_its_lane_is_idle():
    asked = []
    async with Gitu(model=model(asked)) as gitu:
        await gitu.send("zero", user="ana")
        with armed("writer.commit:delay=0.1:*"):
            one = asyncio.ensure_future(gitu.send("one", user="ana"))
            await until(lambda: "one" in asked)
            await asyncio.sleep(0.05)  # its end is on its way, and the next message comes behind that
            two = asyncio.ensure_future(gitu.send("two", user="ana"))
            await one
            await asyncio.gather(two, gitu.send("three", user="ana"))
        assert asked == ["zero", "one", "two", "three"]
        assert not gitu.house.gateway._coming


async def test_a_message_that_comes_again_does_not_hide_that_its_author_takes_it_back(monkeypatch):
    def asks(request):
        said = request.messages[-1]
        return call("web") if said.role == "user" else call("mail", to="bob") if "outside" in said.text else said.text

    adapter = RecordingAdapter()
    async with on(adapter, FunctionModel(asks), tools=[mail, web]) as gitu:
        await adapter.talk("go", key="k")
        store = gitu.house.store

        async def slow(*args, read=store.history):
            await asyncio.sleep(0.1)
            return await read(*args)

        monkeypatch.setattr(store, "history", slow)  # the turn that it began ahead of the disk still reads
        await asyncio.gather(adapter.say("go", key="k"), adapter.say("", action="delete", target="k", key="d"))
        await until(lambda: "denied" in adapter.sent[-1].text)


async def test_a_commit_whose_end_nobody_learned_of_leaves_one_turn():
    asked = []
    async with Gitu(model=model(asked)) as gitu:
        for text in ("one", "two"):
            await gitu.send(text, user="ana")
        with armed("writer.commit:raise=store"):
            assert (await gitu.send("three", user="ana")).text == "3: three"
        assert asked == ["one", "two", "three"]
        assert not gitu.house.gateway._jobs
        assert not await gitu.house.store.waiting()


@pytest.mark.parametrize("user", ["ana", "bob"])
async def test_who_waits_is_told_where_all_closes_while_a_message_is_on_its_way_to_the_disk(user, monkeypatch):
    async with Gitu(model=ECHO) as gitu:
        await gitu.send("one", user="ana")
        store, begun = gitu.house.store, asyncio.Event()

        async def accept(*args, accepted=store.accept):
            begun.set()
            return await accepted(*args)

        monkeypatch.setattr(store, "accept", accept)
        with armed("writer.commit:delay=0.2:*"):
            task = asyncio.ensure_future(gitu.send("two", user=user))
            await begun.wait()
            await gitu.__aexit__(None, None, None)
    (said,) = await asyncio.wait_for(asyncio.gather(task, return_exceptions=True), 3)
    assert isinstance(said, NotReady) or said.text == "you said two"
