"""The writer: groups, order, failures of one and of all, other processes, sudden death."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gitu_core.errors import Damaged, InputError, StoreError
from gitu_core.model import Location
from gitu_core.store import Store
from gitu_core.testing.invariants import open_messages
from tests.store.make import inbox, message, outgoing, said, step

pytestmark = pytest.mark.anyio
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'gitu.db'}"


async def test_one_bad_record_fails_alone(store: Store) -> None:
    await store.write(step(0, "taken"))
    records = [(step(0, "taken" if n in (7, 13) else f"t{n}"), said(n)) for n in range(20)]
    results = await asyncio.gather(*(store.write(*pair) for pair in records), return_exceptions=True)
    assert [n for n, result in enumerate(results) if result is not None] == [7, 13]
    assert isinstance(results[7], StoreError)
    kept = [n for n in range(20) if n not in (7, 13)]
    assert [entry.at for entry in await store.history("s", 100)] == [float(n) for n in kept]


async def test_order_is_kept_between_posts_and_writes(store: Store) -> None:
    for n in range(300):
        store.post(said(n), outgoing("o", tries=n))
    await store.write(said(300))
    assert [entry.at for entry in await store.history("s", 1000)] == [float(n) for n in range(301)]
    assert (await store.unsent())[0].tries == 299


async def test_every_reader_sees_what_was_posted_before_also_beside_others(store: Store) -> None:
    for n in range(20):
        store.post(outgoing(f"o{n}"))
        found = await asyncio.gather(*(store.outgoing(f"o{n}") for _ in range(5)))
        assert all(found)


async def test_a_lost_post_is_reported(store: Store) -> None:
    await store.write(step(0))
    store.post(step(0), said(1))
    assert await store.history("s", 10) == []
    assert "not written" in (await store.check())[0]


async def test_what_cannot_be_stored_is_refused_at_once_and_nothing_is_written(store: Store) -> None:
    with pytest.raises(InputError):
        await store.accept(inbox("k", "\ud800"))
    odd = message("k")
    with pytest.raises(InputError):
        await store.accept(
            inbox("k").__class__(
                message=odd.__class__(
                    key="k", conversation=odd.conversation, sender=odd.sender,
                    parts=(Location(latitude=float("nan"), longitude=0.0),),
                ),
                person="ana", session="s",
            )
        )  # fmt: skip
    assert await open_messages(store) == []


async def test_ten_megabytes_nul_and_odd_text_come_back(store: Store) -> None:
    odd = "e\u0301\u202e\ufeff\U0001f468\u200d\U0001f469"
    for n, text in enumerate(["\x00a\x00", odd, "x" * 10_000_000]):
        await store.accept(inbox(f"k{n}", text))
        assert (await open_messages(store))[-1][1].message.text == text


async def test_a_cancelled_wait_disturbs_nobody(store: Store) -> None:
    waiting = asyncio.create_task(store.write(said(1)))
    await asyncio.sleep(0)
    waiting.cancel()
    await store.write(said(2))
    assert len(await store.history("s", 10)) == 2


async def test_a_closed_store_says_so(store: Store) -> None:
    await store.close()
    await store.close()
    with pytest.raises(StoreError, match="closed"):
        await store.accept(inbox("k"))
    await store.open()
    assert (await store.accept(inbox("k"))).fresh


async def test_a_full_disk_is_an_error_until_there_is_room(opened: Callable[..., Any], sqlite_url: str) -> None:
    store = await opened(url=sqlite_url)
    await store.write(said(0))
    pages = await store.engine.raw(lambda c: c.execute("PRAGMA page_count").fetchone()[0])
    await store.engine.raw(lambda c: c.execute(f"PRAGMA max_page_count = {pages}").fetchone())
    big = [store.accept(inbox(f"k{n}", "x" * 100_000)) for n in range(3)]
    for result in await asyncio.gather(*big, return_exceptions=True):
        assert isinstance(result, StoreError)
        assert "full" in str(result)
        assert "space" in result.hint
    await store.engine.raw(lambda c: c.execute("PRAGMA max_page_count = 1000000").fetchone())
    assert (await store.accept(inbox("k0", "x" * 100_000))).fresh


async def test_a_read_only_database_is_an_error_until_it_is_writable(
    opened: Callable[..., Any], sqlite_url: str
) -> None:
    store = await opened(url=sqlite_url)
    await store.engine.raw(lambda c: [c.execute(text) for text in ("COMMIT", "PRAGMA query_only = ON", "BEGIN")])
    with pytest.raises(StoreError, match="read-only"):
        await store.write(said(1))
    store.engine._writer.execute("PRAGMA query_only = OFF")
    await store.write(said(2))
    assert [e.at for e in await store.history("s", 10)] == [2.0]


async def test_a_locked_database_is_an_error_until_it_is_free(
    opened: Callable[..., Any], sqlite_url: str, tmp_path: Path
) -> None:
    store = await opened(url=sqlite_url, busy_seconds=0.1)
    other = sqlite3.connect(tmp_path / "gitu.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    results = await asyncio.gather(*(store.write(said(n)) for n in range(30)), return_exceptions=True)
    assert all(isinstance(result, StoreError) and "locked" in str(result) for result in results)
    other.execute("ROLLBACK")
    other.close()
    await store.write(said(99))
    assert len(await store.history("s", 100)) == 1


async def test_a_file_that_is_no_database_is_damaged(tmp_path: Path) -> None:
    (tmp_path / "gitu.db").write_bytes(b"no database " * 1000)
    with pytest.raises(Damaged):
        await Store(home=tmp_path).open()


async def test_a_database_in_memory_works_alike(tmp_path: Path) -> None:
    async with Store() as store:
        await store.write(said(1))
        assert (await store.accept(inbox("k"))).fresh
        assert len(await store.history("s", 10)) == 1
        await store.backup(tmp_path / "copy")
        assert await store.check() == []


def _child(url: str, home: Path, name: str, count: int) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tests.store.child", url, str(home), name, str(count)]
    return subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": str(ROOT)}
    )


async def test_two_processes_share_a_database(url: str, opened: Callable[..., Any], tmp_path: Path) -> None:
    children = [_child(url, tmp_path, name, 100) for name in ("a", "b")]
    for child in children:
        await asyncio.to_thread(child.communicate)
        assert child.returncode == 0
    store = await opened()
    assert len(await open_messages(store)) == 200
    assert [len(await store.steps(name)) for name in ("a", "b")] == [100, 100]
    assert await store.check() == []


async def test_what_was_acknowledged_survives_a_sudden_death(
    url: str, opened: Callable[..., Any], tmp_path: Path
) -> None:
    child = _child(url, tmp_path, "a", 100_000)
    assert child.stdout is not None
    said_safe = [int(child.stdout.readline()) for _ in range(200)]
    child.kill()
    said_safe += [int(line) for line in child.stdout.read().split()]
    child.wait()
    child.stdout.close()
    store = await opened()
    assert set(said_safe) <= {entry.n for entry in await store.steps("a")}
    assert {f"a-{n}" for n in said_safe} <= {e.message.key for _, e in await open_messages(store)}
    found = {entry.at for entry in await store.history("a", 1_000_000, max_messages=100_000)}
    assert {float(n) for n in said_safe} <= found
    assert [p for p in await store.check() if "step is missing" not in p] == []
    assert (await store.accept(inbox("a-0"))).fresh is False
