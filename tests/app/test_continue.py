"""One person, three channels: a talk goes on across them, and so do the questions in it."""

from __future__ import annotations

import re

import anyio
import pytest

from gitu_core.gateway.commands import AGAIN
from gitu_core.gateway.identity import DOUBTFUL
from gitu_core.gateway.talks import GROUPS, NO_OTHER, NO_SESSION
from gitu_core.model import Account, Answer
from gitu_core.testing import FunctionModel, RecordingAdapter, call
from tests.app.around import ECHO, SENT, left_over, mail, on, until, web
from tests.app.test_identity import talking

pytestmark = pytest.mark.anyio

ALL = FunctionModel(lambda request: " + ".join(each.text for each in request.messages if each.role == "user"))
"""Says back all that it knows a person said."""


def channels():
    """A terminal, a messenger, the web."""
    return (
        RecordingAdapter("terminal"),
        RecordingAdapter("telegram", edits=True, buttons=True),
        RecordingAdapter("web", streams=True, delivery="verifiable"),
    )


async def linked(gitu, first, *others):
    """Makes ana one person on all channels."""
    await first.talk("/help")
    (session,) = await gitu.sessions()
    for each in others:
        await gitu.house.store.link(Account(each.channel.name, "ana"), session.person)
    return session.person


async def test_a_talk_goes_on_over_three_channels():
    terminal, telegram, web = channels()
    async with talking(terminal, telegram, web, model=ALL) as gitu:
        person = await linked(gitu, terminal, telegram, web)
        assert await terminal.talk("one") == "one"
        said = await telegram.talk("/continue")
        assert re.match(r"You go on here in session \w+, 2 messages, on telegram, terminal\.\nuser: one\n", said)
        assert said.endswith("assistant: one")
        assert await telegram.talk("two") == "one + two"
        assert "on telegram, terminal, web" in await web.talk("/continue")
        assert await web.talk("three") == "one + two + three"
        assert await terminal.talk("four") == "one + two + three + four"
        assert len([each for each in await gitu.house.store.sessions(person) if each.ended_at is None]) == 1
        assert await web.talk("/sessions") == await terminal.talk("/sessions")
        assert "assistant: one + two + three" in await telegram.talk("/history")


async def test_a_session_is_chosen_by_its_number_also_one_that_ended():
    terminal, telegram, _ = channels()
    async with talking(terminal, telegram, model=ALL) as gitu:
        await linked(gitu, terminal, telegram)
        await terminal.talk("first")
        await terminal.talk("/new")
        await terminal.talk("second")
        listed = (await telegram.talk("/sessions")).splitlines()
        number = next(line.partition(".")[0] for line in listed if ", ended" in line)
        id = next(line.split()[1] for line in listed if ", ended" in line)
        assert "user: first" in await telegram.talk(f"/continue {number}")
        assert await telegram.talk("third") == "first + third"
        assert await terminal.talk("fourth") == "second + fourth"
        assert f"session {id}" in await terminal.talk(f"/continue {id}")
        assert await terminal.talk("fifth") == "first + third + fifth"


async def test_what_is_not_there_and_what_is_another_persons_looks_the_same():
    terminal, telegram, _ = channels()
    async with talking(terminal, telegram) as gitu:
        await terminal.talk("mine", user="ana")
        (mine,) = await gitu.sessions()
        for which in ("99", "0", "1 2", mine.id, "the story"):
            assert await telegram.talk(f"/continue {which}", user="mallory") == NO_SESSION
        assert await telegram.talk("/continue", user="mallory") == NO_OTHER
        assert await terminal.talk("/continue", user="ana") == NO_OTHER


async def test_a_turn_that_runs_goes_on_in_the_session_it_began_in():
    terminal, telegram, _ = channels()
    begun, go = anyio.Event(), anyio.Event()

    async def waits(request):
        if request.messages[-1].text == "slow":
            begun.set()
            await go.wait()
        return " + ".join(each.text for each in request.messages if each.role == "user")

    async with talking(terminal, telegram, model=FunctionModel(waits)) as gitu:
        await linked(gitu, terminal, telegram)
        await terminal.talk("one")
        await telegram.say("slow")
        await begun.wait()
        await telegram.talk("/continue")
        assert await telegram.talk("two") == "one + two"
        go.set()
        await until(lambda: any(each.text == "slow" for each in telegram.sent))
        assert await telegram.talk("three") == "one + two + three"


async def test_what_is_said_in_a_group_is_not_continued_in_private_and_the_other_way_round():
    terminal, telegram, _ = channels()
    async with talking(terminal, telegram, model=ALL) as gitu:
        await linked(gitu, terminal, telegram)
        await telegram.talk("to all", group="team")
        assert await telegram.talk("/continue", group="team") == "That is for a private chat."
        (group,) = [each for each in await gitu.sessions() if each.messages]
        assert await terminal.talk("/continue") == NO_OTHER
        assert await terminal.talk(f"/continue {group.id}") == GROUPS
        await telegram.talk("/new", group="team")  # the group went on without it
        assert await terminal.talk(f"/continue {group.id}") == GROUPS
        assert await terminal.talk("/continue") == NO_OTHER
        await telegram.talk("secret")
        await terminal.talk("/continue")
        assert await terminal.talk("more") == "secret + more"
        assert await telegram.talk("again", group="team") == "again"
        assert "secret" not in await telegram.talk("/history", group="team")


async def test_an_account_that_could_be_forged_continues_nothing():
    terminal, mail_ = RecordingAdapter("terminal"), RecordingAdapter("mail", trusted=False)
    async with talking(terminal, mail_, model=ALL) as gitu:
        await linked(gitu, terminal, mail_)
        await terminal.talk("secret")
        assert await mail_.talk("/continue") == DOUBTFUL
        assert await mail_.talk("hm") == "hm"


async def test_a_question_is_asked_on_one_channel_and_answered_on_another():
    terminal, telegram, web_ = channels()

    def thinks(request):
        last = request.messages[-1]
        if last.role == "user":
            return call("web")
        return call("mail", to="bob") if "outside" in last.text else f"done: {last.text}"

    async with talking(terminal, telegram, web_, model=FunctionModel(thinks), tools=[mail, web]) as gitu:
        await linked(gitu, terminal, telegram, web_)
        receipt = await terminal.say("go")
        await until(lambda: terminal.asks)
        assert "/questions shows what waits there" in await telegram.talk("/continue")
        await web_.talk("/continue")
        await web_.talk("/questions")
        (asked,) = web_.asks
        assert asked == terminal.asks[0]
        await web_.say(parts=(Answer(asked.id, "yes"),))
        await terminal._inbox.finished(receipt.id)
        await until(lambda: terminal.sent[-1].text == "done: sent")
        await until(lambda: "Noted: yes. What comes of it is told where I asked, on terminal." in web_.sent[-1].text)
        assert SENT == ["bob"]
        assert [each.text for each in (*telegram.sent, *web_.sent) if "done: " in each.text] == []
        assert "assistant: done: sent" in await telegram.talk("/history")


async def test_it_is_done_once_whatever_crashes(tmp_path):
    from gitu_core import Gitu

    async with Gitu(model=ECHO, home=tmp_path) as gitu:
        await left_over(gitu, "/continue")
    adapter = RecordingAdapter()
    async with on(adapter, ECHO, home=tmp_path):
        assert (await adapter.reply()).text == AGAIN
