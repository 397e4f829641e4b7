"""Accounts are linked, moved and unlinked; codes count once, for a while, and for few tries. On both engines."""

from __future__ import annotations

import asyncio
import contextlib
import os
import subprocess
import sys
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gitu_core.clock import SystemClock
from gitu_core.contracts.ports import Approval
from gitu_core.errors import InputError
from gitu_core.model import Account, Ask, Conversation
from gitu_core.store import Store
from gitu_core.store import links as module
from gitu_core.store.links import CODE_SECONDS, MAX_SETTINGS, TRIES, WAITING
from tests.store.make import ANA, ROOM, said
from tests.store.test_backup import rows_of

pytestmark = pytest.mark.anyio
HERE = Conversation(channel="mail", id="x")
OTHER = Account(channel="mail", id="ana@example.org")
ROOT = Path(__file__).resolve().parents[2]


class Clock(SystemClock):
    """A clock that a test sets."""

    time = 1000.0

    def now(self) -> float:
        return self.time


def account(number: int) -> Account:
    """The account with this number."""
    return Account(channel="c", id=f"a{number}")


# ---- accounts ------------------------------------------------------------------------------------------------


async def test_an_account_without_an_owner_is_unknown_and_leaves_nothing(store: Store) -> None:
    assert await store.known(ANA) is None
    assert [rows for rows in (await rows_of(store)).values() if rows and "ana" in repr(rows)] == []


async def test_two_accounts_of_a_person_are_one_person_in_every_process(opened: Callable[..., Any]) -> None:
    one, two = await opened(), await opened()
    ana = await one.person_for(ANA)
    assert await two.known(OTHER) is None
    linked = await one.link(OTHER, ana.id)
    assert (linked.person, linked.before) == (ana, "")
    for store in (one, two):
        await store.disabled()
        found = await store.known(OTHER)
        assert found is not None
        assert found.person == ana
        assert [each.account for each in await store.accounts(ana.id)] == [ANA, OTHER]
    assert await one.check() == []
    with pytest.raises(InputError, match="no user nobody"):
        await one.link(OTHER, "nobody")


async def test_an_account_that_moves_takes_nothing_of_the_other_person_along(store: Store) -> None:
    ana, bob = await store.person_for(ANA), await store.person_for(OTHER)
    before = await store.session_for(HERE, bob.id)
    await store.write(said(1, before.id, person=bob.id))
    linked = await store.link(OTHER, ana.id)
    assert (linked.before, linked.person.id) == (bob.id, ana.id)
    after = await store.session_for(HERE, ana.id)
    assert after.id != before.id
    assert after.person == ana.id
    assert await store.session_for(HERE, ana.id) == after
    assert await store.history(after.id, 1000) == []
    assert [each.id for each in await store.sessions(ana.id)] == [after.id]
    assert [each.id for each in await store.sessions(bob.id)] == [before.id]
    kept = await store.session(before.id)
    assert kept is not None
    assert kept.ended_at is None
    assert await store.accounts(bob.id) == []
    assert await store.check() == []


async def test_a_group_stays_in_its_session_whoever_speaks(store: Store) -> None:
    group = Conversation(channel="c", id="g", kind="group")
    assert (await store.session_for(group, "ana")).id == (await store.session_for(group, "bob")).id
    private = await store.session_for(ROOM, "ana")
    assert (await store.session_for(ROOM, "bob")).id != private.id


async def test_the_last_account_is_not_unlinked_unless_that_is_said(store: Store) -> None:
    ana = await store.person_for(ANA)
    await store.link(OTHER, ana.id)
    with pytest.raises(InputError, match="no user has"):
        await store.unlink(OTHER, "somebody else")
    await store.unlink(OTHER, ana.id)
    assert await store.known(OTHER) is None
    with pytest.raises(InputError, match="last account") as caught:
        await store.unlink(ANA)
    assert caught.value.details["field"] == "last"
    await store.unlink(ANA, last=True)
    assert await store.known(ANA) is None
    assert await store.person(ana.id) is not None
    with pytest.raises(InputError, match="no user has"):
        await store.unlink(ANA, last=True)


async def test_two_processes_at_once_do_not_take_the_last_two_accounts(opened: Callable[..., Any]) -> None:
    stores = [await opened(), await opened()]
    for number in range(5):
        person = await stores[0].person_for(account(2 * number))
        await stores[0].link(account(2 * number + 1), person.id)
        both = (store.unlink(account(2 * number + n)) for n, store in enumerate(stores))
        done = await asyncio.gather(*both, return_exceptions=True)
        assert sum(isinstance(each, InputError) for each in done) == 1, done
        assert len(await stores[0].accounts(person.id)) == 1


async def test_an_account_is_trusted_as_far_as_the_operator_says(opened: Callable[..., Any]) -> None:
    one, two = await opened(), await opened()
    await one.person_for(ANA)
    await one.trust(ANA, "talk")
    await two.disabled()
    for store in (one, two):
        found = await store.known(ANA)
        assert found is not None
        assert found.trust == "talk"
    await one.link(ANA, (await one.person_for(OTHER)).id)
    moved = await one.known(ANA)
    assert moved is not None
    assert moved.trust == "talk", "an account that moves is trusted no further than before"
    with pytest.raises(InputError, match="no user has"):
        await one.trust(account(9), "talk")


async def test_a_known_account_and_its_session_take_a_query_each_at_most_and_no_commit(
    opened: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    store = await opened()
    ana = await store.person_for(ANA)
    await store.session_for(ROOM, ana.id)
    await store.known(ANA)
    done: list[str] = []
    read = store.engine.read

    def scripted(script: Any) -> Any:
        def counted() -> Any:
            answer, running = None, script()
            while True:
                try:
                    asked = running.send(answer)
                except StopIteration as stop:
                    return stop.value
                done.append(asked[0])
                answer = yield asked

        return read(counted)

    monkeypatch.setattr(store.engine, "read", scripted)
    monkeypatch.setattr(store.engine, "submit", lambda job: done.append("commit"))
    for _ in range(3):
        await store.known(ANA)
        await store.session_for(ROOM, ana.id)
    assert done == ([] if store.engine.dialect == "sqlite" else ["person_of", "session_of"] * 3)


# ---- users ---------------------------------------------------------------------------------------------------


async def test_who_is_switched_off_is_so_everywhere(opened: Callable[..., Any]) -> None:
    one, two = await opened(), await opened()
    ana = await one.person_for(ANA)
    await two.known(ANA)
    assert await one.disabled() == []
    assert not (await one.change_person(ana.id, enabled=False)).enabled
    assert await two.disabled() == [ana.id]
    for store in (one, two):
        found = await store.known(ANA)
        assert found is not None
        assert not found.person.enabled
    await one.change_person(ana.id, enabled=True)
    assert await two.disabled() == []
    with pytest.raises(InputError, match="no user"):
        await one.change_person("nobody", enabled=True)


@pytest.mark.parametrize("bad", [[1], "x", {"a": (1,)}, {1: 2}, {"a": "x" * MAX_SETTINGS}, {"a": float("nan")}])
async def test_settings_that_are_no_small_json_object_are_refused(store: Store, bad: Any) -> None:
    ana = await store.person_for(ANA)
    with pytest.raises(InputError):
        await store.change_person(ana.id, settings=bad)
    assert (await store.person(ana.id)) == ana


async def test_settings_are_kept_and_sealed(store: Store) -> None:
    ana = await store.person_for(ANA)
    await store.change_person(ana.id, settings={"secret wish": ["x", None, 1.5]})
    await store.change_person(ana.id, enabled=True)
    found = await store.person(ana.id)
    assert found is not None
    assert found.settings == {"secret wish": ["x", None, 1.5]}
    assert "wish" not in repr((await rows_of(store))["people"])
    assert await store.check() == []
    assert [each.id for each in await store.people()] == [ana.id]
    assert await store.people(after=ana.id) == []


async def test_what_was_asked_of_somebody_who_is_switched_off_waits(opened: Callable[..., Any]) -> None:
    clock = Clock()
    store = await opened(clock=clock)
    ana = await store.person_for(ANA)
    asked = Approval("q", ana.id, "s", "t", "m", "c", "00", Ask("q", "May I?", ("yes", "no")), 1500.0, 1000.0)
    await store.write(asked)
    await store.change_person(ana.id, enabled=False)
    clock.time = 2000.0
    assert not await store.expire()
    await store.change_person(ana.id, enabled=True)
    assert [each.id for each in await store.expire()] == ["q"]


# ---- codes ---------------------------------------------------------------------------------------------------


async def linking(store: Store) -> tuple[str, str]:
    """A person, and a code for them."""
    person = (await store.person_for(ANA)).id
    return person, await store.make_code(ANA, ROOM, person)


async def test_a_code_links_once_however_it_is_typed(store: Store) -> None:
    person, code = await linking(store)
    assert len(code) == 11
    typed = f" {code.replace('-', ' ').lower().replace('0', 'o').replace('1', 'l')} "
    done = await store.redeem(typed, OTHER)
    assert done is not None
    assert (done.person.id, done.place, done.account) == (person, ROOM, OTHER)
    assert await store.redeem(code, account(1)) is None
    assert await store.known(account(1)) is None


async def test_a_code_is_nowhere_to_be_read(store: Store) -> None:
    _, code = await linking(store)
    kept = repr(await rows_of(store))
    assert code not in kept
    assert code.replace("-", "") not in kept
    assert code[:4] not in kept
    assert "ana" not in repr((await rows_of(store))["codes"])


async def test_a_code_is_void_after_ten_minutes_and_after_the_next_one(opened: Callable[..., Any]) -> None:
    clock = Clock()
    store = await opened(clock=clock)
    person, first = await linking(store)
    second = await store.make_code(ANA, ROOM, person)
    assert await store.redeem(first, OTHER) is None
    clock.time += CODE_SECONDS
    assert await store.redeem(second, OTHER) is None
    third = await store.make_code(ANA, ROOM, person)
    assert len((await rows_of(store))["codes"]) == 1
    assert await store.redeem(third, OTHER) is not None


async def test_few_wrong_tries_end_a_code_whoever_makes_them(store: Store) -> None:
    _, code = await linking(store)
    wrong = code[:-1] + ("X" if code[-1] != "X" else "Y")
    for number in range(TRIES - 1):
        assert await store.redeem(wrong, account(number)) is None
    assert len((await rows_of(store))["codes"]) == 1
    assert await store.redeem(wrong, OTHER) is None
    assert await store.redeem(code, OTHER) is None
    assert await store.known(OTHER) is None


async def test_a_code_of_one_kind_is_none_of_the_other(store: Store) -> None:
    person, link = await linking(store)
    pair = await store.make_code(OTHER, HERE)
    assert await store.pair(link, person) is None
    assert await store.redeem(pair, account(1)) is None, "who was shown a code of theirs is linked by the operator only"
    assert await store.redeem(link, account(2)) is not None
    done = await store.pair(pair)
    assert done is not None
    assert done.person.id != person
    found = await store.known(OTHER)
    assert found is not None
    assert found.person == done.person


async def test_an_operator_pairs_an_account_with_a_user_that_is_there(store: Store) -> None:
    person = (await store.person_for(ANA)).id
    pair = await store.make_code(OTHER, HERE)
    with pytest.raises(InputError, match="no user"):
        await store.pair(pair, "nobody")
    done = await store.pair(pair, person)
    assert done is not None
    assert (done.person.id, done.account, done.place) == (person, OTHER, HERE)
    assert await store.check() == []


async def test_a_burnt_code_and_one_of_somebody_switched_off_count_for_nothing(store: Store) -> None:
    person, code = await linking(store)
    await store.burn(code)
    assert await store.redeem(code, OTHER) is None
    code = await store.make_code(ANA, ROOM, person)
    await store.change_person(person, enabled=False)
    assert await store.redeem(code, OTHER) is None
    assert await store.known(OTHER) is None


async def test_unknown_accounts_leave_a_bounded_number_of_codes(
    opened: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert WAITING < 1000
    monkeypatch.setattr(module, "WAITING", 7)
    clock = Clock()
    store = await opened(clock=clock)
    made = [await store.make_code(account(n % 20), HERE) for n in range(40)]
    assert len([code for code in made if code]) == 7
    assert len((await rows_of(store))["codes"]) == 7
    assert (await linking(store))[1], "those who are known are not kept from linking"
    clock.time += CODE_SECONDS
    assert await store.make_code(account(1), HERE)
    assert len((await rows_of(store))["codes"]) == 1


@settings(max_examples=50, deadline=None)
@given(st.text(max_size=30) | st.text("0123456789ABCDEFGHJKMNPQRSTVWXYZ-", min_size=9, max_size=12))
def test_whatever_is_typed_is_a_code_or_none(typed: str) -> None:
    async def check() -> None:
        async with Store() as store:
            _, code = await linking(store)
            if typed.upper().translate(module._READ_AS) != code.replace("-", ""):
                assert await store.redeem(typed, OTHER) is None
                assert await store.pair(typed) is None
            assert len((await rows_of(store))["accounts"]) == 1

    asyncio.run(check())


# ---- races ---------------------------------------------------------------------------------------------------

STEPS = st.lists(
    st.tuples(st.sampled_from(["link", "unlink", "redeem", "code", "off", "on"]), st.integers(0, 3), st.integers(0, 2)),
    min_size=2,
    max_size=14,
)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(STEPS)
def test_two_that_change_accounts_at_once_leave_each_with_one_owner(url: str, tmp_path: Path, steps: Any) -> None:
    """Whatever two processes do to the same people at once: each account has one owner, who is there; no code counts
    twice; nobody loses the last account but by saying so, or to somebody else."""

    async def run() -> None:
        tenant = uuid.uuid4().hex
        async with contextlib.AsyncExitStack() as stack:
            stores = [Store(url, home=tmp_path, tenant=tenant) for _ in range(2)]
            for store in stores:
                await stack.enter_async_context(store)
            people = [(await stores[0].person_for(account(n))).id for n in range(3)]
            codes: list[str] = [await stores[0].make_code(account(n), ROOM, people[n]) for n in range(3)]
            used: list[str] = []

            async def act(store: Store, what: str, number: int, who: int) -> None:
                with contextlib.suppress(InputError):
                    match what:
                        case "link":
                            await store.link(account(number), people[who])
                        case "unlink":
                            await store.unlink(account(number))
                        case "code":
                            codes.append(await store.make_code(account(number), ROOM, people[who]))
                        case "redeem":
                            code = codes[(number + who) % len(codes)]
                            if await store.redeem(code, account(number)) is not None:
                                used.append(code)
                        case _:
                            await store.change_person(people[who], enabled=what == "on")

            await asyncio.gather(*(act(stores[n % 2], *step) for n, step in enumerate(steps)))
            assert len(used) == len(set(used))
            for store in stores:
                await store.disabled()
                owned = [each.account.id for id in people for each in await store.accounts(id)]
                assert len(owned) == len(set(owned))
                assert len(owned) >= 1, "somebody has an account: the last one is only lost to somebody else"
                for number in range(4):
                    found = await store.known(account(number))
                    assert found is None or found.person.id in people
                    assert (found is not None) == (account(number).id in owned)
            assert await stores[0].check() == []

    asyncio.run(run())


CHILD = """
import asyncio, sys
from pathlib import Path
from gitu_core.model import Account
from gitu_core.store import Store

async def main(url, home, name):
    async with Store(url, home=Path(home)) as store:
        print("ready", flush=True)
        for code in sys.stdin.readline().split():
            done = await store.redeem(code, Account(channel="c", id=name + code))
            print("linked" if done else "void", flush=True)

asyncio.run(main(*sys.argv[1:]))
"""


async def test_two_processes_that_type_the_same_codes_link_one_account_each(
    opened: Callable[..., Any], url: str, tmp_path: Path
) -> None:
    store = await opened()
    codes = []
    for number in range(8):
        person = (await store.person_for(account(number))).id
        codes.append(await store.make_code(account(number), ROOM, person))
    command = [sys.executable, "-c", CHILD, url, str(tmp_path)]
    pipe = subprocess.PIPE
    children = [
        subprocess.Popen([*command, name], stdin=pipe, stdout=pipe, text=True, cwd=ROOT, env=dict(os.environ))  # noqa: ASYNC220
        for name in ("one", "two")
    ]
    for child in children:
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
    for child in children:
        assert child.stdin is not None
        child.stdin.write(" ".join(codes) + "\n")
        child.stdin.flush()
    said = [(await asyncio.to_thread(child.communicate))[0].split() for child in children]
    assert [sorted(pair) for pair in zip(*said, strict=True)] == [["linked", "void"]] * len(codes)
    assert len((await rows_of(store))["accounts"]) == 2 * len(codes)
    assert await store.check() == []
