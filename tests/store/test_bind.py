"""A conversation goes on in another session of the same person, whoever looks at it at that moment."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from gitu_core.errors import InputError
from gitu_core.model import Conversation
from gitu_core.store import Store
from tests.store.make import ROOM, said

pytestmark = pytest.mark.anyio

CHAT = Conversation(channel="telegram", id="7")
TEAM = Conversation(channel="telegram", id="team", kind="group")


async def test_a_conversation_goes_on_in_another_session_and_what_it_leaves_empty_ends(store: Store) -> None:
    first, second = await store.session_for(ROOM, "ana", "work"), await store.session_for(CHAT, "ana")
    found = await store.bind(CHAT, first.id, "ana")
    assert (found.id, found.profile) == (first.id, "work")
    assert (await store.session_for(CHAT, "ana")).id == (await store.session_for(ROOM, "ana")).id == first.id
    assert await store.session_of(CHAT) == found
    assert {each.channel for each in await store.conversations("ana", found.id)} == {"terminal", "telegram"}
    left = await store.session(second.id)
    assert left is not None
    assert left.ended_at is not None
    assert await store.conversation_of("ana") == CHAT
    assert await store.check() == []


async def test_what_somebody_else_is_bound_to_or_spoke_in_does_not_end(store: Store) -> None:
    first, second = await store.session_for(ROOM, "ana"), await store.session_for(CHAT, "ana")
    await store.write(said(1, second.id))
    await store.bind(CHAT, first.id, "ana")
    await store.bind(CHAT, second.id, "ana")
    for each in (first, second):
        kept = await store.session(each.id)
        assert kept is not None
        assert kept.ended_at is None


async def test_a_session_that_had_ended_is_open_again_and_not_idle(store: Store) -> None:
    first = await store.session_for(ROOM, "ana")
    await store.write(said(1, first.id))
    await store.new_session(ROOM, "ana")
    again = await store.bind(ROOM, first.id, "ana")
    assert again.ended_at is None
    assert await store.session(first.id) == again
    assert await store.end_idle(again.active_at) == 0
    assert (await store.session_for(ROOM, "ana")).id == first.id


@pytest.mark.parametrize("whose", ["bob", "nobody"])
async def test_nobody_gets_a_session_of_another_person(store: Store, whose: str) -> None:
    mine = await store.session_for(ROOM, "ana")
    other = (await store.session_for(CHAT, "bob")).id if whose == "bob" else "nothing"
    with pytest.raises(InputError, match="no such session") as caught:
        await store.bind(ROOM, other, "ana")
    assert caught.value.hint
    assert (await store.session_for(ROOM, "ana")).id == mine.id
    assert (await store.session_for(CHAT, "bob")).id != mine.id


async def test_what_is_said_in_a_group_stays_there(store: Store) -> None:
    group, mine = await store.session_for(TEAM, "ana"), await store.session_for(ROOM, "ana")
    for where, session in ((ROOM, group), (TEAM, mine)):
        with pytest.raises(InputError, match="group has sessions of its own"):
            await store.bind(where, session.id, "ana")
    assert (await store.session_for(TEAM, "ana")).id == group.id
    assert (await store.session_for(ROOM, "ana")).id == mine.id


async def test_a_conversation_that_nobody_spoke_in_is_bound_as_well(store: Store) -> None:
    first = await store.session_for(ROOM, "ana")
    assert (await store.bind(CHAT, first.id, "ana")).id == first.id
    assert (await store.session_for(CHAT, "ana")).id == first.id


async def test_two_who_swap_their_sessions_at_once_do_not_wait_for_each_other(opened: Callable[..., Any]) -> None:
    stores = [await opened(), await opened()]
    for _ in range(5):
        one, two = await stores[0].session_for(ROOM, "ana"), await stores[0].session_for(CHAT, "ana")
        await stores[0].write(said(1, one.id), said(2, two.id))
        async with asyncio.timeout(10):
            await asyncio.gather(stores[0].bind(ROOM, two.id, "ana"), stores[1].bind(CHAT, one.id, "ana"))
        async with asyncio.timeout(10):
            while (await stores[0].session_for(ROOM, "ana")).id != two.id:
                await stores[0].write()
        assert (await stores[1].session_for(CHAT, "ana")).id == one.id


async def test_who_looks_meanwhile_does_not_remember_what_was(store: Store) -> None:
    """A read that began before must not bring the former session back after."""
    first, second = await store.session_for(ROOM, "ana"), await store.session_for(CHAT, "ana")
    await store.write(said(1, second.id))
    read = store.engine.read

    async def slowly(script: Any) -> Any:
        found = await read(script)
        store.engine.read = read  # type: ignore[method-assign]
        await store.bind(CHAT, first.id, "ana")
        return found

    store._forget()
    store.engine.read = slowly  # type: ignore[method-assign]
    assert (await store.session_for(CHAT, "ana")).id == second.id
    assert (await store.session_for(CHAT, "ana")).id == first.id
