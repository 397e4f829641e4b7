"""Inbox, journal, outbox and usage."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from msgspec.structs import replace

from gitu_core.contracts.ports import InboxDone, InboxEntry, TurnEntry, UsageEntry
from gitu_core.errors import StoreError
from gitu_core.model import Conversation, TurnInfo, Usage
from gitu_core.store import Store
from gitu_core.testing.invariants import open_messages
from tests.store.make import inbox, message, outgoing, said, step

pytestmark = pytest.mark.anyio


async def test_the_same_channel_and_key_gives_the_first_receipt(store: Store) -> None:
    first = await store.accept(inbox("k1"))
    again = await store.accept(inbox("k1", "other words"))
    other = await store.accept(inbox("k2"))
    assert first.fresh
    assert not again.fresh
    assert again.id == first.id
    assert other.fresh
    assert other.id != first.id


async def test_many_accepts_of_one_key_at_once_are_fresh_once(store: Store) -> None:
    receipts = await asyncio.gather(*(store.accept(inbox(f"k{n % 5}")) for n in range(50)))
    assert sum(receipt.fresh for receipt in receipts) == 5
    assert len({receipt.id for receipt in receipts}) == 5


async def test_a_message_that_names_its_id_keeps_it_over_a_repeat(store: Store) -> None:
    assert (await store.accept(inbox("k", id="mine"))).id == "mine"
    again = await store.accept(inbox("k", id="mine"))
    assert (again.id, again.fresh) == ("mine", False)
    with pytest.raises(StoreError, match="belongs to another message"):
        await store.accept(inbox("another key", id="mine"))


async def test_pending_gives_what_is_not_done_oldest_first(store: Store) -> None:
    ids = [(await store.accept(inbox(f"k{n}", f"text {n}"))).id for n in range(4)]
    await store.write(InboxDone(id=ids[1]))
    pending = await open_messages(store)
    assert [id for id, _ in pending] == [ids[0], ids[2], ids[3]]
    assert [entry.message.text for _, entry in pending] == ["text 0", "text 2", "text 3"]
    assert pending[0][1].message.id == ids[0]


async def test_accepted_and_posted_records_outlive_the_store(opened: Callable[..., Any]) -> None:
    first = await opened()
    receipt = await first.accept(inbox("k"))
    first.post(step(0), step(1), outgoing("o"))
    await first.close()
    second = await opened()
    assert [id for id, _ in await open_messages(second)] == [receipt.id]
    assert [entry.n for entry in await second.steps("t")] == [0, 1]
    assert [entry.outgoing.id for entry in await second.unsent()] == ["o"]


async def test_steps_come_back_in_order_and_are_unique(store: Store) -> None:
    await store.write(step(1), step(0))
    with pytest.raises(StoreError, match="there already"):
        await store.write(step(2), step(1))
    assert await store.steps("t") == [step(0), step(1)]
    assert await store.steps("unknown") == []


async def test_an_outbox_entry_written_again_updates_its_delivery(store: Store) -> None:
    await store.write(outgoing("a"), outgoing("b"), outgoing("c"))
    await store.write(outgoing("a", "sending", tries=1), outgoing("b", "sent", ids=("7",)))
    assert await store.unsent() == [outgoing("c")]
    assert await store.unsent(state="sending") == [outgoing("a", "sending", tries=1)]


async def test_usage_adds_up_per_person_and_time_and_counts_an_id_once(store: Store) -> None:
    def used(id: str, person: str, at: float, cost: int) -> UsageEntry:
        usage = Usage(input_tokens=10, output_tokens=2, cached_tokens=1, cost=cost)
        return UsageEntry(id=id, person=person, session="s", turn="t", model="m", owner="platform", usage=usage, at=at)

    await store.write(used("1", "ana", 1.0, 5_000_000_000), used("2", "ana", 9.0, 7), used("3", "bo", 9.0, 1))
    store.post(used("1", "ana", 1.0, 5_000_000_000))
    assert (await store.usage()).cost == 5_000_000_008
    assert await store.usage("ana") == Usage(input_tokens=20, output_tokens=4, cached_tokens=2, cost=5_000_000_007)
    assert (await store.usage("ana", since=5.0)).cost == 7
    assert await store.usage("nobody") == Usage()


async def test_records_of_all_kinds_go_into_one_transaction(store: Store) -> None:
    info = TurnInfo(id="t", session="s", cause="c", principal="user:ana")
    turn = TurnEntry(info=info, person="ana", status="running", started_at=1.0)
    await store.write(step(0))
    with pytest.raises(StoreError):
        await store.write(turn, said(1), outgoing("o"), step(0))
    assert await store.history("s", 100) == []
    assert await store.unsent() == []
    await store.write(turn, said(1), outgoing("o"), step(1))
    await store.write(TurnEntry(info=info, person="ana", status="ok", started_at=1.0, ended_at=2.0))
    assert await store.check() == []


async def test_tenants_do_not_see_each_other(opened: Callable[..., Any]) -> None:
    main, other = await opened(), await opened(tenant="other")
    await main.accept(inbox("k"))
    receipt = await other.accept(inbox("k"))
    await main.write(said(1))
    assert receipt.fresh
    assert await other.history("s", 100) == []
    assert await main.check() == await other.check() == []


async def test_lanes_with_open_messages_are_found_by_channel(store: Store) -> None:
    for n, session in enumerate("baba"):
        await store.accept(InboxEntry(message=message(f"k{n}"), person="ana", session=session))
    other = Conversation(channel="other", id="room")
    await store.accept(InboxEntry(message=replace(message("k"), conversation=other), person="ana", session="s"))
    assert await store.waiting() == [("a", "terminal"), ("b", "terminal"), ("s", "other")]
    assert await store.waiting(["other"]) == [("s", "other")]
    assert await store.waiting(["nowhere"]) == []


async def test_open_messages_of_a_lane_come_in_order_however_many(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gitu_core.store.records._PAGE", 2)
    ids = [(await store.accept(inbox(f"k{n}"))).id for n in range(5)]
    await store.write(InboxDone(id=ids[1]))
    assert [id for id, _ in await store.pending_in("s")] == [ids[0], *ids[2:]]


async def test_what_is_unsent_is_found_by_channel_and_page_by_page(store: Store) -> None:
    await store.write(*(outgoing(str(n), channel="b" if n == 1 else "c") for n in range(4)), outgoing("4", channel="a"))

    async def found(**options: Any) -> list[str]:
        return [entry.outgoing.id for entry in await store.unsent(**options)]

    assert await found() == ["4", "1", "0", "2", "3"]
    assert await found(limit=2) == ["4", "1"]
    assert await found(limit=2, after="1") == ["0", "2"]
    assert await found(channel="c") == ["0", "2", "3"]
    assert await found(channel="c", after="0") == ["2", "3"]
    assert await found(channel="b", state="sending") == []


async def test_what_became_of_a_message_can_be_asked(store: Store) -> None:
    receipt = await store.accept(inbox("k", "hello"))
    found = await store.accepted(receipt.id)
    assert found is not None
    assert (found.entry.message.text, found.outcome) == ("hello", None)
    await store.write(InboxDone(id=receipt.id, outcome="cancelled"))
    found = await store.accepted(receipt.id)
    assert found is not None
    assert found.outcome == "cancelled"
    assert await store.accepted("unknown") is None


async def test_old_messages_of_one_channel_are_given_up(store: Store) -> None:
    done, open = [(await store.accept(inbox(key))).id for key in ("a", "b")]
    await store.write(InboxDone(id=done))
    now = store.clock.now() + 1
    assert await store.abandon("other", now) == 0
    assert await store.abandon("terminal", now - 3600) == 0
    assert await store.abandon("terminal", now) == 1
    found = await store.accepted(open)
    assert found is not None
    assert found.outcome == "abandoned"
    assert await open_messages(store) == []


async def test_the_steps_of_all_turns_below_a_name_are_found(store: Store) -> None:
    await store.write(step(1, "m-1"), step(0, "m-1"), step(0, "m-1.inner"), step(0, "m"), step(0, "m."), step(0, "n-1"))
    assert await store.steps_under("m-") == [step(0, "m-1"), step(1, "m-1"), step(0, "m-1.inner")]
    assert await store.steps_under("x") == []


async def test_the_session_of_a_conversation_is_found_and_not_made(store: Store) -> None:
    conversation = Conversation(channel="terminal", id="somewhere")
    assert await store.session_of(conversation) is None
    session = await store.session_for(conversation, "ana")
    assert await store.session_of(conversation) == session
