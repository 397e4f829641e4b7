"""Keys are replaced while others work on: killed anywhere, nothing is lost, everything is found, the audit is whole."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gitu_core.contracts.host import Entry
from gitu_core.errors import Damaged, InputError, KeyUnavailable
from gitu_core.store import Store, restore
from gitu_core.store import rotation as module
from gitu_core.store.blobs import still
from gitu_core.store.keys import REFRESH
from gitu_core.store.rotation import SEALED
from gitu_core.store.sql import compiled
from tests.store.make import ANA, ROOM, inbox, outgoing, said
from tests.store.test_backup import filled
from tests.store.test_keys import run

pytestmark = pytest.mark.anyio
ROOT = Path(__file__).resolve().parents[2]
LARGE = b"large" * 14_000


@pytest.fixture(autouse=True)
def _plain(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GITU_MASTER_KEY", raising=False)


async def whole(store: Store) -> None:
    """Everything can be read and found."""
    assert await store.check() == []
    assert (await store.audit_verify()).problems == ()
    assert [each.facts.get("reason") for each in await store.audit()] == ["she said so", None]
    assert [each.when for each in await store.grants("ana")] == [{"to": ("b*",)}]
    assert (await store.person_for(ANA)).id == "ana"
    assert (await store.session_for(ROOM, "ana")).person == "ana"
    assert not (await store.accept(inbox("k"))).fresh
    assert [entry.n for entry in await store.steps("t")] == [0, 1]
    assert [entry.outgoing.id for entry in await store.unsent()] == ["o"]
    for data in (b"small", LARGE):
        assert await store.read_blob(await store.put_blob(data, "text/plain", person="ana")) == data


async def older(store: Store) -> list[tuple[str, str]]:
    """The rows, and files, that are not sealed by the newest key of their person."""
    newest = "SELECT person, id FROM \"@keys\" WHERE purpose = 'data' ORDER BY generation"
    keys = {row[0]: bytes(row[1]) for row in await store._script(run((newest, ())))}
    found = []
    for table in SEALED:
        async for _, rows in store.engine.scan({table: compiled().tables[table]}):
            for row in rows:
                named = dict(zip(compiled().tables[table], row, strict=True))
                person = named["person"] if "person" in named else named["id"]
                sealed = [bytes(named[name]) for name in ("body", "meta") if named.get(name)]
                found += [(table, person) for each in sealed if each[1:9] != keys[person]]
    blobs = [path for path in (store.home or Path()).glob("blobs/*/*") if path.is_file()]
    return found + [("file", path.name) for path in blobs if path.read_bytes()[1:9] not in keys.values()]


def test_every_table_with_something_sealed_is_sealed_anew() -> None:
    assert set(SEALED) == {table for table, columns in compiled().tables.items() if "body" in columns}


async def test_a_new_master_key_takes_over_while_another_process_works_on(
    opened: Callable[..., Any], tmp_path: Path
) -> None:
    store, other = await opened(), await opened()
    await filled(store)
    await other.write(said(9, "mine", person="bo"))
    (old,) = (await store.key_status()).known
    new, count = await store.rotate_master()
    status = await store.key_status()
    assert (status.known, status.current, status.wraps) == ((new, old), new, {new: count})
    await other.write(said(10, "mine", person="bo"), said(1, "hers", person="cleo"))
    other._tails.clear()
    other._keys._loaded.clear()
    assert [entry.at for entry in await other.history("mine", 100)] == [9.0, 10.0]
    await whole(other)
    assert (await store.key_status()).wraps == {new: count + 1}, "a new person's key, by who began before"
    for name, why in ((new, "the one for new keys|still wraps"), ("00", "no master key")):
        with pytest.raises(InputError, match=why):
            await store.drop_master(name)
    await store.drop_master(old)
    assert len((tmp_path / "master.key").read_text().split()) == 1
    await other.write(said(2, "his", person="dan"))
    await whole(await opened())
    await other.write(said(11, "mine", person="bo"))


async def test_a_key_that_still_wraps_is_not_dropped(opened: Callable[..., Any], tmp_path: Path) -> None:
    store = await opened()
    await filled(store)
    (old,) = (await store.key_status()).known
    new, count = await store.rotate_master(prepare=True)
    assert count == 0
    assert (await store.rotate_master(prepare=True))[0] == new, "one is prepared already"
    assert (await store.key_status()).current == old
    with pytest.raises(InputError, match="still wraps"):
        await store.drop_master(old)
    await whole(await opened())
    assert (await store.rotate_master())[0] == new
    assert set((await store.key_status()).wraps) == {new}
    await whole(await opened())


async def test_who_does_not_have_the_new_key_is_told_and_goes_on_once_it_is_there(
    opened: Callable[..., Any], tmp_path: Path
) -> None:
    store = await opened()
    await filled(store)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    shutil.copy(tmp_path / "master.key", elsewhere)
    other = await opened(home=elsewhere)
    new, _ = await store.rotate_master()
    with pytest.raises(KeyUnavailable, match=f"sealed with the master key {new}; here is") as raised:
        await other.steps("t")
    assert raised.value.details["key"] == new
    assert "master.key" in raised.value.hint
    with pytest.raises(KeyUnavailable):
        await other.accept(inbox("new", person="eve"))
    shutil.copy(tmp_path / "master.key", elsewhere)
    assert [entry.n for entry in await other.steps("t")] == [0, 1]
    assert (await other.accept(inbox("new", person="eve"))).fresh


async def test_all_tenants_are_wrapped_anew(opened: Callable[..., Any]) -> None:
    store, other = await opened(), await opened(tenant="other")
    await store.write(said(1))
    await other.write(said(2))
    new, count = await store.rotate_master()
    assert (await other.key_status()).wraps == {new: count} == {new: 4}
    await other.write(said(3, "later", person="new"))
    again = await opened(tenant="other")
    assert len(await again.history("s", 10)) == len(await again.history("later", 10)) == 1


async def test_a_key_that_was_changed_keeps_no_other_from_being_wrapped(opened: Callable[..., Any]) -> None:
    store = await opened()
    await store.write(*(said(n, f"s{n}", person=f"p{n}") for n in range(5)))
    await store._script(run(("UPDATE \"@keys\" SET person = 'px' WHERE person = 'p3'", ())))
    with pytest.raises(Damaged, match="the key of px"):
        await store.rotate_master()
    status = await store.key_status()
    assert [status.wraps[name] for name in status.known] == [5, 1]
    store = await opened()
    assert [len(await store.history(f"s{n}", 10)) for n in (0, 1, 2, 4)] == [1] * 4


async def test_people_get_new_keys_and_everything_is_sealed_anew(opened: Callable[..., Any]) -> None:
    store = await opened()
    await filled(store)
    await store.write(*(said(n, f"s{n}", person=f"p{n}") for n in range(450)))
    seen: list[tuple[str, int, int]] = []
    assert await older(store) == []
    count = await store.renew_keys(lambda *each: seen.append(each))
    assert await older(store) == []
    assert count > 460
    assert {each[0] for each in seen} == set(SEALED) - {"turns"}
    assert [each[1] for each in seen if each[0] == "messages"][-1] == 452
    assert not (await store.key_status()).renewing
    await whole(store)
    await whole(await opened())
    generations = await store._script(run(('SELECT max(generation), min(generation) FROM "@keys"', ())))
    assert tuple(generations[0]) == (2, 1)
    assert await store.rotate_master()
    await whole(await opened())


@pytest.mark.slow
async def test_what_others_write_meanwhile_is_kept(opened: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_BATCH", 3)
    store, other = await opened(), await opened()
    await filled(store)
    for n in range(20):
        await store.kv_put("p", Entry(key=f"k{n}", value=-1, person="ana"))
    await other.kv_put("p", Entry(key="k0", value=0, person="ana"))  # from here on it seals by the former key
    over = False
    last: dict[str, int] = {}

    async def write() -> None:
        n = 0
        while not over:
            n += 1
            key = f"k{n % 20}"
            await other.kv_put("p", Entry(key=key, value=n, person="ana"))
            last[key] = n
            await other.write(said(n, "talk"), outgoing("o", tries=n))

    task = asyncio.create_task(write())
    await store.renew_keys()
    over = True
    await task
    assert len(last) > 5
    for key, value in last.items():
        found = await store.kv_get("p", key)
        assert found is not None
        assert found.value == value
    await whole(await opened())
    other._keys._refreshed -= REFRESH + 1  # it looks again now
    await other.write(said(1, "again"), outgoing("o2"))
    assert ("messages", "ana") in await older(store), "what it wrote before stays readable, by the former key"
    await store.write(said(2, "again"))
    await store.renew_keys()
    assert await older(store) == []


async def test_a_row_that_was_changed_keeps_no_other_from_being_sealed_anew(opened: Callable[..., Any]) -> None:
    store = await opened()
    await filled(store)
    await store._script(run(('UPDATE "@messages" SET tokens = 7 WHERE at = 1', ())))
    await store.renew_keys()
    assert await older(store) == [("messages", "ana")]
    assert any("message" in problem for problem in await store.check())


async def test_an_old_backup_needs_the_old_key_and_says_which(opened: Callable[..., Any], tmp_path: Path) -> None:
    store = await opened(url=f"sqlite:///{tmp_path / 'gitu.db'}")
    await filled(store)
    (old,) = (await store.key_status()).known
    shutil.copy(tmp_path / "master.key", tmp_path / "old.key")
    await store.backup(tmp_path / "copy")
    new, _ = await store.rotate_master()
    await store.renew_keys()
    await store.backup(tmp_path / "later")
    await store.drop_master(old)
    home = tmp_path / "back"
    assert await restore(tmp_path / "copy", home=home) == {old}
    shutil.copy(tmp_path / "master.key", home)
    with pytest.raises(KeyUnavailable, match=f"sealed with the master key {old}; here is {new}"):
        await Store(home=home).open()
    shutil.copy(tmp_path / "old.key", home / "master.key")
    async with Store(home=home) as other:
        await whole(other)
        assert (await other.rotate_master())[0] not in (old, new)
        await whole(other)
    home = tmp_path / "both"
    assert await restore(tmp_path / "later", home=home) == {new}
    shutil.copy(tmp_path / "master.key", home)
    async with Store(home=home) as other:
        await whole(other)


async def test_a_backup_and_the_sealing_of_files_wait_for_each_other(tmp_path: Path) -> None:
    async with Store(home=tmp_path) as store:
        await filled(store)
        async with still(tmp_path):
            copying = asyncio.create_task(store.backup(tmp_path / "copy"))
            renewing = asyncio.create_task(store.renew_keys())
            await asyncio.sleep(0.5)
            assert not copying.done()
            assert not renewing.done()
        await asyncio.gather(copying, renewing)
    await restore(tmp_path / "copy", home=tmp_path / "new")
    shutil.copy(tmp_path / "master.key", tmp_path / "new")
    async with Store(home=tmp_path / "new") as other:
        await whole(other)


async def test_old_keys_go_with_the_person(opened: Callable[..., Any]) -> None:
    store = await opened()
    await filled(store)
    await store.renew_keys()
    await store._script(run(("DELETE FROM \"@keys\" WHERE person = 'ana'", ())))
    fresh = await opened()
    report = await fresh.audit_verify()
    assert (report.problems, report.erased) == ((), 2)
    await fresh.renew_keys()
    assert (await fresh.audit_verify()).erased == 2
    rows = await fresh._script(run(("SELECT count(*) FROM \"@keys\" WHERE person = 'ana'", ())))
    assert rows[0][0] == 0, "nobody who was erased gets a key again"


@pytest.mark.parametrize("what", ["master", "people"])
async def test_killed_anywhere_everything_can_be_read_and_the_next_try_ends_it(
    opened: Callable[..., Any], url: str, tmp_path: Path, what: str
) -> None:
    other = await opened()
    await filled(other)
    await other.write(*(said(n, f"s{n}", person=f"p{n}") for n in range(250)))

    def child(fault: str) -> int:
        command = [sys.executable, "-m", "tests.store.rotate_child", url, str(tmp_path), what]
        done = subprocess.run(command, cwd=ROOT, env={**os.environ, "GITU_FAILPOINT": fault}, capture_output=True)
        assert done.returncode in (0, -9), done.stderr.decode()
        return done.returncode

    deaths, step_of = 0, 1 if what == "master" else 5
    for point in ("writer.begin", "writer.rows"):
        for nth in range(1, 60, step_of):
            before = await other.key_status()
            if child(f"{point}:kill:{nth}") == 0:
                break
            if set(before.wraps) != {before.known[0]}:
                assert (await other.key_status()).known == before.known, "what was begun goes on with its key"
            deaths += 1
            reader = await opened()
            await whole(reader)
            await reader.close()
            await other.write(said(1000 + nth, f"new {point}", person=f"{point}{nth}"))
        else:
            pytest.fail("it never came to its end")
    assert deaths >= 6
    await whole(await opened())
    await whole(other)
    status = await other.key_status()
    if what == "master":
        assert set(status.wraps) == {status.current} == {status.known[0]}
    else:
        assert not status.renewing
        mine = [each for each in await older(await opened()) if not each[1].startswith("writer.")]
        assert mine == []
