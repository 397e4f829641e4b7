"""History: what fits, the same objects, the same cost, and never stale."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

from gitu_core.store import Store
from tests.store.make import ANA, ROOM, said

pytestmark = pytest.mark.anyio


async def test_the_newest_that_fit_come_oldest_first(store: Store) -> None:
    await store.write(*(said(n, tokens=10) for n in range(10)))
    for _ in range(2):
        assert [e.at for e in await store.history("s", 35)] == [7.0, 8.0, 9.0]
        assert [e.at for e in await store.history("s", 1000, max_messages=2)] == [8.0, 9.0]
        assert len(await store.history("s", 1000)) == 10
        assert await store.history("s", 5) == []
        assert await store.history("nothing", 5) == []


async def test_history_never_begins_with_the_result_of_a_call_that_is_cut_off(store: Store) -> None:
    roles = ["user", "assistant", "tool", "tool", "user"]
    await store.write(*(said(n, role=role) for n, role in enumerate(roles)))
    assert [e.message.role for e in await store.history("s", 3)] == ["user"]
    assert [e.message.role for e in await store.history("s", 4)] == ["assistant", "tool", "tool", "user"]


async def test_the_same_objects_come_back_turn_after_turn(opened: Callable[..., Any]) -> None:
    writing = await opened()
    id = (await writing.session_for(ROOM, "ana")).id
    await writing.write(*(said(n, id) for n in range(5)))
    store = await opened()
    first = await store.history(id, 100)
    store.post(said(5, id))
    second = await store.history(id, 100)
    assert len(second) == 6
    assert all(a.message is b.message for a, b in zip(first, second, strict=False))
    assert second[-1].message is (await store.history(id, 3))[-1].message


async def test_history_sees_what_was_posted_and_not_what_failed(store: Store) -> None:
    store.post(said(1))
    assert [e.at for e in await store.history("s", 100)] == [1.0]
    store.post(said(2))
    assert [e.at for e in await store.history("s", 100)] == [1.0, 2.0]


async def test_what_another_store_writes_is_seen(opened: Callable[..., Any]) -> None:
    one, two = await opened(), await opened()
    person = await one.person_for(ANA)
    session = (await one.session_for(ROOM, person.id)).id
    for n in range(0, 6, 2):
        await one.write(said(n, session))
        await two.write(said(n + 1, session))
        # On SQLite a store notices with its next commit; every turn begins with one.
        await one.end_session("none")
        await two.end_session("none")
        expected = [float(k) for k in range(n + 2)]
        assert [e.at for e in await one.history(session, 100)] == expected
        assert [e.at for e in await two.history(session, 100)] == expected
    assert (await one.session(session)).messages == 6


async def test_a_long_session_costs_what_a_short_one_costs(store: Store) -> None:
    for session, count in (("short", 10), ("long", 5000)):
        await store.write(*(said(n, session) for n in range(count)))

    async def cost(session: str) -> float:
        await store.history(session, 10)
        best = 9.0
        for _ in range(5):
            start = time.process_time()
            for _ in range(50):
                await store.history(session, 10)
            best = min(best, time.process_time() - start)
        return best

    assert await cost("long") < 3 * await cost("short") + 0.01
    assert len(await store.history("long", 10_000, max_messages=3000)) == 3000
    assert len(await store.history("long", 10_000)) == 500
