"""Who had an account for a while, or knows a part of a code, gets nothing out of it; changes stand in the audit."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from gitu_core.errors import InputError, StoreError
from gitu_core.model import Account
from gitu_core.store import Store
from gitu_core.testing import armed
from tests.store.make import ANA, ROOM
from tests.store.test_links import HERE, OTHER, account, linking

pytestmark = pytest.mark.anyio

LOST: dict[str, Callable[[Store, str], Awaitable[Any]]] = {
    "unlinked": lambda store, person: store.unlink(ANA, person),
    "moved": lambda store, person: _moved(store),
    "lowered": lambda store, person: store.trust(ANA, "talk"),
}


async def _moved(store: Store) -> None:
    await store.link(ANA, (await store.person_for(account(8))).id)


@pytest.mark.parametrize("how", LOST)
async def test_a_code_that_a_lost_account_was_shown_does_not_bring_the_thief_back(store: Store, how: str) -> None:
    person, code = await linking(store)
    await store.link(OTHER, person)
    await LOST[how](store, person)
    assert await store.redeem(code, account(9)) is None
    assert await store.known(account(9)) is None


async def test_to_burn_a_code_takes_all_of_it(store: Store) -> None:
    _, code = await linking(store)
    for _ in range(10):
        await store.burn(f"{code[:4]}X-00000")
    assert await store.redeem(code, OTHER) is not None


async def kept(store: Store) -> list[tuple[str, ...]]:
    """What the audit says of people and their accounts."""
    found = [each for each in await store.audit() if each.kind in ("account", "user")]
    return [(each.person, each.subject, each.outcome, each.facts["by"]) for each in found]


async def test_every_change_of_who_is_who_stands_in_the_audit(store: Store) -> None:
    ana, bob = (await store.person_for(ANA)).id, (await store.person_for(OTHER)).id
    await store.link(OTHER, ana)
    await store.link(OTHER, ana)
    await store.redeem(await store.make_code(ANA, ROOM, ana), account(1))
    done = await store.pair(await store.make_code(account(2), HERE))
    assert done is not None
    await store.trust(OTHER, "talk")
    await store.trust(OTHER, "")
    await store.unlink(OTHER, ana)
    await store.unlink(account(1))
    for change in ({"enabled": False}, {"enabled": False}, {"enabled": True, "settings": {"a": 1}}):
        await store.change_person(bob, **change)
    assert await kept(store) == [
        (bob, "mail", "unlinked", "operator"),
        (ana, "mail", "linked", "operator"),
        (ana, "c", "linked", ana),
        (done.person.id, "c", "paired", "operator"),
        (ana, "mail", "talk", "operator"),
        (ana, "mail", "full", "operator"),
        (ana, "mail", "unlinked", ana),
        (ana, "c", "unlinked", "operator"),
        (bob, "", "disabled", "operator"),
        (bob, "", "enabled", "operator"),
        (bob, "settings", "changed", "operator"),
    ]
    assert (await store.audit_verify()).problems == ()
    assert "example.org" not in repr([(each.subject, each.id, each.outcome) for each in await store.audit()])


async def test_a_change_and_its_entry_are_both_on_disk_or_neither(store: Store) -> None:
    ana = (await store.person_for(ANA)).id
    with armed("writer.rows:raise=store"), pytest.raises(StoreError):
        await store.link(OTHER, ana)
    assert await store.known(OTHER) is None
    assert await kept(store) == []
    await store.link(OTHER, ana)
    assert await kept(store) == [(ana, "mail", "linked", "operator")]


async def test_two_processes_that_link_and_unlink_at_once_keep_one_chain(opened: Callable[..., Any]) -> None:
    stores = [await opened(), await opened()]
    people = [(await stores[0].person_for(account(n))).id for n in range(2)]
    both: list[Account] = [Account("c", f"x{n}") for n in range(4)]
    for _ in range(3):
        changes = [stores[n % 2].link(each, people[(n // 2) % 2]) for n, each in enumerate(both * 2)]
        await asyncio.gather(*changes, *(stores[n].change_person(people[n], settings={}) for n in range(2)))
    assert (await stores[0].audit_verify()).problems == ()
    for each in both:
        owner = (await stores[0].known(each)).person.id
        last = [entry for entry in await stores[0].audit(limit=1000) if entry.facts.get("account") == each.id][-1]
        assert (last.person, last.outcome) == (owner, "linked")


async def test_a_user_that_the_operator_makes_stands_in_the_audit(store: Store) -> None:
    for _ in range(2):
        assert (await store.link(OTHER, "ana", new=True)).person.id == "ana"
    assert await kept(store) == [("ana", "mail", "linked", "operator")]
    with pytest.raises(InputError, match="another user"):
        await store.link(OTHER, "bob", new=True)
    assert await store.person("bob") is None
    assert await store.check() == []


async def test_of_two_who_make_a_user_of_one_account_one_does(opened: Callable[..., Any]) -> None:
    one, two = await opened(), await opened()
    for number in range(5):
        both = [store.link(account(number), f"{name}{number}", True) for store, name in ((one, "ana"), (two, "bob"))]
        done = await asyncio.gather(*both, return_exceptions=True)
        assert sorted(type(each).__name__ for each in done) == ["InputError", "Linking"]
        owner = [each.person.id for each in done if not isinstance(each, BaseException)]
        assert [entry.person for entry in await one.audit() if entry.facts["account"] == f"a{number}"] == owner
        assert [each.id for each in await one.people() if each.id.endswith(str(number))] == owner
    assert await one.check() == []
