"""What waits for a channel: in order within a conversation, and nobody waits for somebody else's."""

from __future__ import annotations

import anyio
import pytest

from gitu_core import Gitu
from gitu_core.gateway import outbox
from gitu_core.model import Conversation, Outgoing, Text
from gitu_core.testing import RecordingAdapter
from tests.app.around import ECHO, On, on, until

pytestmark = pytest.mark.anyio


def said(id: str, to: str = "ana") -> Outgoing:
    return Outgoing(id, id, Conversation("test", to), (Text(id),))


async def queued(home, *outgoing: Outgoing) -> None:
    """Leaves messages for a channel that does not run."""
    async with Gitu(model=ECHO, plugins=[On(RecordingAdapter())], use=["*"], home=home) as gitu:
        for each in outgoing:
            await gitu.house.notify(each)


class Slow(RecordingAdapter):
    """Takes for ever in the conversation `slow`, until it is let go."""

    def __init__(self, **options):
        super().__init__(**options)
        self.go, self.at_once, self.most = anyio.Event(), 0, 0

    async def send(self, outgoing):
        self.at_once += 1
        self.most = max(self.most, self.at_once)
        try:
            if outgoing.conversation.id.startswith("slow"):
                await self.go.wait()
            return await super().send(outgoing)
        finally:
            self.at_once -= 1


async def test_a_slow_conversation_keeps_nobody_else_waiting(tmp_path):
    await queued(tmp_path, said("s1", "slow"), said("s2", "slow"), *(said(f"q{n}", f"c{n}") for n in range(5)))
    adapter = Slow()
    async with on(adapter, ECHO, home=tmp_path):
        await until(lambda: len(adapter.sent) == 5)
        assert await adapter.talk("and now?", user="bob") == "you said and now?"
        adapter.go.set()
        await until(lambda: len(adapter.sent) == 8)
    assert [each.id for each in adapter.sent[-2:]] == ["s1", "s2"]


async def test_only_so_many_are_sent_at_once_and_all_in_the_end(tmp_path, monkeypatch):
    monkeypatch.setattr(outbox, "AT_ONCE", 3)
    await queued(tmp_path, *(said(f"q{n}", f"slow{n}") for n in range(10)))
    adapter = Slow()
    async with on(adapter, ECHO, home=tmp_path):
        await until(lambda: adapter.at_once == 3)
        await anyio.sleep(0.1)
        adapter.go.set()
        await until(lambda: len(adapter.sent) == 10)
    assert adapter.most == 3


@pytest.mark.parametrize("delivery", ["idempotent", "blind"])
async def test_what_is_tried_again_stays_the_first(tmp_path, delivery):
    await queued(tmp_path, said("1"), said("2"), said("3"))
    adapter = RecordingAdapter(delivery=delivery)
    adapter.fail("not_sent", retry_after=1.2)
    async with on(adapter, ECHO, home=tmp_path) as gitu:
        await until(lambda: adapter.tries)
        await gitu.house.notify(said("4"))
        await until(lambda: len(adapter.sent) == 4)
    assert [each.id for each in adapter.sent] == ["1", "2", "3", "4"]


async def test_an_answer_that_is_tried_again_comes_before_what_was_said_meanwhile():
    adapter = RecordingAdapter()
    async with on(adapter, ECHO):
        adapter.fail("not_sent", retry_after=1.2)
        await adapter.say("one")
        await until(lambda: adapter.tries)
        await adapter.say("two")
        await until(lambda: len(adapter.sent) == 2)
    assert [each.text for each in adapter.sent] == ["you said one", "you said two"]


async def test_what_another_process_leaves_meanwhile_is_sent_once(tmp_path):
    adapter = RecordingAdapter(delivery="blind")
    async with on(adapter, ECHO, home=tmp_path):
        await queued(tmp_path, *(said(f"q{n}", f"c{n % 3}") for n in range(30)))
        await until(lambda: len(adapter.sent) == 30)
        await anyio.sleep(1.2)
    assert sorted(each.id for each in adapter.sent) == sorted(f"q{n}" for n in range(30))
    for conversation in ("c0", "c1", "c2"):
        ids = [int(each.id[1:]) for each in adapter.sent if each.conversation.id == conversation]
        assert ids == sorted(ids)


async def test_what_the_channel_finds_on_disk_while_it_is_handed_over_is_sent_once():
    adapter = RecordingAdapter(delivery="verifiable")
    gitu = Gitu(model=ECHO, plugins=[On(adapter)], use=["*"])
    async with gitu, anyio.create_task_group() as group:
        store = gitu.house.store
        enlist = store.enlist

        async def slowly(entry):
            new = await enlist(entry)
            group.start_soon(gitu.serve)
            await anyio.sleep(0.5)  # the channel begins, and looks at what waits for it
            return new

        store.enlist = slowly
        await gitu.house.notify(said("1"))
        await until(lambda: adapter.sent)
        await adapter.say("hi")
        await until(lambda: adapter.sent[-1].text == "you said hi")
        group.cancel_scope.cancel()
    assert [each.text for each in adapter.sent] == ["1", "you said hi"]


async def test_who_says_the_same_once_more_while_it_is_sent_does_not_have_it_sent_again(monkeypatch):
    monkeypatch.setattr(outbox, "RECHECK", 0.0)
    adapter = Slow(delivery="verifiable")
    async with on(adapter, ECHO) as gitu, anyio.create_task_group() as group:
        await adapter.talk("hi", user="bob")
        group.start_soon(gitu.house.notify, said("1", "slow"))
        await until(lambda: adapter.at_once)
        await gitu.house.notify(said("1", "slow"))
        gitu.house.gateway.outbox.kick("test")
        await anyio.sleep(0.3)
        adapter.go.set()
        await adapter.say("and now?", user="slow")
        await until(lambda: adapter.sent[-1].text == "you said and now?")
    assert [each.text for each in adapter.sent] == ["you said hi", "1", "you said and now?"]


async def test_what_nobody_waits_for_any_more_is_sent_all_the_same(monkeypatch):
    monkeypatch.setattr(outbox, "RECHECK", 0.0)
    adapter = RecordingAdapter(delivery="verifiable")
    async with on(adapter, ECHO) as gitu, anyio.create_task_group() as group:
        await adapter.talk("hi", user="bob")
        store, stored = gitu.house.store, anyio.Event()
        enlist = store.enlist

        async def slowly(entry):
            await enlist(entry)
            stored.set()
            await anyio.sleep_forever()

        store.enlist = slowly
        group.start_soon(gitu.house.notify, said("1"))
        await stored.wait()
        group.cancel_scope.cancel()
        with anyio.CancelScope(shield=True):
            gitu.house.gateway.outbox.kick("test")
            await until(lambda: len(adapter.sent) == 2)
    assert [each.text for each in adapter.sent] == ["you said hi", "1"]
