"""What a channel does not take reaches its person on another one of theirs: once, in private, and never doubled."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from types import SimpleNamespace

import anyio
import pytest

from gitu_core import Gitu
from gitu_core.config import from_dict
from gitu_core.contracts.ports import OutboxEntry
from gitu_core.errors import AuthFailed, StoreError
from gitu_core.gateway.fallback import MOVE_AFTER, STUCK, TELL_AFTER
from gitu_core.gateway.pulse import CALM, EVERY
from gitu_core.model import Account, Conversation, Delivery, Health, Label, Outgoing, Text
from gitu_core.testing import FunctionModel, RecordingAdapter, call
from gitu_core.testing.faults import armed
from tests.app.around import ECHO, SENT, On, mail, until, web

pytestmark = pytest.mark.anyio


class Line(RecordingAdapter):
    """A channel that can be down: it takes nothing then, and says so unless it *lies*."""

    def __init__(self, name: str, *, lies: bool = False, **channel) -> None:
        super().__init__(name, **channel)
        self.down, self.lies = False, lies

    async def send(self, outgoing):
        if self.down:
            self.tries.append(outgoing)
            return Delivery("not_sent", retry_after=30.0, detail="the line is cut")
        return await super().send(outgoing)

    async def health(self):
        return Health("failed", "the line is cut", "mend it") if self.down and not self.lies else Health()


class Time:
    """Lets a fake clock run, and what hangs on it."""

    def __init__(self, clock) -> None:
        self.clock = clock

    async def pass_by(self, seconds: float) -> None:
        step = EVERY if seconds < STUCK / 2 else 6 * EVERY
        for _ in range(int(seconds // step) + 1):
            await self.clock.advance(step)
            await anyio.sleep(0.01)

    async def until(self, true) -> None:
        """Lets time pass until *true* gives something true, however slow the machine is."""
        with anyio.fail_after(20):
            while not (await found if hasattr(found := true(), "__await__") else found):
                await self.pass_by(EVERY)


@asynccontextmanager
async def talking(clock, *adapters, model=ECHO, others=("ana",), idle=(), **options):
    """An assistant on several channels, on all of which *others* are one person each. *idle* are there and do not run
    here."""
    gitu = Gitu(model=model, plugins=[On(each) for each in (*adapters, *idle)], use=["*"], clock=clock, **options)
    async with gitu, anyio.create_task_group() as group:
        group.start_soon(gitu.serve, *(each.channel.name for each in adapters))
        for user in others:
            await adapters[0].talk("hello", user=user)
            person = (await gitu.house.store.known(Account(adapters[0].channel.name, user))).person.id
            for each in adapters[1:]:
                await gitu.house.store.link(Account(each.channel.name, user), person)
                await each.talk("hello", user=user)
        yield gitu
        group.cancel_scope.cancel()


def words(adapter, start: int = 1) -> list[str]:
    """What was said on a channel, but for the greeting."""
    return [each.text for each in adapter.sent[start:]]


async def queued(gitu, channel: str) -> list[str]:
    await gitu.house.store.write()
    return [each.outgoing.id for each in await gitu.house.store.unsent(channel=channel)]


@pytest.mark.parametrize("delivery", ["idempotent", "verifiable", "blind"])
async def test_an_answer_comes_on_another_channel_once_and_not_on_the_first_one_later(fake_clock, delivery):
    one, two, time = Line("one", delivery=delivery), Line("two", delivery=delivery), Time(fake_clock)
    async with talking(fake_clock, one, two) as gitu:
        one.down = True
        await one.say("a question")
        await until(lambda: queued(gitu, "one"), 15)
        await time.pass_by(MOVE_AFTER - 2 * EVERY)
        assert words(two) == []
        await time.pass_by(3 * EVERY)
        await time.until(lambda: len(two.sent) == 2)
        said, answer = two.sent[1].parts
        assert said.text.startswith("(This was for one, which is down since 2027-01-15 08:00 UTC")
        assert answer.text == "you said a question"
        assert await queued(gitu, "one") == []
        one.down = False
        await time.pass_by(10 * CALM)
        assert words(one) == []
        assert len(two.sent) == 2
        kept = await gitu.house.store.outgoing(two.sent[1].id.removesuffix(".moved"))
        assert (kept.state, kept.detail) == ("dropped", "said on two instead")


async def test_what_waits_comes_in_its_order(fake_clock):
    one, two, time = Line("one"), Line("two"), Time(fake_clock)
    async with talking(fake_clock, one, two) as gitu:
        one.down = True
        for text in ("first", "second", "third"):
            await one.say(text)
            await anyio.sleep(0.05)
        await until(lambda: queued(gitu, "one"), 15)
        await time.pass_by(MOVE_AFTER + 2 * EVERY)
        await time.until(lambda: len(two.sent) == 4)
        assert [each.parts[1].text for each in two.sent[1:]] == [f"you said {n}" for n in ("first", "second", "third")]


@pytest.mark.parametrize("delivery", ["idempotent", "verifiable", "blind"])
async def test_what_may_have_arrived_is_never_said_elsewhere(fake_clock, delivery):
    one, two, time = Line("one", delivery=delivery), Line("two"), Time(fake_clock)
    async with talking(fake_clock, one, two) as gitu:
        if delivery == "verifiable":
            one.verify = lambda outgoing: asyncio.sleep(0, Delivery("unknown"))
        one.fail("unknown", seen=True)
        await one.say("a question")
        await until(lambda: len(one.sent) == 2)
        one.down = True
        await time.pass_by(2 * STUCK)
        assert not [text for text in words(two) if "question" in text]
        one.down = False
        await time.pass_by(2 * STUCK)
        assert [each.text for each in one.sent].count("you said a question") == 1
        assert await queued(gitu, "one") == []


async def test_what_a_channel_will_never_take_comes_on_another_one_at_once(fake_clock):
    one, two = Line("one"), Line("two")
    async with talking(fake_clock, one, two) as gitu:
        one.fail("not_sent", final=True, detail="the bot was blocked")
        await one.say("a question")
        await until(lambda: len(two.sent) == 2)
        assert words(two) == ["(This was for one, which did not take it.)\nyou said a question"]
        two.fail("not_sent", final=True)
        one.fail("not_sent", final=True)
        await one.say("another")  # it goes round once, not for ever
        await until(lambda: gitu.house.store.undelivered())
        await anyio.sleep(0.05)
        assert (len(one.sent), len(two.sent)) == (1, 2)


async def test_a_channel_that_lies_about_how_it_is_keeps_nothing_for_ever(fake_clock):
    one, two, time = Line("one", lies=True), Line("two"), Time(fake_clock)
    async with talking(fake_clock, one, two) as gitu:
        one.down = True
        await one.say("a question")
        await until(lambda: queued(gitu, "one"), 15)
        await time.pass_by(STUCK - 30)
        assert words(two) == []
        await time.pass_by(60)
        await time.until(lambda: len(two.sent) == 2)


@pytest.mark.parametrize(("how", "why"), [("buttons", "down"), ("word", "down"), ("word", "refused")])
async def test_a_question_is_asked_and_answered_on_another_channel(fake_clock, how, why):
    def thinks(request):
        last = request.messages[-1]
        if last.role == "user":
            return call("web") if last.text == "go" else f"heard {last.text}"
        return call("mail", to="bob") if "outside" in last.text else f"done: {last.text}"

    one, two, time = Line("one"), Line("two", buttons=True), Time(fake_clock)
    async with talking(fake_clock, one, two, model=FunctionModel(thinks), tools=[mail, web]) as gitu:
        if why == "down":
            one.down = True
            await one.say("go")
            await until(lambda: queued(gitu, "one"), 15)
            await time.pass_by(MOVE_AFTER + 2 * EVERY)
        else:
            one.fail("not_sent", final=True)
            await one.say("go")
            await time.until(lambda: two.asks)
            one.down = True
            await time.pass_by(MOVE_AFTER)
        await time.until(lambda: two.asks)
        await (two.answer("yes") if how == "buttons" else two.say("yes"))
        await time.until(lambda: SENT == ["bob"])
        await time.pass_by(2 * EVERY)
        await time.until(lambda: any(text.endswith("done: sent") for text in words(two)))
        assert words(one) == []


async def test_a_yes_does_not_count_where_something_else_was_said_after_the_question(fake_clock):
    def thinks(request):
        last = request.messages[-1]
        if last.role == "user":
            return call("web") if last.text == "go" else f"heard {last.text}"
        return call("mail", to="bob") if "outside" in last.text else f"done: {last.text}"

    one, two, time = Line("one"), Line("two"), Time(fake_clock)
    async with talking(fake_clock, one, two, model=FunctionModel(thinks), tools=[mail, web]) as gitu:
        one.down = True
        await one.say("go")
        await until(lambda: queued(gitu, "one"), 15)
        await one.say("and you?")
        await until(lambda: queued(gitu, "one"), 15)
        await time.pass_by(MOVE_AFTER + 2 * EVERY)
        await time.until(lambda: len(two.sent) == 3)
        assert await two.talk("yes") == "heard yes"
        assert SENT == []


@pytest.mark.parametrize(("delivery", "moves"), [("idempotent", False), ("verifiable", True), ("blind", False)])
async def test_what_was_on_its_way_when_a_process_ended_moves_only_where_it_surely_did_not_arrive(
    fake_clock, tmp_path, delivery, moves
):
    one, two, time = Line("one", delivery=delivery), Line("two"), Time(fake_clock)
    async with talking(fake_clock, one, two, home=tmp_path) as gitu:
        person = (await gitu.sessions())[0].person
        left = Outgoing("left", "left", Conversation("one", "ana"), (Text("half said"),))
        await gitu.house.store.write(OutboxEntry(left, person, "", "sending", 1, at=fake_clock.now()))
    one, two = Line("one", delivery=delivery), Line("two")
    one.down = True
    gitu = Gitu(model=ECHO, plugins=[On(one), On(two)], use=["*"], clock=fake_clock, home=tmp_path)
    async with gitu, anyio.create_task_group() as group:
        group.start_soon(gitu.serve)
        await two._ready()
        await time.pass_by(STUCK)
        await time.until(lambda: not moves or two.sent)
        assert [each.text.endswith("half said") for each in two.sent if "half" in each.text] == [True] * moves
        group.cancel_scope.cancel()


async def test_what_was_for_a_channel_whose_senders_can_be_forged_comes_where_they_cannot(fake_clock):
    one, two, time = Line("one", trusted=False), Line("two"), Time(fake_clock)
    async with talking(fake_clock, one, two) as gitu:
        one.down = True
        await one.say("a question")
        await until(lambda: queued(gitu, "one"), 15)
        await time.pass_by(MOVE_AFTER + 2 * EVERY)
        await time.until(lambda: len(two.sent) == 2)


async def test_what_others_may_read_or_not_and_what_the_operator_forbids_stays(fake_clock):
    one, two, time = Line("one"), Line("two"), Time(fake_clock)
    async with talking(fake_clock, one, two, others=("ana", "bob")) as gitu:
        start = len(two.sent)
        one.down = True
        await one.say("to all", user="ana", group="team")
        secret = Outgoing(
            "s", "s", Conversation("one", "ana"), (Text("bob's"),), label=Label(readers=frozenset({"user:bob"}))
        )
        await gitu.house.notify(secret)
        await until(lambda: queued(gitu, "one"), 15)
        await time.pass_by(MOVE_AFTER + 4 * EVERY)
        assert words(two, start) == []
        assert len(await queued(gitu, "one")) == 2


@pytest.mark.parametrize("of", ["one", "two"])
async def test_an_operator_may_forbid_it(fake_clock, of):
    one, two, time = Line("one"), Line("two"), Time(fake_clock)
    config = from_dict({"channels": {of: {"fallback": False}}})
    async with talking(fake_clock, one, two, config=config) as gitu:
        one.down = True
        await one.say("a question")
        await until(lambda: queued(gitu, "one"), 15)
        await time.pass_by(2 * STUCK)
        assert words(two) == []
        one.down = False
        await gitu.house.store.write()


async def test_it_goes_to_no_account_that_could_be_forged_or_is_gone_and_to_no_channel_that_is_down(fake_clock):
    one, two, three, four = Line("one"), Line("two", trusted=False), Line("three"), Line("four")
    five, time = Line("five"), Time(fake_clock)
    async with talking(fake_clock, one, five, two, three, four) as gitu:
        await gitu.house.store.unlink(Account("three", "ana"))
        one.down = four.down = five.down = True
        await one.say("a question")
        await until(lambda: queued(gitu, "one"), 15)
        await time.pass_by(MOVE_AFTER + 4 * EVERY)
        assert [len(each.sent) for each in (two, three, four, five)] == [1, 1, 1, 1]
        assert len(await queued(gitu, "one")) == 1
        five.down = False
        await time.pass_by(2 * CALM)
        await time.until(lambda: len(five.sent) == 2)
        assert "you said a question" in five.sent[1].text


async def test_it_goes_to_no_group_of_theirs(fake_clock):
    one, two, time = Line("one"), Line("two"), Time(fake_clock)
    async with talking(fake_clock, one, two) as gitu:
        await two.talk("hello, all", group="team")  # the last place that she turned to
        one.down = True
        await one.say("a question")
        await until(lambda: queued(gitu, "one"), 15)
        await time.pass_by(MOVE_AFTER + 2 * EVERY)
        await time.until(lambda: len(two.sent) == 3)
        assert two.sent[2].conversation == Conversation("two", "ana")


async def test_what_was_sent_in_part_stays_and_holds_nothing_up(fake_clock):
    one, two, time = Line("one", max_text=12), Line("two"), Time(fake_clock)
    async with talking(fake_clock, one, two) as gitu:
        send = one.send

        async def once(outgoing):
            one.send, one.down = send, True
            return await RecordingAdapter.send(one, outgoing)

        one.send = once
        await one.say("long")
        await until(lambda: queued(gitu, "one"), 15)
        await one.say("whole")
        await until(lambda: _count(gitu, "one", 2), 15)
        await time.pass_by(MOVE_AFTER + 2 * EVERY)
        await time.until(lambda: len(two.sent) == 2)
        assert words(two)[0].endswith("you said whole")
        one.down = False
        await until(lambda: _sent(gitu, one, time))
        assert "".join(words(one, 2)) == "you said long"


async def _sent(gitu, adapter, time) -> bool:
    await time.pass_by(EVERY)
    gitu.house.gateway.outbox.kick(adapter.channel.name)
    return "".join(words(adapter, 2)) == "you said long"


async def test_what_tells_of_doubt_is_told_where_the_doubt_is(fake_clock):
    one, two, time = Line("one", delivery="blind"), Line("two"), Time(fake_clock)
    async with talking(fake_clock, one, two) as gitu:
        one.fail("unknown")
        await one.talk("doubt")
        one.down = True
        await one.say("whole")
        await until(lambda: _count(gitu, "one", 2), 15)
        await time.pass_by(MOVE_AFTER + 2 * EVERY)
        await time.until(lambda: len(two.sent) == 2)
        assert words(two)[0].endswith("you said whole")
        assert len(await queued(gitu, "one")) == 1


async def _count(gitu, channel: str, count: int) -> bool:
    return len(await queued(gitu, channel)) == count


async def test_what_was_moved_in_doubt_is_not_sent_from_memory(fake_clock):
    """The commit came to the disk and its answer did not come back: the disk knows, memory does not."""
    one, two, time = Line("one"), Line("two"), Time(fake_clock)
    async with talking(fake_clock, one, two) as gitu:
        one.down = True
        await one.say("a question")
        await until(lambda: queued(gitu, "one"), 15)
        await time.pass_by(MOVE_AFTER - 2 * EVERY)
        channels = gitu.house.channels
        channels.board.pulses["one"]._began -= MOVE_AFTER
        with armed("writer.commit:raise=store:*"), pytest.raises(StoreError):  # whoever commits first
            await channels._fallback.look(channels.board.pulses["one"])
        one.down = False
        await time.pass_by(2 * CALM)
        gitu.house.gateway.outbox.kick("one")
        await time.pass_by(2 * CALM)
        await time.until(lambda: len(two.sent) == 2)
        assert (len(one.sent), len(two.sent)) == (1, 2)


@pytest.mark.parametrize("held", [True, False])
async def test_a_channel_that_ended_for_good_is_no_place_to_wait_unless_another_process_runs_it(fake_clock, held):
    one, two, time = Line("one"), Line("two"), Time(fake_clock)
    begun, go = anyio.Event(), anyio.Event()

    async def waits(request):
        if request.messages[-1].text == "slow":
            begun.set()
            await go.wait()
        return "done"

    async with talking(fake_clock, one, two, model=FunctionModel(waits)) as gitu:
        await one.say("slow")
        await begun.wait()
        one.break_off(AuthFailed("the token was replaced", hint="set the new one"))
        await until(lambda: gitu.house.channels.health["one"].state == "failed")
        go.set()
        await until(lambda: queued(gitu, "one"), 15)
        if not held:
            gitu.house.channels._workers = SimpleNamespace(claim=lambda lane: asyncio.sleep(0, False))
            await time.pass_by(MOVE_AFTER + 2 * EVERY)
            assert words(two) == []
            return
        await time.pass_by(MOVE_AFTER + 2 * EVERY)
        await time.until(lambda: len(two.sent) == 2)
        assert "one, which is down since" in two.sent[1].text


async def test_who_used_a_channel_lately_is_told_once_an_outage_however_it_flaps(fake_clock):
    one, two, time = Line("one"), Line("two"), Time(fake_clock)
    async with talking(fake_clock, one, two, others=("ana", "bob")) as gitu:
        start = len(two.sent)
        one.down = True
        await time.pass_by(TELL_AFTER - 2 * EVERY)
        assert words(two, start) == []
        for _ in range(5):  # one outage: it never works for long
            await time.pass_by(6 * EVERY)
            one.down = not one.down
        one.down = True
        await time.pass_by(TELL_AFTER)
        await time.until(lambda: len(two.sent) == start + 2)
        assert {each.conversation.id for each in two.sent[start:]} == {"ana", "bob"}
        assert all(text.startswith("one is down since 2027-01-15 08:00 UTC.") for text in words(two, start))
        one.down = False
        await time.pass_by(2 * CALM)
        assert len(two.sent) == start + 2
        fake_clock.jump(90_000)  # nobody used it since
        await time.pass_by(2 * EVERY)
        one.down = True
        await time.pass_by(2 * TELL_AFTER)
        assert len(two.sent) == start + 2
        assert gitu.house.channels.health["one"].hint == "mend it"


@pytest.mark.parametrize("point", ["outbox.moved", "writer.commit", "writer.begin"])
async def test_an_error_between_the_move_and_the_sending_neither_loses_nor_doubles(fake_clock, point):
    one, two, time = Line("one"), Line("two"), Time(fake_clock)
    async with talking(fake_clock, one, two) as gitu:
        one.down = True
        await one.say("a question")
        await until(lambda: queued(gitu, "one"), 15)
        await time.pass_by(MOVE_AFTER - 2 * EVERY)
        with armed(f"{point}:raise=store"):
            await time.pass_by(4 * EVERY)
        await time.pass_by(2 * EVERY)
        await time.until(lambda: len(two.sent) == 2)
        one.down = False
        await time.pass_by(2 * CALM)
        assert (len(one.sent), len(two.sent)) == (1, 2)


async def test_a_channel_of_another_process_is_a_way_as_well(fake_clock, tmp_path):
    one, two, time = Line("one"), Line("two"), Time(fake_clock)
    async with talking(fake_clock, one, idle=[two], home=tmp_path) as gitu:
        other = Gitu(model=ECHO, plugins=[On(two)], use=["*"], clock=fake_clock, home=tmp_path)
        async with other, anyio.create_task_group() as group:
            group.start_soon(other.serve)
            person = (await gitu.sessions())[0].person
            await gitu.house.store.link(Account("two", "ana"), person)
            await two.say("hello")
            await time.until(lambda: len(two.sent) == 1)
            await time.pass_by(2 * EVERY)
            one.down = True
            await one.say("a question")
            await until(lambda: queued(gitu, "one"), 15)
            for _ in range(30):  # the other process looks now and then
                await time.pass_by(EVERY)
            await time.until(lambda: len(two.sent) == 2)
            assert "you said a question" in two.sent[1].text
            group.cancel_scope.cancel()


async def test_what_was_down_before_a_restart_is_down_since_then(fake_clock, tmp_path):
    one, two, time = Line("one"), Line("two"), Time(fake_clock)
    async with talking(fake_clock, one, two, home=tmp_path) as gitu:
        one.down = True
        await one.say("a question")
        await until(lambda: queued(gitu, "one"), 15)
        await time.pass_by(MOVE_AFTER / 2)
    again, other = Line("one"), Line("two")
    again.down = True
    plugins = [On(again), On(other)]
    gitu = Gitu(model=ECHO, plugins=plugins, use=["*"], clock=fake_clock, home=tmp_path)
    async with gitu, anyio.create_task_group() as group:
        group.start_soon(gitu.serve)
        await other._ready()
        await time.pass_by(MOVE_AFTER / 2 + EVERY)
        await time.until(lambda: other.sent)
        assert "which is down since 2027-01-15 08:00 UTC" in other.sent[0].text
        group.cancel_scope.cancel()
