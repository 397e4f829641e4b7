"""Mailboxes: in order, once, from any cursor, through restarts and erasure, and never more than is kept."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import anyio
import pytest

from gitu_core.contracts import Ask, Conversation, Label, Outgoing, Text
from gitu_core.errors import InputError, NotReady
from gitu_web.mailbox import DAY, Kept, Mailboxes
from gitu_web.protocol import Letter

from .around import Store

pytestmark = pytest.mark.anyio


class Clock:
    """The time, as the test wants it."""

    now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


def told(text: str, person: str = "ana", **more: Any) -> Outgoing:
    """Something that the assistant says."""
    return Outgoing(text, text, Conversation("web", person), (Text(text),), **more)


def said(text: str) -> Kept:
    """Something that a person says."""
    return Kept("said", f"in:{text}", 1_000_000.0, (Text(text),))


def texts(letters: Sequence[Letter]) -> list[str]:
    """Their words."""
    return [part.text for each in letters for part in each.parts if isinstance(part, Text)]


async def taken() -> str:
    """An inbox that accepts."""
    return "id"


async def test_every_message_has_a_place_and_keeps_it() -> None:
    store = Store()
    boxes = Mailboxes(store)
    cursors = [await boxes.put(told(f"m{number}")) for number in range(5)]
    assert texts((await boxes.after("ana", cursors[1])).letters) == ["m2", "m3", "m4"]
    again = Mailboxes(store)  # another process
    assert [each.cursor for each in (await again.after("ana", "")).letters] == cursors
    assert await again.put(told("m2")) == cursors[2]
    assert await again.put(told("m5")) != cursors[4]
    assert texts((await again.after("ana", cursors[4])).letters) == ["m5"]


async def test_mailboxes_of_people_are_apart() -> None:
    store = Store()
    boxes = Mailboxes(store)
    for person in ("ana", "ana/b", "an", "ana%2Fb"):
        await boxes.put(told(f"for {person}", person))
    for person in ("ana", "ana/b", "an", "ana%2Fb"):
        assert texts((await Mailboxes(store).after(person, "")).letters) == [f"for {person}"]
        assert len(await store.list(person=person)) == 2  # the message, and its era


async def test_what_lies_in_the_store_carries_its_person_and_label() -> None:
    store, label = Store(), Label(frozenset({"outside:web:example.org"}), frozenset({"user:ana"}))
    await Mailboxes(store).put(told("m", label=label))
    entry = next(each for key, each in store.entries.items() if key.startswith("box/"))
    assert (entry.person, entry.label) == ("ana", label)


async def test_no_more_is_kept_than_is_to_be_kept_and_the_gap_is_told() -> None:
    store = Store()
    boxes = Mailboxes(store, kept=20)
    cursors = [await boxes.put(told(f"m{number}")) for number in range(50)]
    for each in (boxes, Mailboxes(store, kept=20)):
        page = await each.after("ana", cursors[0])
        assert (page.reset, texts(page.letters)) == (True, [f"m{number}" for number in range(30, 50)])
        page = await each.after("ana", cursors[29])  # the last that is gone: nothing behind it is missing
        assert (page.reset, texts(page.letters)) == (False, [f"m{number}" for number in range(30, 50)])
    assert len([key for key in store.entries if key.startswith("box/")]) == 20


async def test_what_is_old_is_dropped_at_the_next_start_and_numbers_go_on() -> None:
    store, clock = Store(), Clock()
    first = [await Mailboxes(store, days=1, clock=clock).put(told(f"m{number}")) for number in range(3)]
    clock.now += 2 * DAY
    boxes = Mailboxes(store, days=1, clock=clock)
    assert texts((await boxes.after("ana", first[1])).letters) == ["m2"]
    await boxes.put(told("new"))
    assert texts((await boxes.after("ana", first[2])).letters) == ["new"]


async def test_a_mailbox_that_was_erased_begins_anew_and_old_cursors_are_noticed() -> None:
    store = Store()
    old = [await Mailboxes(store).put(told(f"m{number}")) for number in range(3)]
    for key in [key for key, each in store.entries.items() if each.person == "ana"]:
        del store.entries[key]
    boxes = Mailboxes(store)
    assert (await boxes.after("ana", old[2])).reset is True
    for number in range(5):
        await boxes.put(told(f"n{number}"))
    page = await boxes.after("ana", old[2])
    assert (page.reset, texts(page.letters)) == (True, [f"n{number}" for number in range(5)])


@pytest.mark.parametrize(
    "cursor", ["x", ".", "a.b", "1", "era.-1", "era.99999999999999999999", "era.1.", "\x00.1", "é.²"]
)
async def test_an_odd_cursor_is_one_of_another_mailbox(cursor: str) -> None:
    boxes = Mailboxes(Store())
    await boxes.put(told("m0"))
    page = await boxes.after("ana", cursor)
    assert (page.reset, texts(page.letters)) == (True, ["m0"])


async def test_pages_follow_each_other_without_a_gap() -> None:
    boxes = Mailboxes(Store())
    for number in range(95):
        await boxes.put(told(f"m{number}"))
    found, cursor, more = list[str](), "", True
    while more:
        page = await boxes.after("ana", cursor, 10)
        found += texts(page.letters)
        cursor, more = page.cursor, page.more
    assert found == [f"m{number}" for number in range(95)]
    newest = await boxes.newest("ana", 3)
    assert (texts(newest.letters), newest.more) == (["m92", "m93", "m94"], True)


async def test_nobody_sees_what_is_not_accepted_yet_nor_what_stands_behind_it() -> None:
    boxes, gate = Mailboxes(Store()), anyio.Event()
    first = await boxes.put(told("before"))

    async def slowly() -> str:
        await gate.wait()
        return "id"

    async with anyio.create_task_group() as group:
        group.start_soon(boxes.hold, "ana", said("mine"), Label(), slowly)
        await anyio.sleep(0.01)
        await boxes.put(told("answer"))
        page = await boxes.after("ana", "")
        assert (texts(page.letters), page.cursor) == (["before"], first)
        gate.set()
    assert texts((await boxes.after("ana", first)).letters) == ["mine", "answer"]


async def test_a_cursor_stays_good_however_much_stands_behind_what_is_not_accepted_yet() -> None:
    boxes, gate = Mailboxes(Store()), anyio.Event()
    cursor = ""
    for number in range(5):
        cursor = await boxes.put(told(f"before {number}"))

    async def slowly() -> str:
        await gate.wait()
        return "id"

    async with anyio.create_task_group() as group:
        group.start_soon(boxes.hold, "ana", said("mine"), Label(), slowly)
        await anyio.sleep(0.01)
        answers = [f"answer {number}" for number in range(40)]  # more than is held in memory
        for each in answers:
            await boxes.put(told(each))
        page = await boxes.after("ana", cursor)
        assert (page.letters, page.cursor, page.reset) == ([], cursor, False)
        assert await boxes.here("ana") == cursor
        assert texts((await boxes.after("ana", "")).letters) == [f"before {number}" for number in range(5)]
        gate.set()
    assert texts((await boxes.after("ana", cursor)).letters) == ["mine", *answers]


async def test_a_cursor_stays_good_where_all_that_came_after_it_was_refused() -> None:
    boxes, gate = Mailboxes(Store()), anyio.Event()
    await boxes.put(told("before"))

    async def refused() -> str:
        await gate.wait()
        raise InputError("no")

    async def hold(number: int) -> None:
        with pytest.raises(InputError):
            await boxes.hold("ana", said(f"no {number}"), Label(), refused)

    async with anyio.create_task_group() as group:
        group.start_soon(boxes.hold, "ana", said("yes"), Label(), taken)
        for number in range(40):  # more than is held in memory
            group.start_soon(hold, number)
        await anyio.sleep(0.05)
        gate.set()
    cursor = await boxes.here("ana")
    page = await boxes.after("ana", cursor)
    assert (page.letters, page.cursor, page.reset) == ([], cursor, False)
    assert texts((await boxes.after("ana", "")).letters) == ["before", "yes"]
    await boxes.put(told("more"))
    assert texts((await boxes.after("ana", cursor)).letters) == ["more"]


async def test_what_is_refused_leaves_nothing_and_no_gap() -> None:
    store = Store()
    boxes = Mailboxes(store)

    async def refused() -> str:
        raise InputError("no")

    await boxes.put(told("before"))
    for _ in range(40):  # more than is held in memory
        with pytest.raises(InputError):
            await boxes.hold("ana", said("mine"), Label(), refused)
    assert texts((await boxes.after("ana", "")).letters) == ["before"]
    cursor = await boxes.here("ana")
    assert await boxes.hold("ana", said("mine"), Label(), taken) == "id"
    for each in (boxes, Mailboxes(store)):
        assert texts((await each.after("ana", cursor)).letters) == ["mine"]


async def test_a_write_that_failed_after_it_was_done_is_not_done_twice() -> None:
    store = Store()
    boxes = Mailboxes(store)
    store.failing.append(("lost", NotReady("gone")))
    with pytest.raises(NotReady):
        await boxes.put(told("era"))  # the era itself
    await boxes.put(told("one"))
    store.failing.append(("lost", NotReady("gone")))
    with pytest.raises(NotReady):
        await boxes.put(told("two"))
    await boxes.put(told("three"))
    await boxes.put(told("two"))
    for each in (boxes, Mailboxes(store)):
        assert texts((await each.after("ana", "")).letters) == ["one", "three", "two"]


async def test_many_at_once_are_all_there_once() -> None:
    store = Store()
    boxes = Mailboxes(store, kept=1_000)
    async with anyio.create_task_group() as group:
        for number in range(200):
            group.start_soon(boxes.put, told(f"m{number % 100}"))
            group.start_soon(boxes.hold, "ana", said(f"s{number % 100}"), Label(), taken)
    for each in (boxes, Mailboxes(store)):
        page = await each.after("ana", "", 1_000)
        found = texts(page.letters)
        assert sorted(found) == sorted(
            [f"m{number}" for number in range(100)] + [f"s{number}" for number in range(100)]
        )


async def test_mailboxes_that_nobody_uses_leave_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gitu_web.mailbox.OPEN", 10)
    boxes = Mailboxes(Store())
    for number in range(30):
        await boxes.put(told("hello", f"person {number}"))
    assert len(boxes._boxes) <= 10
    assert texts((await boxes.after("person 3", "")).letters) == ["hello"]


async def test_what_a_message_led_to_is_found() -> None:
    boxes = Mailboxes(Store())
    for number in range(60):
        await boxes.put(told(f"m{number}", cause=f"c{number % 20}"))
    assert texts(await boxes.answers("ana", "c19", "k", "")) == ["m19", "m39", "m59"]
    assert texts(await boxes.answers("ana", "nothing", "k", "")) == []


async def test_what_an_answer_led_to_is_what_came_of_the_question() -> None:
    boxes = Mailboxes(Store())
    question = Outgoing("q", "q", Conversation("web", "ana"), (Ask("q", "may I?", ("yes", "no")),), cause="1-1")
    for say in (said("one"), question, said("yes"), told("it is done", cause="1-1"), said("more"),
                told("late", cause="1-1"), told("first", cause="0-1"), told("second", cause="2-1")):  # fmt: skip
        if isinstance(say, Outgoing):
            await boxes.put(say)
        else:
            await boxes.hold("ana", say, Label(), taken)
    assert [len(each.parts) for each in await boxes.answers("ana", "1", "one", "")] == [1, 1, 1]
    assert texts(await boxes.answers("ana", "2", "yes", "")) == ["it is done", "second"]
    assert texts(await boxes.answers("ana", "2", "more", "")) == ["late", "second"]
    assert texts(await boxes.answers("ana", "2", "more", "other chat")) == ["second"]
