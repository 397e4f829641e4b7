"""The recording channel keeps the adapter's laws for every kind of delivery, and fails when it is told to."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio
import pytest

from gitu_core.errors import NotReady
from gitu_core.model import Answer, Ask, Conversation, Delivery, Health, Message, Outgoing, Progress, Receipt, Text
from gitu_core.testing import RecordingAdapter

pytestmark = pytest.mark.anyio


class Echo:
    """An inbox that answers every message with its own words, and knows a key again."""

    def __init__(self, adapter: RecordingAdapter) -> None:
        self.adapter = adapter
        self.accepted: dict[str, Message] = {}

    async def accept(self, message: Message) -> Receipt:
        """Keeps the message."""
        fresh = message.key not in self.accepted
        self.accepted.setdefault(message.key, message)
        return Receipt(id=message.key, fresh=fresh)

    async def finished(self, id: str) -> None:
        """Answers, then returns."""
        message = self.accepted[id]
        await self.adapter.send(outgoing(f"you said {message.text}", id, message.conversation))


def outgoing(text: str, key: str = "k", conversation: Conversation | None = None) -> Outgoing:
    """Something to say."""
    where = conversation or Conversation(channel="test", id="ana")
    return Outgoing(id=key, key=key, conversation=where, parts=(Text(text),))


@asynccontextmanager
async def running(adapter: RecordingAdapter) -> AsyncIterator[Echo]:
    """The adapter with an inbox behind it."""
    echo = Echo(adapter)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(adapter.receive, echo)
        yield echo
        tasks.cancel_scope.cancel()


async def test_what_is_said_reaches_the_inbox_as_a_whole_message() -> None:
    """Sender, conversation and a key of its own; the same key again is the same message."""
    adapter = RecordingAdapter("chat")
    async with running(adapter) as inbox:
        first = await adapter.say("hello")
        await adapter.say("hi all", user="bob", conversation="team", reply_to="7")
        again = await adapter.say("hello", key=first.id)
    one, two = inbox.accepted.values()
    assert (one.text, one.sender.id, one.conversation.id) == ("hello", "ana", "ana")
    assert (two.sender.id, two.conversation.id, two.reply_to) == ("bob", "team", "7")
    assert one.key != two.key
    assert (first.fresh, again.fresh) == (True, False)


async def test_talk_gives_the_answer_and_reply_gives_them_one_by_one() -> None:
    """Both wait; `reply` gives each outgoing once."""
    adapter = RecordingAdapter()
    async with running(adapter):
        assert await adapter.talk("one") == "you said one"
        await adapter.send(outgoing("first", "a"))
        await adapter.send(outgoing("second", "b"))
        assert [(await adapter.reply()).text, (await adapter.reply()).text] == ["first", "second"]


async def test_waiting_ends_with_a_timeout_instead_of_hanging() -> None:
    """Also when no host ever calls `receive`."""
    adapter = RecordingAdapter(patience=0.01)
    with pytest.raises(TimeoutError):
        await adapter.reply()
    with pytest.raises(TimeoutError):
        await adapter.say("anybody?")


async def test_questions_are_answered_by_choice() -> None:
    """The newest by default, any by its id; without one it is a mistake in the test."""
    adapter = RecordingAdapter()
    async with running(adapter) as inbox:
        with pytest.raises(LookupError):
            await adapter.answer("yes")
        for name in ("q1", "q2"):
            ask = Ask(name, "May I?", ("yes", "no"))
            where = Conversation(channel="test", id="ana")
            await adapter.send(Outgoing(id=name, key=name, conversation=where, parts=(ask,)))
        await adapter.answer("yes")
        await adapter.answer("no", ask="q1", user="bob")
    parts = [(message.parts, message.sender.id) for message in inbox.accepted.values()]
    assert parts == [((Answer("q2", "yes"),), "ana"), ((Answer("q1", "no"),), "bob")]


async def test_an_idempotent_channel_delivers_a_key_once() -> None:
    """Law A5: the second call gives the first delivery."""
    adapter = RecordingAdapter(delivery="idempotent")
    first, again = await adapter.send(outgoing("hi")), await adapter.send(outgoing("hi"))
    assert first == again
    assert (len(adapter.sent), len(adapter.tries)) == (1, 2)


async def test_a_blind_channel_delivers_every_call_and_knows_nothing() -> None:
    """Which is why nobody may repeat blindly there."""
    adapter = RecordingAdapter(delivery="blind")
    await adapter.send(outgoing("hi"))
    await adapter.send(outgoing("hi"))
    assert len(adapter.sent) == 2
    assert (await adapter.verify(outgoing("hi"))).state == "unknown"


@pytest.mark.parametrize("seen", [True, False])
async def test_an_unknown_delivery_can_be_verified_where_the_channel_can_tell(seen: bool) -> None:
    """Law A6, both ways the truth can be."""
    adapter = RecordingAdapter(delivery="verifiable")
    adapter.fail("unknown", seen=seen)
    assert (await adapter.send(outgoing("hi"))).state == "unknown"
    assert [each.text for each in adapter.sent] == ["hi"] * seen
    assert (await adapter.verify(outgoing("hi"))).state == ("sent" if seen else "not_sent")


async def test_failures_apply_once_each_in_order() -> None:
    """Then the channel works again."""
    adapter = RecordingAdapter()
    adapter.fail("not_sent", retry_after=2.0)
    adapter.fail("not_sent", final=True)
    states = [await adapter.send(outgoing("hi")) for _ in range(3)]
    assert [(each.state, each.retry_after, each.final) for each in states] == [
        ("not_sent", 2.0, False),
        ("not_sent", None, True),
        ("sent", None, False),
    ]
    assert len(adapter.sent) == 1
    with pytest.raises(ValueError, match="nobody saw anything"):
        adapter.fail("not_sent", seen=True)


async def test_receiving_can_break_off_and_begin_again() -> None:
    """Law A1: a typed failure; afterwards the host may call `receive` anew."""
    adapter = RecordingAdapter()
    adapter.break_off(NotReady("gone for a moment", retry_after=0.1))
    with pytest.raises(NotReady):
        await adapter.receive(Echo(adapter))
    async with running(adapter):
        assert await adapter.talk("back?") == "you said back?"


async def test_events_and_health_are_what_the_test_says() -> None:
    """Streamed events are kept with their conversation."""
    adapter = RecordingAdapter(streams=True, markdown=True)
    where = Conversation(channel="test", id="ana")
    await adapter.show(where, Progress("working"))
    assert adapter.events == [(where, Progress("working"))]
    assert (await adapter.health()).state == "ok"
    adapter.feel(Health(state="failed", detail="unplugged"))
    assert (await adapter.health()).detail == "unplugged"
    assert (adapter.channel.streams, adapter.channel.markdown) == (True, True)
    assert isinstance(await adapter.send(outgoing("x")), Delivery)
