"""People, accounts, sessions."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from gitu_core.model import Account, Conversation
from gitu_core.store import Store
from tests.store.make import ANA, ROOM, said

pytestmark = pytest.mark.anyio


async def test_an_account_belongs_to_one_person_whoever_asks_first(opened: Callable[..., Any]) -> None:
    stores = [await opened(), await opened()]
    people = await asyncio.gather(*(stores[n % 2].person_for(ANA) for n in range(20)))
    assert len({person.id for person in people}) == 1
    assert people[0].name == "Ana"
    assert people[0].enabled
    assert await stores[1].person(people[0].id) == people[0]
    assert await stores[0].check() == []


async def test_an_account_can_be_given_to_a_known_person(store: Store) -> None:
    first = await store.person_for(ANA, person="me")
    second = await store.person_for(Account(channel="other", id="x"), person="me")
    assert first == second
    assert first.id == "me"
    assert (await store.person_for(ANA, person="somebody else")).id == "me"
    assert await store.person("nobody") is None


async def test_when_an_account_was_used_is_remembered(opened: Callable[..., Any]) -> None:
    from gitu_core.clock import SystemClock

    class Clock(SystemClock):
        time = 1000.0

        def now(self) -> float:
            return self.time

    clock = Clock()
    store = await opened(clock=clock)
    await store.person_for(ANA)
    for clock.time in (1030.0, 1100.0, 1130.0):
        await store.person_for(ANA)
    rows = await store._read(lambda: _statement('SELECT last_used FROM "@accounts"'))
    assert rows[0][0] == 1100.0


def _statement(sql: str, *params: Any) -> Any:
    return (yield sql, params)


async def test_two_callers_at_once_get_one_session(opened: Callable[..., Any]) -> None:
    stores = [await opened(), await opened()]
    found = await asyncio.gather(*(stores[n % 2].session_for(ROOM, "ana") for n in range(20)))
    assert len({session.id for session in found}) == 1
    assert len(await stores[0].sessions()) == 1


async def test_threads_and_rooms_have_sessions_of_their_own(store: Store) -> None:
    topic = Conversation(channel="terminal", id="room", thread="a")
    rooms = [ROOM, topic, Conversation(channel="c", id="room")]
    assert len({(await store.session_for(room, "ana")).id for room in rooms}) == 3


async def test_a_new_session_ends_the_old_one(store: Store) -> None:
    old = await store.session_for(ROOM, "ana")
    new = await store.new_session(ROOM, "ana", "work")
    assert new.id != old.id
    assert new.profile == "work"
    ended = await store.session(old.id)
    assert ended is not None
    assert ended.ended_at is not None
    assert (await store.session_for(ROOM, "ana")).id == new.id


async def test_a_session_that_ended_is_followed_by_another(store: Store) -> None:
    old = await store.session_for(ROOM, "ana")
    await store.end_session(old.id)
    await store.end_session(old.id)
    assert (await store.session_for(ROOM, "ana")).id != old.id


async def test_a_session_counts_its_messages(store: Store) -> None:
    session = await store.session_for(ROOM, "ana")
    await store.write(said(1, session.id), said(2_000_000_000, session.id))
    for found in (await store.session_for(ROOM, "ana"), await store.session(session.id)):
        assert found is not None
        assert found.messages == 2
        assert found.active_at == 2e9
    assert await store.session("unknown") is None


async def test_idle_sessions_end_and_busy_ones_do_not(store: Store) -> None:
    idle = await store.session_for(ROOM, "ana")
    busy = await store.session_for(Conversation(channel="c", id="busy"), "bo")
    await store.write(said(9_000_000_000, busy.id))
    assert await store.end_idle(8_000_000_000.0) == 1
    assert await store.end_idle(8_000_000_000.0) == 0
    assert (await store.session_for(ROOM, "ana")).id != idle.id
    assert [s.id for s in await store.sessions("bo")] == [busy.id]
    assert [s.id for s in await store.sessions(limit=1)] == [busy.id]
