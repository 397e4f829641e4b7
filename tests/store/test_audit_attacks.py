"""Who has the database and not the master key tries to change the record unnoticed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from gitu_core.contracts.audit import AuditEntry
from gitu_core.contracts.ports import StepEntry
from gitu_core.errors import KeyUnavailable
from gitu_core.model import ToolCall, ToolResult
from gitu_core.model.steps import CallAnswered, CallDecided, CallFinished, CallStarted
from gitu_core.store import Store
from gitu_core.testing.invariants import audit_gaps
from tests.store.test_audit import entry, run

pytestmark = pytest.mark.anyio

COLUMNS = "tenant, id, person, session, turn, at, kind, subject, outcome, digest, hash"
FORGED = f"""INSERT INTO "@audit" (n, {COLUMNS}, body) SELECT %d, tenant, '%s', person, session, turn, at, kind,
    subject, 'allow', digest, hash, NULL FROM "@audit" WHERE n = 2"""

ATTACKS = {
    "the end is taken away": (['DELETE FROM "@audit_head"'], "the chain ends at entry 4, and it was 0 entries long"),
    "the end is taken back to where an earlier entry stands": (
        [
            'UPDATE "@audit_head" SET n = 2, hash = (SELECT hash FROM "@audit" WHERE n = 2)',
            'DELETE FROM "@audit" WHERE n > 2',
        ],
        "the chain ends at entry 2, which is not the end that was written",
    ),
    "the end is taken back, what follows is left": (
        ['UPDATE "@audit_head" SET n = 2, hash = (SELECT hash FROM "@audit" WHERE n = 2)'],
        "the chain ends at entry 4, and it was 2 entries long",
    ),
    "one is added behind the end": ([FORGED % (5, 'f5')], "entry 5 (f5) is not what was written"),
    "one is added before the first": ([FORGED % (-1, 'f0')], "entry -1 (f0) is not what was written"),
    "all but the end is taken away": (['DELETE FROM "@audit"'], "the chain ends at entry 0, and it was 4 entries long"),
    "all is replaced by copies of one": (
        ['DELETE FROM "@audit" WHERE n <> 2', *(FORGED % (n, f"f{n}") for n in (1, 3, 4))],
        "entry 1 (f1) is not what was written",
    ),
}  # fmt: skip


@pytest.mark.parametrize("attack", ATTACKS)
async def test_an_attack_on_the_record_is_found(store: Store, attack: str) -> None:
    await store.write(*(entry(n) for n in range(1, 5)))
    statements, problem = ATTACKS[attack]
    await run(store, *((each, ()) for each in statements))
    report = await store.audit_verify()
    assert any(each.startswith(problem) for each in report.problems), report.problems
    assert any("audit: " in each for each in await store.check())


async def test_one_change_does_not_hide_the_next(store: Store) -> None:
    await store.write(*(entry(n) for n in range(1, 9)))
    await run(store, ("UPDATE \"@audit\" SET outcome = 'x' WHERE n IN (2, 7)", ()))
    problems = (await store.audit_verify()).problems
    assert [each.split(" (")[0] for each in problems] == ["entry 2", "entry 7"]


async def test_what_is_added_while_somebody_verifies_is_no_problem(
    opened: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    store, other = await opened(), await opened()
    await store.write(*(entry(n) for n in range(1, 4)))
    read, left = store._read, [4, 5, 6]

    async def adds(script: Any) -> Any:
        found = await read(script)
        if left:
            await other.write(entry(left.pop(0)))
        return found

    monkeypatch.setattr(store, "_read", adds)
    report = await store.audit_verify()
    assert (report.entries, report.problems) == (6, ())


async def test_a_step_without_its_entry_and_an_entry_without_its_step_are_gaps(store: Store) -> None:
    call = ToolCall("c", "mail")
    steps = (CallDecided(call, "ask"), CallAnswered("c", "q", "yes"), CallStarted("c", "k"),
             CallFinished("c", ToolResult("ok")))  # fmt: skip
    kinds = ("decided", "answered", "begun", "effect")
    for n, (step, kind) in enumerate(zip(steps, kinds, strict=True)):
        await store.write(StepEntry("t", n, step, "s", "ana", 1.0))
        assert await audit_gaps(store) == [f"turn t: that call c was {kind} is in the journal and not in the audit"]
        await store.write(AuditEntry(kind, "mail", "", "ana", "s", "t", {"call": "c"}, 1.0, f"t_{n}"))
        assert await audit_gaps(store) == []
    await store.write(AuditEntry("begun", "mail", "", "ana", "s", "t", {"call": "d"}, 1.0, "t_9"))
    assert await audit_gaps(store) == ["turn t: that call d was begun is in the audit and not in the journal"]


async def test_without_its_master_key_the_record_cannot_be_verified_nor_written_anew(
    opened: Callable[..., Any], tmp_path: Any
) -> None:
    store = await opened()
    await store.write(entry(1))
    await store.close()
    (tmp_path / "master.key").rename(tmp_path / "away")
    with pytest.raises(KeyUnavailable, match="master key is missing"):
        await opened()
    with pytest.raises(KeyUnavailable, match="was sealed with the master key"):
        await opened(master_key=b"x" * 32)
    (tmp_path / "away").rename(tmp_path / "master.key")
    assert (await (await opened()).audit_verify()).problems == ()
