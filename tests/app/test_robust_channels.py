"""What goes wrong between runs and on channels: crashes, a store that fails, channels that end, questions unseen."""

from __future__ import annotations

import asyncio
import sqlite3
import subprocess
import sys
from contextlib import asynccontextmanager

import anyio
import pytest

from gitu_core import Gitu, tool
from gitu_core.contracts.ports import OutboxEntry
from gitu_core.errors import AuthFailed, Denied, NotReady, StoreError
from gitu_core.gateway import worker
from gitu_core.model import Conversation, Outgoing, Text
from gitu_core.testing import FunctionModel, RecordingAdapter, ScriptedModel, call
from tests.app.around import ECHO, OK, SENT, On, left_over, mail, on, pending, slow, until, web

pytestmark = pytest.mark.anyio


# ---- what an earlier run left on a channel -----------------------------------------------------------


async def test_what_was_left_is_dealt_with_like_what_comes_now_behind_a_thousand_others(tmp_path):
    async with Gitu(model=ECHO, home=tmp_path) as gitu:
        async with anyio.create_task_group() as group:
            for number in range(1005):
                group.start_soon(left_over, gitu, "stale", f"k{number}", "app", "z")
        await left_over(gitu, "/stop", "1")
        await left_over(gitu, "a question", "2")
    adapter = RecordingAdapter()
    async with on(adapter, ECHO, home=tmp_path):
        assert (await adapter.reply()).text == "Nothing runs."
        assert (await adapter.reply()).text == "you said a question"


async def test_what_is_dealt_with_while_its_lane_is_read_is_not_dealt_with_again(tmp_path):
    async with Gitu(model=ECHO, home=tmp_path) as gitu:
        await left_over(gitu, "a question", "1")
    adapter, taken, go = RecordingAdapter(), anyio.Event(), anyio.Event()

    class Waits:
        async def gitu_message_received(self, message):
            taken.set()
            await go.wait()

    async with on(adapter, ECHO, Waits(), home=tmp_path) as gitu, anyio.create_task_group() as group:
        store = gitu.house.store
        read = store.pending_in

        async def slowly(lane):
            store.pending_in = read
            group.start_soon(adapter.say, "/stop")
            await taken.wait()
            found = await read(lane)
            go.set()
            await until(lambda: adapter.sent)
            await store.write()
            return found

        store.pending_in = slowly
        await until(lambda: len(adapter.sent) >= 2)
        assert await pending(gitu) == 0
    assert [each.text for each in adapter.sent] == ["Nothing runs.", "you said a question"]


async def test_more_than_a_page_that_was_left_is_taken_up(tmp_path):
    async with Gitu(model=ECHO, home=tmp_path) as gitu, anyio.create_task_group() as group:
        for number in range(1005):
            group.start_soon(left_over, gitu, "/help", f"k{number}")
    adapter = RecordingAdapter()
    async with on(adapter, ECHO, home=tmp_path) as gitu:
        await until(lambda: len(adapter.sent) == 1005, 20)
        assert await pending(gitu) == 0


@pytest.mark.parametrize("choice", ["retry", "leave"])
async def test_an_effect_that_nobody_knows_about_is_done_again_only_if_its_user_says_so(short_grace, tmp_path, choice):
    done = anyio.Event()

    @tool(effects=["send"])
    async def pay(to: str) -> str:
        """Pays."""
        SENT.append(to)
        if not done.is_set():
            done.set()
            await anyio.sleep(30)
        return "paid"

    model = FunctionModel(
        lambda r: call("pay", to="bob") if r.messages[-1].role == "user" else f"it said {r.messages[-1].text}"
    )
    adapter = RecordingAdapter()
    async with on(adapter, model, tools=[pay], home=tmp_path):
        await adapter.say("pay bob")
        await done.wait()
    again = RecordingAdapter()
    async with on(again, model, tools=[pay], home=tmp_path) as gitu:
        ask = (await again.reply()).parts[0]
        assert "nobody knows whether pay was done" in ask.question
        assert "to: bob" in ask.details
        assert ask.choices == ("retry", "leave")
        assert SENT == ["bob"]
        assert await pending(gitu) == 0
        await again.answer(choice, key="the answer")
        said = (await again.reply()).text
        assert said == "it said paid" if choice == "retry" else "nobody knows whether pay was done" in said
        history = await gitu.history((await gitu.sessions())[0].id)
        roles = [each.message.role for each in history]
        assert roles == ["user", "assistant", "user", "assistant", "tool", "assistant"]
    assert (["bob", "bob"] if choice == "retry" else ["bob"]) == SENT


async def test_a_message_that_ends_the_process_each_time_is_given_up(short_grace, tmp_path):
    for run in range(4):
        adapter, started = RecordingAdapter(), anyio.Event()
        async with on(adapter, slow(started=started), home=tmp_path):
            if run == 0:
                await adapter.say("poison")
            await started.wait()
    adapter = RecordingAdapter()
    async with on(adapter, OK, home=tmp_path):
        assert "interrupted" in (await adapter.reply()).text


async def test_a_turn_that_waited_since_its_process_ended_is_not_given_up_when_it_has_its_answer(short_grace, tmp_path):
    for run in range(3):
        adapter, started = RecordingAdapter(), anyio.Event()
        async with on(adapter, slow(started=started), tools=[mail, web], home=tmp_path):
            if run == 0:
                await adapter.say("go")
            await started.wait()
    adapter, calls = RecordingAdapter(), iter([call("web"), call("mail", to="bob"), "done"])
    async with on(adapter, FunctionModel(lambda request: next(calls)), tools=[mail, web], home=tmp_path):
        assert (await adapter.reply()).parts[0].choices[:2] == ("yes", "no")
        await adapter.answer("yes", key="the answer")
        assert (await adapter.reply()).text == "done"
    assert SENT == ["bob"]


# ---- a store that fails ------------------------------------------------------------------------------


@asynccontextmanager
async def refusing(home, what="INSERT ON outbox"):
    """A database that does not take a certain change."""
    with sqlite3.connect(home / "gitu.db") as connection:
        connection.execute(f"CREATE TRIGGER refuse BEFORE {what} BEGIN SELECT RAISE(ABORT, 'not now'); END")
    yield
    with sqlite3.connect(home / "gitu.db") as connection:
        connection.execute("DROP TRIGGER refuse")


MAILS = FunctionModel(lambda r: call("mail", to="bob") if r.messages[-1].role == "user" else "done!")


async def test_the_end_of_a_turn_is_written_as_soon_as_it_can_be(tmp_path):
    adapter = RecordingAdapter()
    async with on(adapter, MAILS, tools=[mail], home=tmp_path) as gitu:
        await gitu.house.store.write()
        async with refusing(tmp_path):
            receipt = await adapter.say("mail bob")
            await until(lambda: SENT)
            await anyio.sleep(0.3)
        with anyio.fail_after(10):
            await adapter._inbox.finished(receipt.id)
        assert [each.text for each in adapter.sent] == ["done!"]
        assert await pending(gitu) == 0
    assert SENT == ["bob"]


async def test_who_asked_is_told_where_the_end_cannot_be_written_and_nothing_is_done_twice(tmp_path, monkeypatch):
    monkeypatch.setattr(worker, "TRY_FOR", 0.1)
    adapter = RecordingAdapter()
    async with on(adapter, MAILS, tools=[mail], home=tmp_path) as gitu:
        async with refusing(tmp_path, "UPDATE OF done_at ON inbox"):
            assert "not now" in await adapter.talk("mail bob")
            with pytest.raises(StoreError, match="not now"):
                await gitu.send("mail bob", user="u", key="k")
        assert (await gitu.send("mail bob", user="u", key="k")).text == "done!"
    again = RecordingAdapter()
    async with on(again, MAILS, tools=[mail], home=tmp_path):
        if len(adapter.sent) == 1:
            assert (await again.reply()).text == "done!"
    assert SENT == ["bob", "bob"]


# ---- channels ----------------------------------------------------------------------------------------


async def test_an_answer_whose_channel_ended_is_sent_when_it_starts_again(tmp_path):
    adapter, gate = RecordingAdapter(), anyio.Event()

    async def answer(request):
        await gate.wait()
        return f"answer to {request.messages[-1].text}"

    async with Gitu(model=FunctionModel(answer), plugins=[On(adapter)], home=tmp_path) as gitu:
        serving = asyncio.create_task(gitu.serve())
        for word in ("one", "two"):
            await adapter.say(word)
        adapter.break_off(AuthFailed("the token was taken back"))
        await serving
        gate.set()

        async def worked_off():
            return not await pending(gitu)

        await until(worked_off)
        assert adapter.sent == []
    again = RecordingAdapter()
    again.fail("not_sent")  # it stays queued, and is tried again while the channel runs
    async with on(again, OK, home=tmp_path) as gitu:
        assert [(await again.reply()).text for _ in range(2)] == ["answer to one", "answer to two"]
        await gitu.house.store.write()
        assert await gitu.house.store.unsent() == []


async def test_one_process_at_a_time_runs_a_channel(tmp_path):
    code = (
        "import asyncio, sys; from pathlib import Path; from gitu_core.store import Store\n"
        "async def main():\n"
        "    async with Store(home=Path(sys.argv[1])) as store:\n"
        "        await store.join('process 4711'); print(await store.claim('channel:test'), flush=True)\n"
        "        await asyncio.to_thread(sys.stdin.read)\n"
        "asyncio.run(main())"
    )
    command = [sys.executable, "-c", code, str(tmp_path)]
    other = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)  # noqa: ASYNC220
    assert other.stdout is not None
    assert other.stdout.readline() == "True\n"
    adapter = RecordingAdapter()
    async with Gitu(model=OK, plugins=[On(adapter)], home=tmp_path) as gitu:
        with pytest.raises(NotReady, match="process 4711") as caught:
            await gitu.serve()
        assert caught.value.hint
        assert gitu.house.gateway.adapters == {}
        other.kill()
        other.communicate()
        for _ in range(2):  # a connection may break and come back: who is gone twice is gone
            await gitu.house.keeper.look()
        async with anyio.create_task_group() as group:
            group.start_soon(gitu.serve)
            assert await adapter.talk("hi") == "ok"
            group.cancel_scope.cancel()


async def test_a_notice_under_one_key_is_given_once():
    from gitu_core.facets import NotifyFacet

    adapter = RecordingAdapter(delivery="blind")
    async with on(adapter, OK) as gitu:
        await adapter.talk("hi")
        facet = NotifyFacet(gitu.house, gitu.house.registry.manifest("basics"))
        conversation = adapter.sent[0].conversation
        ids = {await facet.send(conversation, [Text("ping")], "k") for _ in range(3)}
        assert [each.text for each in adapter.sent] == ["ok", "ping"]
        entry = await gitu.house.store.outgoing(ids.pop())
        session = (await gitu.sessions())[0]
        assert (entry.person, entry.session) == (session.person, session.id)


async def test_words_that_only_begin_like_a_command_are_for_the_assistant():
    async with Gitu(model=ECHO) as gitu:
        for text in ("/new york is lovely", "/history of Rome"):
            assert (await gitu.send(text, user="u")).text == f"you said {text}"
        assert "new session" in (await gitu.send(" /NEW ", user="u")).text


async def test_a_guard_tells_its_own_reason_and_hint():
    class Guard:
        def gitu_guard_message(self, message):
            if "rude" in message.text:
                raise Denied("no rude words", hint="ask politely")
            return "it is too late" if "late" in message.text else None

    async with Gitu(model=OK, plugins=[Guard()]) as gitu:
        with pytest.raises(Denied, match="no rude words") as caught:
            await gitu.send("rude", user="u")
        assert caught.value.hint == "ask politely"
        with pytest.raises(Denied, match="too late") as caught:
            await gitu.send("late", user="u")
        assert caught.value.hint
        assert (await gitu.send("hello", user="u")).text == "ok"


# ---- approval ----------------------------------------------------------------------------------------


async def test_a_question_that_nobody_can_see_is_a_no(tmp_path):
    adapter = RecordingAdapter(delivery="blind")
    async with on(adapter, ScriptedModel(call("web"), call("mail", to="x"), "done"), tools=[mail, web]) as gitu:
        adapter.fail("not_sent", final=True, detail="the chat is gone")
        await adapter.say("go")
        assert (await adapter.reply()).text == "done"
        history = await gitu.history((await gitu.sessions())[0].id)
        assert any("could not be sent: the chat is gone" in each.message.text for each in history)
    assert SENT == []


async def test_a_function_that_approves_and_raises_approves_nothing(caplog):
    def approve(*arguments):
        raise ValueError("the window is gone")

    model = ScriptedModel(call("web"), call("mail", to="x"), "done")
    async with Gitu(model=model, tools=[mail, web], approve=approve) as gitu:
        reply = await gitu.send("x", user="u")
    assert reply.results[1].status == "denied"
    assert SENT == []
    assert "the window is gone" in caplog.text


async def test_queued_entries_of_other_channels_hide_nothing(tmp_path):
    async with Gitu(model=OK, home=tmp_path) as gitu:
        for channel, count in (("gone", 1005), ("test", 1)):
            conversation = Conversation(channel, "c")
            for number in range(count):
                id = f"{channel}{number}"
                gitu.house.store.post(OutboxEntry(Outgoing(id, id, conversation, (Text("late"),)), "", ""))
    adapter = RecordingAdapter()
    async with on(adapter, OK, home=tmp_path):
        assert (await adapter.reply()).text == "late"


async def test_a_channel_is_held_until_nothing_of_it_can_run_any_more(tmp_path):
    adapter, started, gate = RecordingAdapter(), anyio.Event(), anyio.Event()

    async def answer(request):
        started.set()
        await gate.wait()
        return "late, and in time"

    async with Gitu(model=FunctionModel(answer), plugins=[On(adapter)], home=tmp_path) as gitu:
        async with anyio.create_task_group() as group:
            group.start_soon(gitu.serve)
            await adapter.say("hi")
            await started.wait()
            with pytest.raises(NotReady, match="already"):
                await gitu.serve()
            group.cancel_scope.cancel()
        async with Gitu(model=OK, plugins=[On(RecordingAdapter())], home=tmp_path) as other:
            with pytest.raises(NotReady, match="is run by process"):
                await other.serve()
        gate.set()
        assert (await adapter.reply()).text == "late, and in time"
    async with on(RecordingAdapter(), OK, home=tmp_path):
        assert len(adapter.sent) == 1
