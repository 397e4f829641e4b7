"""What goes wrong beside the turn itself: at the store, on the channel, between people."""

from __future__ import annotations

import anyio
import pytest

from gitu_core import Gitu, Limits, Profile
from gitu_core.budget import TurnBudget
from gitu_core.contracts.ports import OutboxEntry
from gitu_core.errors import Damaged, NotReady
from gitu_core.gateway import outbox, sending
from gitu_core.model import Conversation, Outgoing, Text, TurnInfo
from gitu_core.testing import FunctionModel, RecordingAdapter, armed, call
from tests.app.around import ECHO, SENT, On, left_over, mail, on, slow, until, web

pytestmark = pytest.mark.anyio


async def test_two_who_ask_for_the_same_lost_message_get_it_once():
    adapter = RecordingAdapter(delivery="blind")
    async with on(adapter, ECHO):
        adapter.fail("unknown")
        await adapter.talk("one")
        async with anyio.create_task_group() as group:
            group.start_soon(adapter.talk, "/resend")
            group.start_soon(adapter.talk, "/resend")
    assert [each.text for each in adapter.sent].count("you said one") == 1


async def test_a_store_that_fails_between_two_pieces_makes_no_piece_come_twice():
    adapter = RecordingAdapter(delivery="blind", max_text=1)
    async with on(adapter, FunctionModel(lambda request: "ABC")) as gitu:
        store, write, left = gitu.house.store, gitu.house.store.write, [1]

        async def fails_once(*records, **given):
            if len(adapter.sent) == 2 and left:
                left.pop()
                with armed("writer.begin:raise=store"):
                    return await write(*records, **given)
            return await write(*records, **given)

        store.write = fails_once
        await adapter.say("go")
        await until(lambda: len(adapter.sent) == 3)
        await anyio.sleep(0.1)
    assert [each.text for each in adapter.sent] == ["A", "B", "C"]


class Asked(RecordingAdapter):
    """Cannot be asked what became of a message until it is there."""

    def __init__(self, error, **options):
        super().__init__(delivery="verifiable", **options)
        self.error = error

    async def verify(self, outgoing):
        if self.error is not None:
            raise self.error
        return await super().verify(outgoing)


@pytest.mark.parametrize("error", [NotReady("not connected yet"), ZeroDivisionError()])
async def test_a_channel_that_cannot_be_asked_yet_is_asked_later_and_keeps_no_other_from_running(
    tmp_path, monkeypatch, error
):
    monkeypatch.setattr(outbox, "RECHECK", 0.1)
    async with Gitu(model=ECHO, home=tmp_path) as gitu:
        said = Outgoing("o", "o", Conversation("test", "ana"), (Text("you said one"),))
        at = gitu.house.clock.now()
        await gitu.house.store.write(OutboxEntry(said, "", "", "sending", 1, at=at))
    adapter, other = Asked(error), RecordingAdapter("other")
    gitu = Gitu(model=ECHO, plugins=[On(adapter), On(other)], use=["*"], home=tmp_path)
    async with gitu, anyio.create_task_group() as group:
        group.start_soon(gitu.serve)
        assert await other.talk("hi") == "you said hi"
        assert adapter.sent == []
        adapter.error = None
        await until(lambda: [each.text for each in adapter.sent] == ["you said one"])
        group.cancel_scope.cancel()


async def test_what_was_lost_in_private_is_told_in_private_only():
    adapter = RecordingAdapter(delivery="blind")
    async with on(adapter, ECHO):
        adapter.fail("unknown")
        await adapter.talk("my diagnosis")
        assert await adapter.talk("hello all", conversation="team") == "you said hello all"
        said = await adapter.talk("hi")
    notice = next(each for each in adapter.sent if "do not know" in each.text)
    assert "my diagnosis" in said
    assert notice.conversation.id == "ana"
    assert notice.label.readers


async def test_a_notice_that_may_have_been_lost_is_not_told_of():
    adapter = RecordingAdapter(delivery="blind")
    async with on(adapter, ECHO) as gitu:
        for number in range(3):
            adapter.fail("unknown")
            adapter.fail("unknown")
            await adapter.talk(str(number))
        lost = await gitu.house.store.undelivered()
    assert not [each for each in lost if each.outgoing.id.endswith(".unknown")]


async def test_a_send_that_never_ends_has_an_end(monkeypatch):
    monkeypatch.setattr(sending, "SEND_WITHIN", 0.1)

    class Hangs(RecordingAdapter):
        async def send(self, outgoing):
            if "one" in outgoing.text and "do not know" not in outgoing.text:
                await anyio.sleep_forever()
            return await super().send(outgoing)

    adapter = Hangs(delivery="blind")
    async with on(adapter, ECHO):
        await adapter.talk("one")
        assert "do not know whether this reached you" in await adapter.talk("two")


async def test_only_who_wrote_a_message_may_change_it_or_take_it_back():
    adapter, started = RecordingAdapter(), anyio.Event()
    async with on(adapter, slow(0.3, started)):
        await adapter.say("first", key="a")
        await started.wait()
        await adapter.say("second", key="b")
        for action in ("edit", "delete"):
            for target in ("a", "b"):
                await adapter.say("evil", user="mallory", action=action, target=target, key=f"{action}{target}")
        await until(lambda: len(adapter.sent) == 2)
        await anyio.sleep(0.1)
    assert [(each.conversation.id, each.text) for each in adapter.sent] == [("ana", "slow answer")] * 2


async def test_what_is_taken_back_before_anybody_began_with_it_is_not_answered():
    adapter, started = RecordingAdapter(), anyio.Event()
    async with on(adapter, slow(0.2, started)):
        await adapter.say("first", key="a")
        await started.wait()
        await adapter.say("second", key="b")
        await adapter.say("", action="delete", target="b", key="c")
        await adapter.say("third", key="d")
        await until(lambda: len(adapter.sent) == 2)
        await anyio.sleep(0.1)
    assert [each.text for each in adapter.sent] == ["slow answer"] * 2


async def test_a_known_key_is_not_fresh_also_while_the_first_is_worked_on():
    adapter, started = RecordingAdapter(), anyio.Event()
    async with on(adapter, slow(0.2, started)):
        first = await adapter.say("one", key="k")
        await started.wait()
        second = await adapter.say("one", key="k")
        assert (first.fresh, second.fresh) == (True, False)
        assert first.id == second.id


async def test_after_a_restart_what_comes_is_behind_what_waited(tmp_path):
    async with Gitu(model=ECHO, home=tmp_path) as gitu:
        for number in range(20):
            await left_over(gitu, f"old {number}", key=f"old{number}")
    adapter = RecordingAdapter()
    async with on(adapter, ECHO, home=tmp_path):
        await adapter.say("new", key="new")
        await until(lambda: len(adapter.sent) == 21)
    assert [each.text for each in adapter.sent] == [*(f"you said old {n}" for n in range(20)), "you said new"]


async def test_a_damaged_journal_is_told_once_and_keeps_nobody_waiting(tmp_path, monkeypatch):
    adapter = RecordingAdapter()
    async with on(adapter, ECHO, home=tmp_path) as gitu:
        await left_over(gitu, "odd", key="odd")
        read = gitu.house.store.steps_under

        async def damaged(prefix):
            raise Damaged("step 1 of a turn cannot be read", hint="restore a backup")

        monkeypatch.setattr(gitu.house.store, "steps_under", damaged)
        await gitu.house.gateway.take_up(["test"])
        await until(lambda: adapter.sent)
        monkeypatch.setattr(gitu.house.store, "steps_under", read)
        assert await adapter.talk("go on") == "you said go on"
        await anyio.sleep(2.5)  # longer than a look
    assert ["restore a backup" in each.text for each in adapter.sent] == [True, False]


def test_money_that_a_delegate_spent_before_it_was_cut_off_counts_outside_as_well():
    budget = TurnBudget(lambda turn: 100)
    outer, inner = TurnInfo("t-1", "s", "m", "user:u", "default"), TurnInfo("t-1.c", "s", "c", "user:u", "helper")
    budget.resume(outer, 10)
    budget.resume(inner, 70)
    assert budget.close("t-1.c") == 70
    assert budget.close("t-1") == 80


async def test_what_a_delegate_read_outside_keeps_its_label_while_its_question_waits():
    SENT.clear()

    def answer(request):
        tools, last = {spec.name for spec in request.tools}, request.messages[-1]
        if "ask_helper" in tools:
            if "do it" in last.text:
                return call("mail", to="mallory")
            return call("ask_helper", task="read") if last.role == "user" else f"heard {last.text}"
        return call("web") if last.role == "user" else call("mail", to="mallory")

    profiles = [
        Profile(name="default", tools=("mail",), delegates=("helper",), limits=Limits(steps=5)),
        Profile(name="helper", description="helps", tools=("web", "mail")),
    ]
    async with Gitu(model=FunctionModel(answer), tools=[mail, web], profiles=profiles) as gitu:
        assert (await gitu.send("read it", user="u")).status == "waiting"
        reply = await gitu.send("do it", user="u")
    assert reply.status == "waiting", "its context holds words from outside"
    assert SENT == []
