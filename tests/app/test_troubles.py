"""Troubles in the middle of things: the store fails for a moment, the clock is set back, a person is not known yet."""

from __future__ import annotations

import itertools
from contextlib import contextmanager

import anyio
import pytest

from gitu_core import Gitu, Profile, failpoints, tool
from gitu_core.clock import SystemClock
from gitu_core.errors import StoreError
from gitu_core.gateway import worker
from gitu_core.model import Conversation, Outgoing, Text
from gitu_core.testing import FunctionModel, RecordingAdapter, ScriptedModel, call
from tests.app.around import OK, on, until, web

pytestmark = pytest.mark.anyio


PROFILES = [
    Profile("default", tools=("pay",), delegates=("helper",)), Profile("helper", tools=("pay",), description="Helps."),
]  # fmt: skip

ALONE = [call("pay", item="tea"), "all done"]
TOGETHER = [call("ask_helper", task="buy tea"), call("pay", item="tea"), "bought", "all done"]


@contextmanager
def failing(point, nth):
    """The database goes away at a point, the nth time that it is reached, and is back at once."""
    count = itertools.count(1)

    def reached(name):
        if name == point and next(count) == nth:
            raise StoreError("the connection is gone", hint="it comes back", scope="database")

    failpoints.armed = reached
    try:
        yield
    finally:
        failpoints.armed = None


@pytest.mark.parametrize("script", [ALONE, TOGETHER], ids=["alone", "together"])
@pytest.mark.parametrize("commit", range(1, 12))
@pytest.mark.parametrize("point", ["writer.rows", "writer.commit"], ids=["not written", "written, not told"])
async def test_whichever_commit_fails_no_model_is_asked_again_and_nothing_is_done_twice(
    point, commit, script, tmp_path
):
    done = []

    @tool(effects=["spend"])
    def pay(item: str) -> str:
        """Pays."""
        done.append(item)
        return "paid"

    model = ScriptedModel(script)
    async with Gitu(model=model, tools=[pay], profiles=PROFILES, approve=lambda *_: True, home=tmp_path) as gitu:
        with failing(point, commit):
            try:
                reply = await gitu.send("buy tea", user="ana", key="k")
            except StoreError:  # it was not taken in
                reply = await gitu.send("buy tea", user="ana", key="k")
        # Whether a call was begun with cannot be told where nobody was told that it was noted.
        assert done == ["tea"] or (done == [] and point == "writer.commit")
        assert reply.text == "all done"
        assert [each for each in await gitu.house.store.check() if not each.startswith("not written")] == []
    model.assert_complete()


@pytest.mark.parametrize("commit", range(1, 12))
@pytest.mark.parametrize("point", ["writer.rows", "writer.commit"], ids=["not written", "written, not told"])
async def test_whichever_commit_fails_a_question_is_asked_and_its_answer_counts(point, commit, tmp_path):
    done = []

    @tool(effects=["spend"], roles={"item": "recipient"})
    def pay(item: str) -> str:
        """Pays."""
        done.append(item)
        return "paid"

    adapter, model = RecordingAdapter(), ScriptedModel([call("web"), call("pay", item="tea"), "all done"])
    async with on(adapter, model, tools=[pay, web], home=tmp_path) as gitu:
        await adapter._ready()
        with failing(point, commit):
            for key, act in (("m1", adapter.say), ("m2", adapter.answer)):
                await until(lambda key=key: key == "m1" or adapter.asks)
                words = "buy tea" if key == "m1" else "yes"
                try:
                    await act(words, key=key)
                except StoreError:  # it was not taken in: a channel hands it over again
                    await act(words, key=key)
            await until(lambda: adapter.sent[-1].text == "all done" or len(adapter.asks) == 2, 10)
            if len(adapter.asks) == 2:  # nobody was told that the call was noted: was it begun with?
                await adapter.answer("retry")
                await until(lambda: adapter.sent[-1].text == "all done", 10)
        assert (len(adapter.sent), done) == (1 + len(adapter.asks), ["tea"])
        assert len(adapter.asks) == 1 or point == "writer.commit"
        assert [each for each in await gitu.house.store.check() if not each.startswith("not written")] == []
    model.assert_complete()


async def test_while_nothing_can_be_written_people_are_told_and_what_the_model_said_is_kept(tmp_path, monkeypatch):
    monkeypatch.setattr(worker, "TRY_FOR", 0.1)
    gate, asked = anyio.Event(), []

    async def answer(request):
        asked.append(request)
        await gate.wait()
        return "the answer"

    adapter = RecordingAdapter()
    async with on(adapter, FunctionModel(answer), home=tmp_path) as gitu:
        await adapter.say("hello")
        await until(lambda: asked)
        gitu.house.store.engine._writer.execute("PRAGMA query_only = ON")
        gate.set()
        await until(lambda: adapter.sent)
        assert "I could not finish this" in adapter.sent[0].text
        gitu.house.store.engine._writer.execute("PRAGMA query_only = OFF")
        await until(lambda: len(adapter.sent) == 2)
    assert (adapter.sent[1].text, len(asked)) == ("the answer", 1)


class SetClock(SystemClock):
    """A clock that somebody sets."""

    wrong = 0.0

    def now(self) -> float:
        """Seconds since 1970, as it shows them."""
        return super().now() + self.wrong


async def test_a_clock_that_is_set_back_holds_up_nothing_that_waits(tmp_path):
    clock, adapter = SetClock(), RecordingAdapter()
    async with on(adapter, OK, clock=clock, home=tmp_path):
        for _ in range(3):
            adapter.fail("not_sent")
        await adapter.say("hello")
        await until(lambda: len(adapter.tries) >= 2)
        clock.wrong = -3_600.0
        await until(lambda: [each.text for each in adapter.sent] == ["ok"], 10)


async def test_whoever_speaks_first_is_told_what_may_have_been_lost(tmp_path):
    adapter = RecordingAdapter(delivery="blind")
    async with on(adapter, FunctionModel(lambda request: "hello"), home=tmp_path) as gitu:
        adapter.fail("unknown")
        where = Conversation(adapter.channel.name, "c1")
        await gitu.house.notify(Outgoing("n1", "n1", where, (Text("tea is ready"),)))
        await adapter.say("hi", user="bob", conversation="c2")
        await adapter.say("hi", user="ana", conversation="c1")
        await until(lambda: len(adapter.sent) == 3)
        assert [each.conversation.id for each in adapter.sent if "tea is ready" in each.text] == ["c1"]
        await adapter.say("/resend", user="ana", conversation="c1")
        await until(lambda: any(each.text == "tea is ready" for each in adapter.sent))
        await anyio.sleep(0.05)
        assert sum("reached you" in each.text for each in adapter.sent) == 1
