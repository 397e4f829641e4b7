"""Who works what: the statements about workers, lanes, approvals and timers do on both engines what they say."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Literal

import msgspec
import pytest

from gitu_core.contracts.ports import Approval, InboxDone, InboxEntry, StepEntry
from gitu_core.errors import LeaseLost
from gitu_core.model import Ask, Message, user_message
from gitu_core.model.steps import Noted
from gitu_core.store import Store
from gitu_core.testing.invariants import open_messages
from tests.store.make import inbox, message, outgoing

pytestmark = pytest.mark.anyio

Again = Callable[[], Awaitable[Store]]


@pytest.fixture
def again(opened: Callable[..., Any]) -> Again:
    """Opens the same database once more, as another process does."""
    return opened


async def ask(store: Store, statement: str, *params: Any) -> list[tuple[Any, ...]]:
    """Runs one statement for the tenant; its rows. Where a statement sets something, *params* holds ``...`` for it."""
    values = tuple(store.tenant if value is ... else value for value in params)
    values = values if ... in params else (store.tenant, *values)

    def script() -> Any:
        return (yield statement, values)

    return [tuple(row) for row in await store._script(script) or ()]


async def claim(store: Store, worker: str, epoch: int) -> list[tuple[Any, ...]]:
    """Claims the lane ``s``."""

    def script() -> Any:
        return (yield "lane_claim", ("s", store.tenant, worker, epoch))

    return [tuple(row) for row in await store._script(script)]


async def test_a_worker_is_fenced_once_and_only_while_its_heart_stands_still(store: Store) -> None:
    await ask(store, "worker_add", "w", 1, 0, 5.0, "host 7")
    assert await ask(store, "worker_beat", "w", 1) == [(1,)]
    assert await ask(store, "worker_beat", "w", 2) == []
    assert await ask(store, "workers") == [("w", 1, 1, "host 7")]
    assert await ask(store, "worker_fence", "w", 1, 0) == []
    assert await ask(store, "worker_fence", "w", 1, 1) == [("w",)]
    assert await ask(store, "worker_fence", "w", 1, 1) == []
    assert await ask(store, "worker_epoch", "w") == [(2,)]
    await ask(store, "worker_drop", "w")
    assert await ask(store, "worker_epoch", "w") == []


async def test_a_lane_belongs_to_one_worker_at_a_time(store: Store) -> None:
    await ask(store, "worker_add", "a", 1, 0, 5.0, "host 7")
    await ask(store, "worker_add", "b", 2, 0, 5.0, "host 8")
    assert await claim(store, "a", 1) == [("s",)]
    assert await claim(store, "a", 1) == [("s",)]
    assert await claim(store, "b", 2) == []
    await ask(store, "lane_free", "s", "b")
    assert await ask(store, "lane", "s") == [("a",)]
    await ask(store, "lanes_take", "a")
    assert await claim(store, "b", 2) == [("s",)]
    await ask(store, "lane_free", "s", "b")
    assert await ask(store, "lane", "s") == []
    assert await claim(store, "b", 1) == []
    assert await claim(store, "c", 1) == []
    assert await ask(store, "lane", "s") == []


async def test_what_waits_is_found_by_lane_and_can_be_opened_again(store: Store) -> None:
    ids = [
        (await store.accept(InboxEntry(message=message(f"k{n}"), person="ana", session=session))).id
        for n, session in enumerate("bab")
    ]
    assert await ask(store, "pending_lanes", "", 9) == [("a", "terminal"), ("b", "terminal")]
    assert await ask(store, "pending_lanes", "a", 9) == [("b", "terminal")]
    rows = await ask(store, "pending_in", "b", 0, 9)
    assert [row[1] for row in rows] == [ids[0], ids[2]]
    assert [row[1] for row in await ask(store, "pending_in", "b", rows[0][0], 9)] == [ids[2]]
    assert await ask(store, "inbox_reopen", ids[0]) == [], "it is open"
    await store.write(InboxDone(id=ids[0], outcome="parked"))
    await ask(store, "inbox_edit", b"new", ..., ids[0])
    assert await ask(store, "inbox_reopen", ids[0]) == [("b",)]
    await ask(store, "inbox_edit", b"new", ..., ids[2])
    assert [bytes(row[4]) == b"new" for row in await ask(store, "pending_in", "b", 0, 9)] == [False, True]


async def test_what_did_not_arrive_is_found_by_person(store: Store) -> None:
    await store.accept(inbox("k"))
    states = ("queued", "sending", "sent", "unknown", "dead", "dead")
    await store.write(*(outgoing(str(n), state) for n, state in enumerate(states)))
    assert [row[1] for row in await ask(store, "outbox_lost", "ana")] == ["3", "4", "5"]
    assert await ask(store, "outbox_lost", "bo") == []
    assert [row[1] for row in await ask(store, "outbox_all_lost")] == ["3", "4", "5"]


def question(id: str, person: str = "ana", expires_at: float = 9e9, message: str = "m") -> Approval:
    """A question about a call."""
    ask = Ask(id, "May I?", ("yes", "no"), "to: bo")
    return Approval(id, person, "s", "t", message, "c", "0a", ask, expires_at, 1.0)


async def test_a_question_is_answered_once_by_the_person_asked_and_opens_its_message(store: Store) -> None:
    asked = (await store.accept(inbox("k"))).id
    said = (await store.accept(inbox("answer"))).id
    await store.write(question("q", message=asked), question("r"), InboxDone(asked, "parked"))
    assert [each.id for each in await store.approvals("ana")] == ["q", "r"]
    for id, person, choice in (("q", "bo", "yes"), ("q", "ana", "always"), ("nobody", "ana", "yes")):
        assert await store.answer(id, person, choice) is None
    assert [id for id, _ in await open_messages(store)] == [said]
    answered = await store.answer("q", "ana", "yes", said)
    assert answered is not None
    assert (answered.state, answered.choice, answered.by) == ("answered", "yes", "ana")
    assert await store.answer("q", "ana", "no") is None
    assert [id for id, _ in await open_messages(store)] == [asked]
    assert (await store.accepted(said)).outcome == "answered"  # type: ignore[union-attr]
    assert [(each.id, each.state) for each in await store.approvals(turn="t")] == [("q", "answered"), ("r", "pending")]
    assert [each.id for each in await store.approvals("ana")] == ["r"]
    assert await store.check() == []


async def test_a_question_that_nobody_answers_in_time_ends_and_opens_its_message(store: Store) -> None:
    asked = (await store.accept(inbox("k"))).id
    await store.write(question("q", expires_at=1.0, message=asked), question("r"), InboxDone(asked, "parked"))
    assert await store.answer("q", "ana", "yes") is None
    assert [(each.id, each.state) for each in await store.expire()] == [("q", "expired")]
    assert await store.expire() == ()
    assert [id for id, _ in await open_messages(store)] == [asked]


async def test_a_message_that_nobody_began_with_can_be_changed_and_withdrawn(store: Store) -> None:
    ids = [(await store.accept(inbox(f"k{n}", f"text {n}"))).id for n in range(3)]

    def change(key: str, action: Literal["edit", "delete"] = "delete", sender: str = "") -> Message:
        said = message("x", "other words")
        account = msgspec.structs.replace(said.sender, id=sender or said.sender.id)
        return msgspec.structs.replace(said, action=action, target=key, sender=account)

    assert await store.edit(change("k0", "edit", "mallory")) is None, "only who wrote it may"
    assert await store.edit(change("k1", sender="mallory")) is None
    changed = await store.edit(change("k0", "edit"))
    assert changed is not None
    assert [entry.message.text for _, entry in await open_messages(store)] == ["other words", "text 1", "text 2"]
    assert await store.edit(change("k1")) is not None
    await store.write(StepEntry(f"{ids[2]}-1", 0, Noted(user_message("x")), "s", "ana", 1.0))
    assert await store.edit(change("k2")) is None, "somebody began with it"
    assert await store.edit(change("nothing")) is None
    assert [id for id, _ in await open_messages(store)] == [ids[0], ids[2]]
    assert await store.check() == []


async def test_a_worker_that_was_taken_over_writes_nothing_any_more(store: Store, again: Again) -> None:
    other = await again()
    await store.join("first")
    await other.join("second")
    assert await store.claim("lane")
    assert not await other.claim("lane")
    (seen,) = await other.others()
    await store.beat()
    assert not await other.take_over(seen), "it showed a sign of life"
    (seen,) = await other.others()
    assert seen.about == "first"
    assert not seen.gone
    assert await other.take_over(seen)
    assert await other.others() == []
    assert await other.claim("lane")
    for late in (store.write(InboxDone("x")), store.beat(), store.accept(inbox("k"), "lane")):
        with pytest.raises(LeaseLost):
            await late
    assert not await store.claim("lane")
    await other.free("lane")
    assert not await store.claim("lane")
    assert await other.owner("lane") is None
    assert await other.claim("lane")
    assert await open_messages(other) == []
    assert (await other.owner("lane")).about == "second"  # type: ignore[union-attr]
    await store.join("first, again")
    await store.write(InboxDone("x"))


async def test_a_lane_is_claimed_together_with_its_message(store: Store, again: Again) -> None:
    other = await again()
    await store.join("first")
    await other.join("second")
    assert (await store.accept(inbox("1"), "s")).mine
    assert not (await other.accept(inbox("2"), "s")).mine
    assert (await other.accept(inbox("3"), "t")).mine
    assert await other.waiting() == [("s", "terminal")]
    assert await other.waiting(("elsewhere",)) == []
    assert len(await other.pending_in("s")) == 3
    await store.leave()
    assert await other.claim("s")
    assert await other.others() == []


async def test_a_timer_is_claimed_once_and_comes_back_when_its_worker_dies(store: Store) -> None:
    for key, due_at in (("late", 9.0), ("soon", 3.0), ("soon", 4.0)):
        await ask(store, "timer_put", "p", key, "ana", due_at, b"body")
    armed = ("p", "soon", "ana", "armed", "", 0, 4.0, b"body")
    assert await ask(store, "timer_next", "p") == [(4.0,)]
    assert await ask(store, "timers_due", "p", 5.0, 9) == [armed]
    assert await ask(store, "timer_claim", "w", ..., "p", "soon") == [(1,)]
    assert await ask(store, "timer_claim", "v", ..., "p", "soon") == []
    assert await ask(store, "timer_next", "p") == [(9.0,)]
    assert await ask(store, "timers_take", "v") == []
    assert await ask(store, "timers_take", "w") == [("p", "soon")]
    assert await ask(store, "timer_claim", "v", ..., "p", "soon") == [(2,)]
    assert [row[1] for row in await ask(store, "timers_of", "p")] == ["late", "soon"]
    assert await ask(store, "timer_delete", "p", "soon") == [("soon",)]
    assert await ask(store, "timer_delete", "p", "soon") == []


@pytest.mark.parametrize("tenant", ["O'Brien $1 \\ %s", 'Zoë "Ω"; --'])
async def test_a_lease_holds_and_is_lost_whatever_the_tenant_is_called(opened: Any, tenant: str) -> None:
    store, other = await opened(tenant=tenant), await opened(tenant=tenant)
    await store.join("first")
    assert await store.claim("lane")
    assert (await store.accept(inbox("a"))).fresh
    assert await other.take_over((await other.others())[0])
    with pytest.raises(LeaseLost):
        await store.accept(inbox("b"))
    assert len(await open_messages(other)) == 1
