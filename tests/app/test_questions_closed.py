"""What a bare word answers, what ends a question, and what is told about an answer that does not count."""

from __future__ import annotations

import re

import anyio
import pytest

import gitu_core.runtime.consent as consent
from gitu_core import Gitu, Profile
from gitu_core.errors import ConfigError, Unknown
from gitu_core.gateway.questions import CLOSED
from gitu_core.model import Answer
from gitu_core.testing import FunctionModel, RecordingAdapter, call
from tests.app.around import SENT, mail, on, until, web

pytestmark = pytest.mark.anyio


def think(request):
    """Reads the web where it is told to go, then wants to mail to *bob* (and with "both" to *eve*)."""
    last = request.messages[-1]
    if last.role == "user":
        return call("web") if last.text in ("go", "both") else f"heard {last.text}"
    if "outside" in last.text:
        both = any(each.text == "both" for each in request.messages)
        return [call("mail", to="bob"), call("mail", to="eve")] if both else call("mail", to="bob")
    return f"done: {last.text}"


MODEL = FunctionModel(think)


async def test_a_yes_does_not_count_while_something_else_is_being_answered():
    begun, go = anyio.Event(), anyio.Event()

    async def waits(request):
        if request.messages[-1].text == "slow":
            begun.set()
            await go.wait()
        return think(request)

    adapter = RecordingAdapter()
    async with on(adapter, FunctionModel(waits), tools=[mail, web]):
        await adapter.talk("go")
        await adapter.say("slow")
        await begun.wait()
        await adapter.say("yes")
        go.set()
        await until(lambda: adapter.sent[-1].text == "heard yes")
    assert SENT == []


async def test_a_yes_does_not_count_after_a_command_was_answered():
    adapter = RecordingAdapter()
    async with on(adapter, MODEL, tools=[mail, web]):
        await adapter.talk("go")
        await adapter.talk("/history")
        assert await adapter.talk("yes") == "heard yes"
        assert SENT == []
        await adapter.answer("yes")
        await until(lambda: SENT == ["bob"])


async def test_a_yes_that_was_said_before_the_question_does_not_count_however_late_it_is_looked_at():
    begun, go, looked_at = anyio.Event(), anyio.Event(), anyio.Event()

    async def waits(request):
        if request.messages[-1].text == "go":
            begun.set()
            await go.wait()
        return think(request)

    class Slow:
        async def gitu_message_received(self, message):
            if message.text == "yes":
                looked_at.set()
                await until(lambda: adapter.asks)
                await anyio.sleep(0.1)

    adapter = RecordingAdapter()
    async with on(adapter, FunctionModel(waits), Slow(), tools=[mail, web]), anyio.create_task_group() as group:
        await adapter.say("go")
        await begun.wait()
        group.start_soon(adapter.say, "yes")
        await looked_at.wait()
        go.set()
        await until(lambda: adapter.sent and adapter.sent[-1].text == "heard yes")
    assert SENT == []


@pytest.mark.parametrize("who", ["ana", "bob"])
@pytest.mark.parametrize("command", ["/stop", "/new"])
async def test_in_a_group_who_was_asked_and_whose_session_it_is_end_a_question(command, who):
    adapter = RecordingAdapter()
    async with on(adapter, MODEL, tools=[mail, web]) as gitu:
        await adapter.talk("hello", user="ana", group="group")
        await adapter.talk("go", user="bob", group="group")
        await adapter.talk(command, user=who, group="group")
        await until(lambda: any("denied: the user stopped it" in each.text for each in adapter.sent))
        assert await gitu.house.store.approvals(session=(await gitu.sessions())[0].id) == []
        said = await adapter.talk("", user="bob", group="group", parts=(Answer(adapter.asks[0].id, "yes"),))
        assert said == CLOSED
    assert SENT == []


async def test_an_answer_that_does_not_count_is_told_why():
    adapter = RecordingAdapter()
    async with on(adapter, MODEL, tools=[mail, web]):
        await adapter.talk("go")
        ask = adapter.asks[0].id
        assert await adapter.talk("", user="mallory", parts=(Answer(ask, "yes"),)) == CLOSED
        assert await adapter.talk("", parts=(Answer("gone", "yes"),)) == CLOSED
        answers = r"Possible answers: yes, no, session, always, until \d{4}-\d\d-\d\d\.$"
        for word in ("maybe", "until", "until 1999-01-01", "until 2031-13-01"):
            assert re.search(answers, await adapter.talk("", parts=(Answer(ask, word),)))
        assert SENT == []
        assert await adapter.talk("", parts=(Answer(ask, "Yes"),)) == "done: sent"
        assert await adapter.talk("", parts=(Answer(ask, "no"),)) == CLOSED
    assert SENT == ["bob"]


async def test_an_application_is_told_why_its_answer_does_not_count_also_under_the_same_key():
    async with Gitu(model=MODEL, tools=[mail, web]) as gitu:
        for _ in range(2):
            reply = await gitu.send([Answer("gone", "yes")], user="ana", key="k")
            assert (reply.status, reply.text) == ("ok", CLOSED)


async def test_a_question_about_a_tool_that_is_gone_expires_once(tmp_path, monkeypatch):
    monkeypatch.setattr(consent, "OPEN_FOR", 0.5)
    adapter = RecordingAdapter()
    async with on(adapter, MODEL, tools=[mail, web], home=tmp_path):
        await adapter.talk("go")
    gone = RecordingAdapter()
    async with on(gone, MODEL, tools=[web], home=tmp_path) as gitu:
        assert "denied: nobody answered in time" in (await gone.reply()).text
        assert await gitu.house.store.approvals(session=(await gitu.sessions())[0].id) == []
    assert (gone.asks, SENT) == ([], [])


async def test_where_the_profile_is_gone_a_no_leaves_the_other_question_open(tmp_path):
    sales = [Profile(name="sales", tools=("*",))]
    async with Gitu(model=MODEL, tools=[mail, web], home=tmp_path, profiles=sales) as gitu:
        await gitu.send("both", user="ana", key="k", profile="sales")
        first, second = await gitu.approvals("ana")
    async with Gitu(model=MODEL, tools=[mail, web], home=tmp_path) as gitu:
        with pytest.raises(ConfigError, match="no profile 'sales'"):
            await gitu.send([Answer(first.id, "no")], user="ana")
        assert [each.id for each in await gitu.approvals("ana")] == [second.id]
        assert (await gitu.send("both", user="ana", key="k")).parts == (second.ask,)
    async with Gitu(model=MODEL, tools=[mail, web], home=tmp_path, profiles=sales) as gitu:
        assert (await gitu.send([Answer(second.id, "yes")], user="ana")).status == "ok"
    assert [each.value for each in second.ask.items] == SENT


async def test_where_the_profile_is_gone_what_was_done_already_is_not_asked_about_again(tmp_path):
    def twice(request):
        last, sent = request.messages[-1], sum(each.role == "tool" for each in request.messages)
        return call("web") if last.role == "user" else call("mail", to=f"n{sent}") if sent < 3 else "done"

    sales = [Profile(name="sales", tools=("*",))]
    async with Gitu(model=FunctionModel(twice), tools=[mail, web], home=tmp_path, profiles=sales) as gitu:
        await gitu.send("go", user="ana", key="k", profile="sales")
        (first,) = await gitu.approvals("ana")
        assert (await gitu.send([Answer(first.id, "yes")], user="ana")).status == "waiting"
        (second,) = await gitu.approvals("ana")
    assert SENT == ["n1"]
    async with Gitu(model=FunctionModel(twice), tools=[mail, web], home=tmp_path) as gitu:
        with pytest.raises(Unknown, match="done is: mail"):
            await gitu.send([Answer(second.id, "no")], user="ana")
        assert await gitu.approvals("ana") == []
    assert SENT == ["n1"]
