"""Grants are kept sealed, used as often as they say and no more, and gone when they are taken back. On both engines."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gitu_core.contracts.authority import Grant
from gitu_core.store import Store
from tests.store.test_links import Clock

pytestmark = pytest.mark.anyio

GRANT = Grant("g", "ana", "mail", {"to": ("bob@*", "eve@x.example")}, {"amount": 50.5}, "s", 5000.0, 3, False, 7.0, "q")


async def test_what_is_kept_comes_back_as_it_was(opened: Callable[..., Any]) -> None:
    one = await opened(clock=Clock())
    await one.add_grant(GRANT, "ana")
    two = await opened(clock=Clock())
    assert await two.grants("ana") == (GRANT,)
    assert await two.grants() == (GRANT,)
    assert await two.grants("eve") == ()


async def test_the_same_object_comes_back_while_nothing_changed_wherever_it_changes(opened: Callable[..., Any]) -> None:
    one, two = await opened(clock=Clock()), await opened(clock=Clock())
    await one.add_grant(GRANT)
    found = await two.grants("ana")
    assert await two.grants("ana") is found
    assert await one.use_grant(GRANT)
    assert [each.uses for each in await two.grants("ana")] == [2]
    await one.add_grant(Grant("h", "ana", "pay"))
    assert [each.id for each in await two.grants("ana")] == ["g", "h"]
    await one.revoke_grant("g")
    await one.add_grant(Grant("i", "ana", "pay"))
    assert [each.id for each in await two.grants("ana")] == ["h", "i"]


async def test_what_was_taken_back_does_not_count_where_another_one_took_its_place(opened: Callable[..., Any]) -> None:
    one, two = await opened(clock=Clock()), await opened(clock=Clock())
    await one.add_grant(Grant("g", "ana", "mail", uses=3))
    assert [each.tool for each in await two.grants("ana")] == ["mail"]
    await one.revoke_grant("g")
    await one.add_grant(Grant("h", "ana", "pay", uses=3))
    for store in (one, two):
        assert [each.tool for each in await store.grants("ana")] == ["pay"]


async def test_uses_are_never_more_than_were_given(opened: Callable[..., Any]) -> None:
    stores = [await opened(clock=Clock()) for _ in range(2)]
    await stores[0].add_grant(GRANT)
    used = await asyncio.gather(*(stores[n % 2].use_grant(GRANT) for n in range(10)))
    assert sum(used) == 3
    assert not await stores[1].use_grant(Grant("gone", "ana", "x"))


async def test_what_ended_is_not_used_and_goes_when_the_next_one_comes(opened: Callable[..., Any]) -> None:
    clock = Clock()
    store = await opened(clock=clock)
    await store.add_grant(GRANT)
    clock.time = 5000.0
    assert not await store.use_grant(GRANT)
    await store.add_grant(Grant("h", "ana", "pay"))
    assert [each.id for each in await store.grants("ana")] == ["h"]


async def test_nothing_of_what_was_allowed_is_to_be_read_in_the_file(tmp_path: Any) -> None:
    async with Store(home=tmp_path, clock=Clock()) as store:
        await store.add_grant(GRANT, "ana")
    for file in tmp_path.glob("gitu.db*"):
        assert b"bob@" not in file.read_bytes()


async def test_one_that_was_tampered_with_is_left_out_and_told(tmp_path: Any) -> None:
    async with Store(home=tmp_path, clock=Clock()) as store:
        await store.add_grant(GRANT)
        await store.add_grant(Grant("h", "ana", "pay"))
    with sqlite3.connect(tmp_path / "gitu.db") as connection:
        connection.execute("UPDATE grants SET person = 'eve' WHERE id = 'g'")
    async with Store(home=tmp_path, clock=Clock()) as store:
        assert await store.grants("eve") == ()
        assert [each.id for each in await store.grants("ana")] == ["h"]
        assert any("grant g" in each for each in await store.check())


@settings(
    max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(
    st.lists(
        st.tuples(st.sampled_from(["add", "use", "revoke"]), st.sampled_from("abc"), st.integers(1, 3)), max_size=25
    )
)
async def test_it_is_what_a_simple_model_says(store: Store, steps: list[tuple[str, str, int]]) -> None:
    for grant in await store.grants():
        await store.revoke_grant(grant.id)
    model: dict[str, int] = {}
    for number, (what, name, uses) in enumerate(steps):
        if what == "add" and name not in model:
            await store.add_grant(Grant(name, "ana", "mail", uses=uses, cause=str(number)))
            model[name] = uses
        elif what == "use":
            assert await store.use_grant(Grant(name, "ana", "mail")) == (model.get(name, 0) > 0)
            model.update({name: model[name] - 1} if model.get(name) else {})
        elif what == "revoke":
            assert (await store.revoke_grant(name) is not None) == (model.pop(name, None) is not None)
        assert {each.id: each.uses for each in await store.grants("ana")} == model
