"""Attacks on who is who: accounts that are lost while something runs, words that hide a code, others in a group."""

from __future__ import annotations

import anyio
import pytest

from gitu_core import Gitu
from gitu_core.gateway.commands import AGAIN
from gitu_core.gateway.questions import CLOSED
from gitu_core.model import Account, Answer, Conversation, Message, Text
from gitu_core.testing import FunctionModel, RecordingAdapter
from tests.app.around import ECHO, SENT, left_over, mail, on, slow, until, web
from tests.app.test_identity import _account, code_in, mails, talking, thinks

pytestmark = pytest.mark.anyio


# ---- an account that is lost ---------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["unlinked", "moved"])
async def test_what_a_lost_account_began_is_stopped(how):
    adapter, started = RecordingAdapter(), anyio.Event()
    async with on(adapter, slow(30, started)) as gitu:
        store = gitu.house.store
        await adapter.say("work")
        await adapter.say("and more")
        await started.wait()
        if how == "unlinked":
            await store.unlink(_account("ana"), last=True)
        else:
            await store.link(_account("ana"), (await store.person_for(_account("bob"))).id)
        await until(lambda: len(adapter.sent) == 2)
        assert {each.text for each in adapter.sent} == {"Stopped."}


async def test_of_many_that_run_each_is_looked_at_in_the_end():
    async with Gitu(model=ECHO) as gitu:
        store, who = gitu.house.store, gitu.house.gateway.identity
        for number in range(230):
            await left_over(gitu, "work", f"k{number}", user=f"u{number}")
        entries = []
        for lane, _ in await store.waiting():
            entries += [entry for _, entry in await store.pending_in(lane)]
        await store.unlink(entries[-1].message.sender, last=True)
        found = [list(await who.look(entries)) for _ in range(6)]
        assert {number for each in found for number in each} == {229}


async def test_what_waits_of_a_lost_account_ends_and_does_nothing(tmp_path):
    adapter, other = RecordingAdapter(), RecordingAdapter("other")
    async with talking(adapter, other, model=FunctionModel(thinks), tools=[mail, web], home=tmp_path) as gitu:
        await adapter.talk("go")
        person = (await gitu.sessions())[0].person
        await gitu.house.store.link(_account("ana", "other"), person)
        await gitu.house.store.unlink(_account("ana"))
        await other.say("", parts=(Answer(adapter.asks[0].id, "yes"),))
        await until(lambda: adapter.sent[-1].text == "Stopped.")
    assert SENT == []


async def test_a_stolen_account_that_was_shown_a_code_does_not_come_back_with_it():
    adapter, other = RecordingAdapter(), RecordingAdapter("other", access="paired")
    async with talking(adapter, other) as gitu:
        code = code_in(await adapter.talk("/link"))
        person = (await gitu.sessions())[0].person
        await gitu.house.store.link(_account("second"), person)
        assert "does not speak for you" in await adapter.talk("/unlink 1", user="second")
        await other.say(f"/link {code}", user="mallory")
        await until(lambda: other.sent)
        assert await gitu.house.store.known(_account("mallory", "other")) is None


async def test_what_is_unlinked_by_number_is_unlinked_once_whatever_crashes(tmp_path):
    """The list is another one after the first: a second go would take another account away."""
    async with Gitu(model=ECHO, home=tmp_path) as gitu:
        await left_over(gitu, "/unlink 2")
        person = (await gitu.sessions())[0].person
        for number in range(3):
            await gitu.house.store.link(_account(f"more{number}"), person)
        await gitu.house.store.unlink(_account("more0"))  # what the command did before the process ended
    adapter = RecordingAdapter()
    async with on(adapter, ECHO, home=tmp_path) as gitu:
        assert (await adapter.reply()).text == AGAIN
        assert [each.account.id for each in await gitu.house.store.accounts(person)] == ["ana", "more1", "more2"]


# ---- odd words -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("between", [" ", "\n", "\u00a0", "\t ", "\u2003"])
async def test_a_code_is_taken_as_one_whatever_stands_before_it_and_never_gets_to_a_model(between):
    asked = []
    one, two = RecordingAdapter("one"), RecordingAdapter("two")
    model = FunctionModel(lambda request: asked.append(request) or "hm")
    async with talking(one, two, model=model):
        code = code_in(await one.talk("/link"))
        assert "This account is linked" in await two.talk(f"/link{between}{code}")
        code = code_in(await one.talk("/link"))
        assert "private chats" in await two.talk(f"/link{between}{code}", group="team")
    assert asked == []


@pytest.mark.parametrize("number", ["9" * 5000, "\u0661", "-1", "1e3", "0x1", "\u00b2", "1 LAST now"])
async def test_whatever_is_said_to_be_unlinked_is_a_number_or_told(number):
    adapter = RecordingAdapter()
    async with on(adapter, ECHO):
        await adapter.talk("hello")
        said = await adapter.talk(f"/unlink {number}")
        assert "/unlink NUMBER" in said or "last account" in said


@pytest.mark.parametrize("name", ["x" * 100_000, "\ud800\udfff", "a\x00b\x1b[2J", "\u202egnp"])
async def test_a_name_that_cannot_be_kept_is_cut_and_keeps_nobody_out(name):
    adapter = RecordingAdapter()
    async with on(adapter, ECHO) as gitu:
        odd = Account("test", "odd", name)
        inbox = await adapter._ready()
        await inbox.accept(Message("k", Conversation("test", "odd"), odd, (Text("hello"),)))
        assert (await adapter.reply()).text == "you said hello"
        kept = (await gitu.house.store.known(odd)).person.name
        assert len(kept) <= 60
        assert kept == "" or kept.isprintable()


# ---- questions where the person is ---------------------------------------------------------------------------


async def test_a_question_shown_elsewhere_is_answered_there_by_a_bare_word():
    one, two = RecordingAdapter("one"), RecordingAdapter("two")
    async with talking(one, two, model=FunctionModel(thinks), tools=[mail, web]) as gitu:
        await one.talk("go")
        await gitu.house.store.link(_account("ana", "two"), (await gitu.sessions())[0].person)
        assert await two.talk("yes") == "heard yes", "nothing was asked here"
        assert SENT == []
        await two.talk("/questions")
        assert await two.talk("hello") == "heard hello"
        assert await two.talk("yes") == "heard yes", "something else was said last"
        assert SENT == []
        await two.talk("/questions")
        assert "Noted: yes" in await two.talk("yes")
        await until(lambda: one.sent[-1].text == "done: sent")
        assert SENT == ["bob"]
        assert await two.talk("/questions") == "Nothing waits for your answer."
        assert await two.talk("yes") == "heard yes"


async def test_where_two_questions_are_shown_a_bare_word_answers_neither():
    one, two = RecordingAdapter("one"), RecordingAdapter("two")
    async with talking(one, two, model=FunctionModel(thinks), tools=[mail, web]) as gitu:
        await one.talk("go")
        await one.talk("go")
        await gitu.house.store.link(_account("ana", "two"), (await gitu.sessions())[0].person)
        await two.talk("/questions")
        assert await two.talk("yes") == "heard yes"
        await two.say("", parts=(Answer(one.asks[0].id, "yes"),))
        await until(lambda: SENT == ["bob"])


async def test_a_question_shown_to_one_person_is_not_answered_by_another_in_the_same_chat():
    one, two = RecordingAdapter("one"), RecordingAdapter("two")
    async with talking(one, two, model=FunctionModel(thinks), tools=[mail, web]) as gitu:
        await one.talk("go")
        ana = (await gitu.sessions())[0].person
        await gitu.house.store.link(_account("ana", "two"), ana)
        await two.talk("/questions")
        eve = (await gitu.house.store.person_for(_account("eve", "two"))).id
        await gitu.house.store.link(_account("ana", "two"), eve)
        assert await two.talk("yes") == "heard yes"
        assert await two.talk("", parts=(Answer(one.asks[0].id, "yes"),)) == CLOSED
    assert SENT == []


async def test_the_application_finds_the_questions_of_an_account_of_its_own_that_was_linked():
    one = RecordingAdapter("one")
    async with talking(one, model=FunctionModel(thinks), tools=[mail, web]) as gitu:
        await gitu.send(f"/link {code_in(await one.talk('/link'))}", user="u")
        await gitu.send("go", user="u")
        (asked,) = await gitu.approvals("u")
        assert len(await gitu.sessions("u")) == 2
        assert (await gitu.send([Answer(asked.id, "yes")], user="u")).text == "done: sent"


# ---- groups --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", ["/stop", "/new"])
async def test_in_a_group_others_do_not_end_what_somebody_began(command):
    adapter = RecordingAdapter()
    async with on(adapter, FunctionModel(thinks), tools=[mail, web]):
        await adapter.talk("hello", user="owner", group="g")
        await adapter.talk("go", user="bob", group="g")
        await adapter.talk(command, user="carla", group="g")
        await adapter.say("", user="bob", group="g", parts=(Answer(adapter.asks[0].id, "yes"),))
        await until(lambda: SENT == ["bob"])


async def test_in_a_group_others_do_not_stop_what_runs():
    adapter, started = RecordingAdapter(), anyio.Event()
    async with on(adapter, slow(30, started)):
        await adapter.say("work", user="bob", group="g")
        await started.wait()
        assert await adapter.talk("/stop", user="carla", group="g") == "Nothing runs."
        await adapter.say("/stop", user="bob", group="g")
        await until(lambda: [each.text for each in adapter.sent].count("Stopped.") == 2)


async def test_what_waits_of_somebody_switched_off_is_not_ended_by_others_in_the_group():
    adapter = RecordingAdapter()
    async with on(adapter, FunctionModel(thinks), tools=[mail, web]) as gitu:
        await adapter.talk("hello", user="owner", group="g")
        await adapter.talk("go", user="bob", group="g")
        bob = (await gitu.house.store.known(_account("bob"))).person.id
        await gitu.house.store.change_person(bob, enabled=False)
        await adapter.talk("/stop", user="carla", group="g")
        assert [each.state for each in await gitu.house.store.approvals(bob)] == ["pending"]


async def test_in_a_group_the_model_knows_who_spoke_and_keeps_namesakes_apart():
    seen = []
    adapter = RecordingAdapter()
    model = FunctionModel(lambda request: seen.append([m.name for m in request.messages if m.role == "user"]) or "ok")
    async with on(adapter, model):
        await adapter.talk("hi", user="ana", group="g")
        await adapter.talk("hi", user="ANA", group="g")
        await adapter.talk("hi", user="ana")
    one, two = seen[1]
    assert one.startswith("Ana_")
    assert two.startswith("Ana_")
    assert one != two
    assert seen[2] == [""]


async def test_an_account_that_may_be_forged_does_not_profit_from_mails_that_were_asked_elsewhere():
    home, post = RecordingAdapter("home"), RecordingAdapter("post", trusted=False, access="paired")
    async with talking(home, post, model=FunctionModel(mails), tools=[mail]) as gitu:
        await home.talk("hello there")
        person = (await gitu.sessions())[0].person
        await gitu.house.store.link(_account("ana", "post"), person)
        await post.say("mail bob")
        await until(lambda: post.asks)
        await post.talk("/questions")
        await post.say("yes")
        await anyio.sleep(0.2)
        assert SENT == ["bob"], "only what was asked for at home"
