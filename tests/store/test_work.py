"""Who works what: the statements about workers, lanes, approvals and timers do on both engines what they say."""

from __future__ import annotations

from typing import Any

import pytest

from gitu_core.contracts.ports import InboxDone, InboxEntry
from gitu_core.store import Store
from tests.store.make import inbox, message, outgoing

pytestmark = pytest.mark.anyio


async def ask(store: Store, statement: str, *params: Any) -> list[tuple[Any, ...]]:
    """Runs one statement for the tenant; its rows. Where a statement sets something, *params* holds ``...`` for it."""
    values = tuple(store.tenant if value is ... else value for value in params)
    values = values if ... in params else (store.tenant, *values)

    def script() -> Any:
        return (yield statement, values)

    return [tuple(row) for row in await store._script(script) or ()]


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
    assert await ask(store, "lane_claim", "s", "a") == [("s",)]
    assert await ask(store, "lane_claim", "s", "a") == [("s",)]
    assert await ask(store, "lane_claim", "s", "b") == []
    await ask(store, "lane_free", "s", "b")
    assert await ask(store, "lane_locked", "s") == [("a",)]
    assert await ask(store, "lanes_of", "a") == [("s",)]
    assert await ask(store, "lanes_take", "a") == [("s",)]
    assert await ask(store, "lane_claim", "s", "b") == [("s",)]
    await ask(store, "lane_free", "s", "b")
    assert await ask(store, "lane_locked", "s") == [("",)]


async def test_what_waits_is_found_by_lane_and_can_be_opened_again(store: Store) -> None:
    ids = [
        (await store.accept(InboxEntry(message=message(f"k{n}"), person="ana", session=session))).id
        for n, session in enumerate("bab")
    ]
    assert await ask(store, "pending_lanes", "", 9) == [("a",), ("b",)]
    assert await ask(store, "pending_lanes", "a", 9) == [("b",)]
    rows = await ask(store, "pending_in", "b", 0, 9)
    assert [(row[1], row[5]) for row in rows] == [(ids[0], 1), (ids[2], 1)]
    assert [row[1] for row in await ask(store, "pending_in", "b", rows[0][0], 9)] == [ids[2]]
    assert await ask(store, "inbox_reopen", ids[0]) == [], "it is open"
    await store.write(InboxDone(id=ids[0], outcome="parked"))
    await ask(store, "inbox_edit", b"new", ..., ids[0])
    assert await ask(store, "inbox_reopen", ids[0]) == [("b",)]
    await ask(store, "inbox_edit", b"new", ..., ids[2])
    assert [bytes(row[4]) == b"new" for row in await ask(store, "pending_in", "b", 0, 9)] == [False, True]


async def test_a_dead_workers_half_sent_messages_are_taken_over(store: Store) -> None:
    await store.accept(inbox("k"))
    states = ("queued", "sending", "sent", "unknown", "dead", "dead")
    await store.write(*(outgoing(str(n), state) for n, state in enumerate(states)))
    assert await ask(store, "outbox_count") == [(1, 1)]
    assert await ask(store, "outbox_count_lost") == [(1, 2)]
    assert [row[1] for row in await ask(store, "outbox_lost", "ana", 0, 9)] == ["3", "4", "5"]
    assert await ask(store, "outbox_lost", "bo", 0, 9) == []
    assert [row[1] for row in await ask(store, "outbox_take", "new", ..., "")] == ["1"]
    assert await ask(store, "outbox_take", "new", ..., "") == []
    assert [row[1] for row in await ask(store, "outbox_take", "other", ..., "new")] == ["1"]


async def test_an_approval_is_asked_once_and_found_by_person_turn_and_time(store: Store) -> None:
    def row(id: str, expires_at: float) -> tuple[Any, ...]:
        return (id, "ana", "s", "t", "m", "approve", "pending", "", b"d", 1.0, expires_at, None, b"body")

    for id, expires_at in (("b", 5.0), ("a", 7.0), ("b", 9.0)):
        await ask(store, "approval_add", *row(id, expires_at))
    assert await ask(store, "approvals_of_turn", "t") == [row("a", 7.0), row("b", 5.0)]
    assert [found[0] for found in await ask(store, "approvals_due", 6.0, 9)] == ["b"]
    assert [found[0] for found in await ask(store, "approvals_due", 9.0, 9)] == ["b", "a"]
    assert await ask(store, "approvals_count") == [(2,)]
    await ask(store, "approval_set", "answered", "yes", 3.0, b"more", ..., "b")
    answered = ("b", "ana", "s", "t", "m", "approve", "answered", "yes", b"d", 1.0, 5.0, 3.0, b"more")
    assert await ask(store, "approval", "b") == await ask(store, "approval_locked", "b") == [answered]
    assert [found[0] for found in await ask(store, "approvals_pending", "ana")] == ["a"]


async def test_a_timer_is_claimed_once_and_comes_back_when_its_worker_dies(store: Store) -> None:
    for key, due_at in (("late", 9.0), ("soon", 3.0), ("soon", 4.0)):
        await ask(store, "timer_put", "p", key, "ana", due_at, b"body")
    armed = ("p", "soon", "ana", "armed", "", 0, 4.0, b"body")
    assert await ask(store, "timer_next") == [(4.0,)]
    assert await ask(store, "timers_due", 5.0, 9) == [armed]
    assert await ask(store, "timer_claim", "w", ..., "p", "soon") == [(1,)]
    assert await ask(store, "timer_claim", "v", ..., "p", "soon") == []
    assert await ask(store, "timer_next") == [(9.0,)]
    assert await ask(store, "timers_take", "v") == []
    assert await ask(store, "timers_take", "w") == [("p", "soon")]
    assert await ask(store, "timer_claim", "v", ..., "p", "soon") == [(2,)]
    assert [row[1] for row in await ask(store, "timers_of", "p")] == ["late", "soon"]
    assert await ask(store, "timer_delete", "p", "soon") == [("soon",)]
    assert await ask(store, "timer_delete", "p", "soon") == []
