"""The audit: only ever added to, by any process, and every change of it is found."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gitu_core.contracts.audit import AuditEntry
from gitu_core.contracts.ports import StepEntry
from gitu_core.errors import StoreError
from gitu_core.model import user_message
from gitu_core.model.steps import Noted
from gitu_core.store import Store
from gitu_core.testing import armed

pytestmark = pytest.mark.anyio

Again = Callable[[], Awaitable[Store]]


@pytest.fixture
def again(opened: Callable[..., Any]) -> Again:
    """Opens another store on the same database."""
    return opened


def entry(n: int, person: str = "ana", turn: str = "t") -> AuditEntry:
    """What somebody did."""
    return AuditEntry(
        "effect", "mail", "ok", person, "s", turn, {"call": f"c{n}", "to": "digest"}, float(n), f"{turn}_{n}"
    )


async def run(store: Store, *statements: tuple[str, Any]) -> list[tuple[Any, ...]]:
    """Runs statements as somebody with the database would."""

    def script() -> Any:
        rows = None
        for statement, params in statements:
            rows = yield statement, params
        return rows

    return [tuple(row) for row in await store._script(script) or ()]


async def test_entries_follow_each_other_and_are_found_by_turn_and_person(store: Store) -> None:
    assert (await store.audit_verify()).entries == 0
    await store.write(entry(1), entry(2))
    await store.write(entry(3, "bob", "u"))
    found = await store.audit()
    assert [(each.n, each.id, each.facts["call"]) for each in found] == [
        (1, "t_1", "c1"),
        (2, "t_2", "c2"),
        (3, "u_3", "c3"),
    ]
    assert len({each.hash for each in found}) == 3
    assert [each.n for each in await store.audit(turn="u")] == [3]
    assert [each.n for each in await store.audit(person="ana")] == [1, 2]
    assert [each.n for each in await store.audit(limit=2)] == [2, 3]
    report = await store.audit_verify()
    assert (report.entries, report.problems, report.head) == (3, (), f"3:{found[-1].hash}")
    assert await store.check() == []


async def test_two_processes_add_to_one_chain(store: Store, again: Again) -> None:
    other = await again()

    async def add(where: Store, turn: str) -> None:
        for n in range(20):
            await where.write(entry(n, turn=turn))

    await asyncio.gather(add(store, "t"), add(other, "u"))
    report = await store.audit_verify()
    assert (report.entries, report.problems) == (40, ())
    assert [each.id for each in await other.audit(turn="u")] == [f"u_{n}" for n in range(20)]


async def test_what_is_recorded_again_stands_there_once(store: Store) -> None:
    await store.write(entry(1))
    await store.write(entry(1), entry(1), entry(2))
    assert [each.id for each in await store.audit()] == ["t_1", "t_2"]
    assert (await store.audit_verify()).problems == ()


async def test_an_entry_is_written_with_its_step_or_not_at_all(store: Store) -> None:
    step = StepEntry("t", 0, Noted(user_message("x")), "s", "ana", 1.0)
    with armed("writer.rows:raise=store"), pytest.raises(StoreError):
        await store.write(step, entry(1))
    assert await store.audit() == []
    await store.write(step, entry(1))
    results = await asyncio.gather(store.write(step, entry(2)), store.write(entry(3)), return_exceptions=True)
    assert [isinstance(each, StoreError) for each in results] == [True, False]
    assert [each.id for each in await store.audit()] == ["t_1", "t_3"]
    assert (await store.audit_verify()).problems == ()


TAMPERED = {
    "outcome": (
        [("UPDATE \"@audit\" SET outcome = 'denied' WHERE n = 2", ())],
        "entry 2 (t_2) is not what was written",
    ),
    "person": ([("UPDATE \"@audit\" SET person = 'eve' WHERE n = 2", ())], "entry 2 (t_2) is not what was written"),
    "time": ([('UPDATE "@audit" SET at = 9.0 WHERE n = 3', ())], "entry 3 (t_3) is not what was written"),
    "taken out": ([('DELETE FROM "@audit" WHERE n = 2', ())], "entry 2 is missing"),
    "cut off": ([('DELETE FROM "@audit" WHERE n > 2', ())], "the chain ends at entry 2, and it was 4 entries long"),
    "cut off with its end": (
        [('DELETE FROM "@audit" WHERE n > 2', ()), ('UPDATE "@audit_head" SET n = 2', ())],
        "the chain ends at entry 2",
    ),
    "moved": (
        [(f'UPDATE "@audit" SET n = {one} WHERE n = {two}', ()) for one, two in ((99, 2), (2, 3), (3, 99))],
        "entry 2 (t_3) is not what was written",
    ),
    "facts of another": (
        [('UPDATE "@audit" SET body = (SELECT body FROM "@audit" WHERE n = 1) WHERE n = 2', ())],
        "the facts of entry 2 (t_2) are not those",
    ),
}


@pytest.mark.parametrize("what", TAMPERED)
async def test_every_change_by_somebody_with_the_database_is_found(store: Store, what: str) -> None:
    await store.write(*(entry(n) for n in range(1, 5)))
    head = (await store.audit_verify()).head
    statements, problem = TAMPERED[what]
    await run(store, *statements)
    report = await store.audit_verify(head)
    assert any(each.startswith(problem) for each in report.problems), report.problems
    assert any("audit: " in each for each in await store.check())


async def test_a_copy_from_earlier_is_found_by_whoever_noted_the_end(store: Store) -> None:
    await store.write(entry(1), entry(2))
    rows = await run(store, ('SELECT n, hash FROM "@audit_head"', ()))
    await store.write(entry(3))
    noted = (await store.audit_verify()).head
    await run(store, ('DELETE FROM "@audit" WHERE n = 3', ()))
    await run(store, ("audit_move", (*rows[0], store.tenant)))
    assert (await store.audit_verify()).problems == (), "by itself it looks whole"
    assert "there is no entry" in (await store.audit_verify(noted)).problems[0]


async def test_the_chain_holds_when_a_person_is_erased(store: Store) -> None:
    await store.write(entry(1), entry(2, "bob"), entry(3))
    await run(store, ("UPDATE \"@audit\" SET body = NULL WHERE person = 'bob'", ()))
    report = await store.audit_verify()
    assert (report.entries, report.erased, report.problems) == (3, 1, ())
    assert [each.facts for each in await store.audit(person="bob")] == [{}]


async def test_the_chain_holds_when_the_key_of_a_person_is_gone(opened: Callable[..., Any]) -> None:
    store = await opened()
    await store.write(entry(1), entry(2, "bob"))
    await run(store, ("DELETE FROM \"@keys\" WHERE person = 'bob'", ()))
    again = await opened()
    report = await again.audit_verify()
    assert (report.entries, report.erased, report.problems) == (2, 1, ())


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    groups=st.lists(st.lists(st.integers(0, 30), min_size=1, max_size=5), min_size=1, max_size=6),
    victim=st.integers(0, 200), column=st.sampled_from(["kind", "subject", "outcome", "session", "turn", "id"]),
)  # fmt: skip
async def test_any_column_of_any_entry_is_bound(
    opened: Callable[..., Any], groups: list[list[int]], victim: int, column: str
) -> None:
    store = await opened(tenant=f"t{victim}-{column}-{hash(str(groups))}")
    await asyncio.gather(*(store.write(*(entry(n) for n in group)) for group in groups))
    found = await store.audit(limit=1000)
    assert {each.id for each in found} == {f"t_{n}" for group in groups for n in group}
    assert (await store.audit_verify()).problems == ()
    n = found[victim % len(found)].n
    where = f"WHERE n = {n} AND tenant = '{store.tenant}'"
    await run(store, (f"UPDATE \"@audit\" SET {column} = {column} || 'x' {where}", ()))
    assert (await store.audit_verify()).problems[0].startswith(f"entry {n} ")
