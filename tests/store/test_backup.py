"""Backup, restore, check, and files of earlier versions."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gitu_core.contracts.audit import AuditEntry
from gitu_core.contracts.budgets import Bill, Hold, Slot, Standing, Used
from gitu_core.contracts.host import Entry
from gitu_core.contracts.ports import Approval, StepEntry, UsageEntry
from gitu_core.contracts.timers import Timer
from gitu_core.errors import Damaged, StoreError
from gitu_core.model import Ask, Usage, from_outside
from gitu_core.model.steps import CallAnswered, Parked, Resumed
from gitu_core.store import Store, restore
from gitu_core.store.sql import compiled
from gitu_core.testing.invariants import open_messages
from tests.store.conftest import new_database
from tests.store.make import ANA, ROOM, inbox, outgoing, said, step

CORPUS = Path(__file__).parent / "corpus"


async def filled(store: Store, large: bytes = b"large" * 14_000) -> None:
    """Writes something into every table."""
    person = await store.person_for(ANA, person="ana")
    session = await store.session_for(ROOM, person.id)
    await store.make_code(ANA, ROOM, person.id)
    await store.accept(inbox("k"))
    used = UsageEntry(
        id="u", person="ana", session="s", turn="t", model="m", owner="platform", usage=Usage(cost=7), at=1.0
    )
    await store.write(step(0), step(1), said(1, session.id), said(2, session.id), outgoing("o"), used)
    await store.kv_put("p", Entry(key="k", value=[1], person="ana"))
    await store.put_blob(b"small", "text/plain", person="ana")
    await store.put_blob(large, "text/plain", person="ana")
    await store._script(lambda: _worker(store), "ana")
    asked = Approval("a", "ana", "s", "t2", "m", "c", "00", Ask("a", "May I?", ("yes", "no")), 9.0, 1.0)
    steps = (CallAnswered("c", "a", "yes", "ana", "00"), Parked(("c",), from_outside("x")), Resumed("w"))
    await store.write(asked, *(StepEntry("t2", n, each, "s", "ana", 1.0) for n, each in enumerate(steps)))
    await store.put_timer(Timer("p", "k", 5.0, {"a": 1}, "ana"))
    facts = {"call": "c", "reason": "she said so"}
    await store.write(AuditEntry("effect", "mail", "ok", "ana", "s", "t", facts, 1.0, "t_3.effect"))
    await store.set_aside(hold())


def hold(id: str = "h") -> Hold:
    """A call of ana's that may use 5 nano-dollars and 30 tokens, set aside in her envelope of 100."""
    bill = Bill(id, Used("ana", "s", "p", "p/j", "m", "platform"), Usage(10, 20, cost=5), 1.0, "t")
    return Hold(
        bill, (Slot("b", ("ana",), '["b", "", "ana"]', 0.0, 9.0, 100, None, lambda used: used.person == "ana", "ana"),)
    )


def _worker(store: Store) -> Any:
    """Rows of a worker and its lane."""
    yield "worker_add", (store.tenant, "w", 1, 0, 1.0, "host 1")
    yield "lane_claim", ("s", store.tenant, "w", 1)


async def rows_of(store: Store) -> dict[str, list[tuple[Any, ...]]]:
    """Everything that is stored, comparable."""
    found: dict[str, list[tuple[Any, ...]]] = {}
    async for table, rows in store.engine.scan(compiled().tables):
        found.setdefault(table, []).extend(tuple(row) for row in rows)
    return {table: sorted(rows, key=repr) for table, rows in found.items()}


@pytest.mark.anyio
@pytest.mark.parametrize("goal", ["sqlite", "postgresql"])
async def test_a_backup_is_restored_to_either_engine(
    opened: Callable[..., Any], tmp_path: Path, goal: str, target_url: str
) -> None:
    store = await opened()
    await filled(store)
    await store.backup(tmp_path / "copy")
    with pytest.raises(StoreError, match="exists"):
        await store.backup(tmp_path / "copy")
    home = tmp_path / "new"
    url = f"sqlite:///{home / 'gitu.db'}" if goal == "sqlite" else target_url
    assert not [path for path in (tmp_path / "copy").rglob("*") if "key" in path.name]
    await restore(tmp_path / "copy", url, home, prefix="r_")
    shutil.copy(tmp_path / "master.key", home if home.exists() else _made(home))
    async with Store(url, home=home, prefix="r_") as other:
        if goal == store.engine.dialect:
            assert await rows_of(other) == await rows_of(store)
        assert await other.check() == []
        assert await other.steps("t") == await store.steps("t")
        blob = await store.put_blob(b"large" * 14_000, "text/plain", person="ana")
        assert await other.read_blob(blob) == b"large" * 14_000
        assert not (await other.accept(inbox("k"))).fresh
        assert (await other.accept(inbox("another"))).fresh
        assert (await other.usage()).cost == 7
    with pytest.raises(StoreError, match="holds a database already"):
        await restore(tmp_path / "copy", url, home, prefix="r_")


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder


@pytest.fixture
def target_url(postgres: str) -> str:
    """Another empty database on the server."""
    return new_database(postgres)


@pytest.mark.anyio
async def test_a_folder_that_is_no_backup_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Damaged, match="no backup"):
        await restore(tmp_path, home=tmp_path / "new")


@pytest.mark.anyio
@pytest.mark.parametrize("version", sorted(path.name for path in CORPUS.iterdir() if path.is_dir()))
async def test_a_database_of_an_earlier_version_loads(version: str, tmp_path: Path) -> None:
    """The corpus: every version that changes what is stored adds one; see `corpus/README.md`."""
    home = tmp_path / "home"
    shutil.copytree(CORPUS / version, home)
    (home / "master.key").chmod(0o600)
    async with Store(home=home) as store:
        assert await store.check() == []
        person = await store.person_for(ANA)
        assert (person.id, person.name) == ("ana", "Ana")
        session = await store.session_for(ROOM, "ana")
        assert session.messages == 2
        assert [e.message.text for e in await store.history(session.id, 100)] == ["words 1", "words 2"]
        assert [entry.message.key for _, entry in await open_messages(store)] == ["k"]
        assert [entry.n for entry in await store.steps("t")] == [0, 1]
        assert [entry.outgoing.id for entry in await store.unsent()] == ["o"]
        await store.write(outgoing("o", tries=1))
        assert [entry.tries for entry in await store.unsent(channel="terminal")] == [1]
        assert (await store.kv_list("p"))[0].value == [1]
        assert (await store.usage("ana")).cost == 7
        assert not (await store.accept(inbox("k"))).fresh
        if version >= "0002":
            assert [each.ask.question for each in await store.approvals("ana")] == ["May I?"]
            assert [type(each.step) for each in await store.steps("t2")] == [CallAnswered, Parked, Resumed]
            assert [each.about for each in await store.others()] == ["host 1"]
            await store.join("host 2")
            timers, _ = await store.take_timers(["p"], 10, ())
            assert [(each.key, each.data, each.person) for each in timers] == [("k", {"a": 1}, "ana")]
        if version >= "0004":
            assert [(each.n, each.subject, each.facts["reason"]) for each in await store.audit()] == [
                (1, "mail", "she said so")
            ]
            assert [each.account for each in await store.accounts("ana")] == [ANA]
        if version >= "0005":
            assert await store.held() == [('["b", "", "ana"]', 5, 30)]
            assert await store.set_aside(hold("h2")) == [Standing(7, 0, 5, 30)]
