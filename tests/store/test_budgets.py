"""What is set aside in envelopes, on both engines: counted together with what others do, settled once, never lost."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from gitu_core.contracts.budgets import Bill, Hold, Settled, Slot, Standing, Used
from gitu_core.contracts.ports import UsageEntry
from gitu_core.errors import LeaseLost
from gitu_core.model import Account, Conversation, Usage, new_id
from gitu_core.store import Store
from tests.store.make import ANA, ROOM

OTHER, CHAT, DESK = Account("terminal", "tab"), Conversation("terminal", "tab"), Conversation("mail", "ana")

pytestmark = pytest.mark.anyio

LIMIT = 1000


def hold(id: str, cost: int = 100, *names: str, person: str = "ana", limit: int = LIMIT) -> Hold:
    """A call that may use so much, in the envelopes named."""
    bill = Bill(id, Used(person, "s", "p", "p/j", "m", "platform"), Usage(3, 4, cost=cost), 5.0, "t")
    slots = tuple(
        Slot(name, (), name, 0.0, 9.0, limit, None, lambda used: used.model == "m") for name in names or ("all",)
    )
    return Hold(bill, slots)


def usage(id: str, cost: int, person: str = "ana", model: str = "m", at: float = 5.0) -> UsageEntry:
    """What a call came to."""
    return UsageEntry(id, person, "s", "t", model, "platform", Usage(3, 4, cost=cost), at, "p", "p/j")


async def borne(store: Store, call: Hold) -> bool:
    """Sets a call aside; True if all its envelopes can bear it."""
    standings = await store.set_aside(call)
    return call.slots[len(standings) - 1].bears(standings[-1], call.bill.worst)


async def test_workers_that_ask_at_the_same_moment_never_share_the_same_money(opened: Callable[..., Any]) -> None:
    stores = [await opened() for _ in range(3)]
    for n, store in enumerate(stores):
        await store.join(f"host {n}")
    names = [("a", "all"), ("all", "b"), ("b", "a", "all")]  # in different orders: nobody waits for ever
    calls = [hold(f"c{n}", 100, *names[n % 3]) for n in range(60)]
    found = await asyncio.gather(*(borne(stores[n % 3], call) for n, call in enumerate(calls)))
    assert sum(found) == LIMIT // 100
    held = {key: cost for key, cost, _ in await stores[0].held()}
    assert held["all"] == LIMIT
    begun = [(n, call) for n, (call, yes) in enumerate(zip(calls, found, strict=True)) if yes]
    for n, call in begun:
        await stores[n % 3].write(usage(call.bill.id, 40), Settled(call.bill.id, Usage(3, 4, cost=40)))
    assert await stores[1].held() == []
    assert (await stores[2].set_aside(hold("last")))[0] == Standing(400, 70)
    assert (await stores[0].usage()).cost == 400


async def test_a_refused_call_sets_nothing_aside_and_stands_in_the_ledger_with_nothing(store: Store) -> None:
    assert await borne(store, hold("a", 700))
    refused = hold("b", 400, "other", "all")
    assert not await borne(store, refused)
    assert await store.held() == [("all", 700, 7)]
    await store.write(usage("b", 400), Settled("b"))  # a crash before its turn knew: it goes on, and is not charged
    assert (await store.usage()).cost == 0
    assert (await store.set_aside(hold("c", 1)))[0] == Standing(0, 0, 700, 7)


async def test_an_envelope_is_counted_from_the_ledger_where_nobody_did(store: Store) -> None:
    await store.write(usage("a", 10), usage("b", 20, model="x"), usage("c", 40, at=10.0), usage("d", 80, "bob"))
    mine = Slot("b", (), "mine", 0.0, 9.0, None, None, lambda used: used.model == "m", "ana")
    every = Slot("b", (), "every", 0.0, 20.0, None, None, lambda used: True)
    call = Hold(hold("e").bill, (mine, every))
    assert await store.set_aside(call) == [Standing(10, 7), Standing(150, 28)]
    await store.write(usage("e", 5), Settled("e", Usage(3, 4, cost=5)))
    call = Hold(hold("f").bill, (mine, every))
    before = await store.set_aside(call)
    await store.write(Settled("f", Usage()))
    await store.recount()
    assert await store.set_aside(call) == before == [Standing(15, 14), Standing(155, 35)]
    assert [(each.person, each.job, each.cost, each.tokens) for each in await store.used(9.0, 20.0)] == [
        ("ana", "p/j", 40, 7)
    ]
    assert {each.cost for each in await store.used(0.0, 20.0, "bob")} == {80}


async def test_only_envelopes_that_ended_are_forgotten(store: Store) -> None:
    await store.set_aside(hold("a", 5, "x", "y"))
    count = store._script_of("envelope_hold", 0, 0, store.tenant, "x")
    await store.recount(9.0)
    assert await store._script(count)
    await store.recount(9.5)
    assert not await store._script(count)


async def test_what_a_dead_worker_had_set_aside_is_paid_once_by_whoever_takes_over(opened: Callable[..., Any]) -> None:
    dead, other = await opened(), await opened()
    await dead.join("host 1")
    await other.join("host 2")
    await dead.set_aside(hold("a", 300, "all", "each"))
    await other.set_aside(hold("b", 50))
    (worker,) = await other.others()
    assert await other.take_over(worker)
    assert await other.held() == [("all", 50, 7)]
    assert await other.set_aside(hold("c", 1)) == [Standing(300, 7, 50, 7)]
    # The turn goes on, and tells by its own estimate what it lost; the one that was taken over says nothing any more.
    await other.write(usage("a", 300), Settled("a"))
    with pytest.raises(LeaseLost):
        await dead.write(usage("a", 10), Settled("a", Usage(cost=10)))
    assert [(each.person, each.plugin, each.job, each.cost, each.tokens) for each in await other.used(0.0, 9.0)] == [
        ("ana", "p", "p/j", 300, 7)
    ]
    assert await other.set_aside(hold("d", 1)) == [Standing(300, 7, 51, 14)]


async def test_a_worker_that_leaves_leaves_nothing_set_aside(opened: Callable[..., Any]) -> None:
    store = await opened()
    await store.join("host 1")
    await store.set_aside(hold("a", 300))
    await store.leave()
    assert await store.held() == []
    assert (await store.usage()).cost == 300


async def test_the_conversation_in_which_a_person_spoke_last(store: Store) -> None:
    assert await store.conversation_of("ana") is None
    person = await store.person_for(ANA, person="ana")
    await store.session_for(ROOM, person.id)
    assert await store.conversation_of("ana") == ROOM
    store.clock = _Later()  # type: ignore[assignment]
    later = Conversation("mail", "ana")
    await store.session_for(later, person.id)
    assert await store.conversation_of("ana") == later


async def test_a_chat_of_an_account_that_left_is_not_where_a_person_spoke_last(store: Store) -> None:
    mail = Account("mail", "ana")
    for account, chat in ((mail, DESK), (OTHER, CHAT)):
        await store.person_for(account, person="ana")
        await store.session_for(chat, "ana")
        store.clock = _Later()  # type: ignore[assignment]
    assert await store.conversation_of("ana") == CHAT
    await store.unlink(OTHER, "ana")
    assert await store.conversation_of("ana") == DESK
    await store.person_for(OTHER, person="bob")
    await store.session_for(CHAT, "bob")
    await store.person_for(ANA, person="bob")
    assert await store.conversation_of("bob") == CHAT
    await store.link(OTHER, "ana")
    assert await store.conversation_of("bob") is None
    await store.session_for(CHAT, "ana")
    assert await store.conversation_of("ana") == CHAT


class _Later:
    """A clock that is ahead."""

    def now(self) -> float:
        """Far in the future."""
        return 9e9

    def new_id(self) -> str:
        """An id that nothing else has."""
        return new_id()
