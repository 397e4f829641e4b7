"""A channel from end to end: accept, lane, turn, outbox; and what happens when its other side fails."""

from __future__ import annotations

from contextlib import asynccontextmanager

import anyio
import pytest

from gitu_core import Gitu, tool
from gitu_core.errors import AuthFailed, InputError, NotReady
from gitu_core.model import Account, AnswerDelta, Conversation, Message, Text, TurnFinished
from gitu_core.testing import FunctionModel, RecordingAdapter, ScriptedModel, call

pytestmark = pytest.mark.anyio


@asynccontextmanager
async def on(adapter, model, **options):
    """An assistant that talks on one channel."""

    class Plugin:
        def gitu_adapters(self):
            return [adapter]

    async with Gitu(model=model, plugins=[Plugin()], use=["*"], **options) as gitu, anyio.create_task_group() as group:
        group.start_soon(gitu.serve)
        try:
            yield gitu
        finally:
            group.cancel_scope.cancel()


async def test_what_is_said_on_a_channel_is_answered_there_once():
    adapter = RecordingAdapter(streams=True)
    async with on(adapter, ScriptedModel(["Hello!", "Again!"])):
        assert await adapter.talk("hi") == "Hello!"
        assert await adapter.talk("hi again") == "Again!"
    assert len(adapter.sent) == 2
    kinds = [type(event) for _, event in adapter.events]
    assert AnswerDelta in kinds
    assert TurnFinished in kinds


async def test_the_same_key_again_is_answered_once():
    adapter = RecordingAdapter()
    model = ScriptedModel(["once"])
    async with on(adapter, model):
        first = await adapter.say("hi", key="k")
        await adapter.reply()
        second = await adapter.say("hi", key="k")
        assert (first.id, second.fresh) == (second.id, False)
    assert len(model.requests) == 1


async def test_what_nobody_saw_is_sent_again_and_what_nobody_knows_is_not():
    adapter = RecordingAdapter(delivery="blind")
    async with on(adapter, FunctionModel(lambda request: "answer")) as gitu:
        adapter.fail("not_sent", retry_after=0.01)
        assert await adapter.talk("one") == "answer"
        assert len(adapter.tries) == 2
        adapter.fail("unknown")
        assert await adapter.talk("two") == ""
        assert len(adapter.tries) == 3
        await gitu.house.store.write()
        assert await gitu.house.store.unsent() == []


async def test_an_adapter_that_raises_in_send_is_not_asked_again():
    class Broken(RecordingAdapter):
        async def send(self, outgoing):
            self.tries.append(outgoing)
            raise ZeroDivisionError

    adapter = Broken(delivery="blind")
    async with on(adapter, FunctionModel(lambda request: "answer")):
        await adapter.talk("one")
        await adapter.talk("two")
    one, notice, two = adapter.tries
    assert "I do not know whether this reached you" in notice.text
    assert one.id != two.id


async def test_long_answers_are_cut_to_the_channels_limit():
    adapter = RecordingAdapter(max_text=10)
    async with on(adapter, ScriptedModel(["word " * 10])):
        await adapter.talk("go")
    assert all(len(outgoing.text) <= 10 for outgoing in adapter.sent)
    assert "".join(outgoing.text for outgoing in adapter.sent) == "word " * 10
    assert len({outgoing.key for outgoing in adapter.sent}) == len(adapter.sent)


async def test_commands_are_answered_even_while_a_turn_runs_and_stop_ends_it():
    adapter, started = RecordingAdapter(), anyio.Event()

    async def answer(request):
        started.set()
        await anyio.sleep(60)

    async with on(adapter, FunctionModel(answer)):
        waiting = await adapter.say("think hard")
        await started.wait()
        assert "1 turns run" in await adapter.talk("/status")
        assert "/history" in await adapter.talk("/help")
        assert "profile default" in await adapter.talk("/session")
        assert "Stopped." in await adapter.talk("/stop")
        with anyio.fail_after(5):
            await adapter._inbox.finished(waiting.id)
        assert await adapter.talk("/stop") == "Nothing runs."


async def test_new_begins_a_session_and_history_tells_what_was_said():
    adapter = RecordingAdapter()
    async with on(adapter, FunctionModel(lambda request: str(len(request.messages)))) as gitu:
        assert await adapter.talk("one") == "2"
        assert await adapter.talk("two") == "4"
        assert "user: one" in await adapter.talk("/history")
        assert "new session" in await adapter.talk("/new")
        assert await adapter.talk("three") == "2"
        assert len(await gitu.sessions()) == 2
        assert (await adapter.talk("/sessions")).count("messages") == 2


async def test_an_approval_is_asked_and_answered_on_the_channel():
    sent = []

    @tool(writers={"": "outside"})
    def read() -> str:
        """Reads."""
        return "outside words"

    @tool(effects=["send"], roles={"to": "recipient"})
    def send(to: str) -> str:
        """Sends."""
        sent.append(to)
        return "sent"

    adapter = RecordingAdapter(buttons=True)
    model = ScriptedModel([call("read"), call("send", to="bob"), "done"] * 3)
    async with on(adapter, model, tools=[read, send]):
        for choice in ("yes", "no"):
            receipt = await adapter.say("go")
            question = (await adapter.reply()).parts[0]
            assert "to: bob" in question.details
            if choice == "yes":
                await adapter.answer("yes", user="mallory")
                assert "closed" in (await adapter.reply()).text
                assert sent == []
            await adapter.answer(choice)
            await adapter.reply()
            with anyio.fail_after(5):
                await adapter._inbox.finished(receipt.id)
        assert sent == ["bob"]


async def test_a_channel_that_is_not_ready_is_started_again_and_one_without_a_key_is_not(fake_clock):
    class Flaky(RecordingAdapter):
        starts = 0

        async def receive(self, inbox):
            self.starts += 1
            if self.starts < 3:
                raise NotReady("later")
            raise AuthFailed("no key", hint="set a key")

    adapter = Flaky()

    class Plugin:
        def gitu_adapters(self):
            return [adapter]

    async with Gitu(model=ScriptedModel([]), plugins=[Plugin()], use=["*"], clock=fake_clock) as gitu:
        async with anyio.create_task_group() as group:
            group.start_soon(gitu.serve)
            with anyio.fail_after(5):
                while adapter.starts < 3:
                    await anyio.sleep(0.005)
                    await fake_clock.advance(10)
        assert adapter.starts == 3
        assert "no key" in "\n".join(await gitu.house.status())


async def test_what_an_earlier_run_left_is_answered_at_the_next_start():
    adapter = RecordingAdapter()
    started = anyio.Event()

    async def hang(request):
        started.set()
        await anyio.sleep(60)

    from gitu_core import wiring

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(wiring, "GRACE", 0.05)
        async with on(adapter, FunctionModel(hang)):
            await adapter.say("are you there?")
            await started.wait()
    again = RecordingAdapter()
    async with on(again, ScriptedModel(["Yes."])):
        assert (await again.reply()).text == "Yes."


async def test_a_message_that_lies_about_its_channel_is_refused():
    adapter = RecordingAdapter()
    async with on(adapter, ScriptedModel([])):
        inbox = await adapter._ready()
        with pytest.raises(InputError):
            await inbox.accept(Message("k", Conversation("other", "1"), Account("test", "a"), (Text("x"),)))


async def test_guards_hold_messages_and_answers_back():
    adapter = RecordingAdapter()

    class Guard:
        def gitu_adapters(self):
            return [adapter]

        def gitu_guard_outgoing(self, outgoing):
            return "it is a secret" if "secret" in outgoing.text else None

    gitu = Gitu(model=ScriptedModel(["the secret"]), plugins=[Guard()], use=["*"])
    async with gitu, anyio.create_task_group() as group:
        group.start_soon(gitu.serve)
        assert await adapter.talk("tell me") == "The answer was held back: it is a secret"
        group.cancel_scope.cancel()
