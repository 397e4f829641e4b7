"""Sealing: wrong, missing and changed keys are clear errors, and nothing is lost by them."""

from __future__ import annotations

import base64
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gitu_core.errors import ConfigError, Damaged, KeyUnavailable, StoreError
from gitu_core.store import Store
from gitu_core.store.keys import OVERHEAD, Master
from gitu_core.testing import armed
from gitu_core.testing.invariants import open_messages
from tests.store.make import ANA, ROOM, inbox, said, step

pytestmark = pytest.mark.anyio


def run(*statements: tuple[str, tuple[Any, ...]]) -> Callable[[], Any]:
    """A script of plain statements; gives the rows of the last."""

    def script() -> Any:
        rows = None
        for statement in statements:
            rows = yield statement
        return rows

    return script


async def test_the_key_is_made_once_for_its_owner_only(opened: Callable[..., Any], tmp_path: Path) -> None:
    await opened()
    key = (tmp_path / "master.key").read_bytes()
    assert (tmp_path / "master.key").stat().st_mode & 0o777 == 0o600
    await opened()
    assert (tmp_path / "master.key").read_bytes() == key
    assert len(base64.b64decode(key)) == 32


async def test_a_key_whose_commit_failed_seals_nothing(opened: Callable[..., Any]) -> None:
    store = await opened()
    with armed("writer.keys:raise=store"), pytest.raises(StoreError):
        await store.accept(inbox("k"))
    await store.accept(inbox("k"))
    await store.write(said(1))
    await store.close()
    store = await opened()
    assert [entry.message.key for _, entry in await open_messages(store)] == ["k"]
    assert await store.check() == []


async def test_another_or_no_key_is_refused_and_nothing_is_lost(
    opened: Callable[..., Any], url: str, tmp_path: Path
) -> None:
    store = await opened()
    await store.accept(inbox("k"))
    await store.close()
    with pytest.raises(KeyUnavailable, match="sealed with the master key"):
        await Store(url, home=tmp_path, master_key=os.urandom(32)).open()
    (tmp_path / "master.key").rename(tmp_path / "away")
    with pytest.raises(KeyUnavailable, match="missing"):
        await Store(url, home=tmp_path).open()
    assert not (tmp_path / "master.key").exists()
    (tmp_path / "away").rename(tmp_path / "master.key")
    assert len(await open_messages(await opened())) == 1


async def test_a_key_comes_from_the_environment(
    monkeypatch: pytest.MonkeyPatch, opened: Callable[..., Any], tmp_path: Path
) -> None:
    monkeypatch.setenv("GITU_MASTER_KEY", base64.b64encode(b"k" * 32).decode())
    await (await opened()).accept(inbox("k"))
    assert not (tmp_path / "master.key").exists()
    assert len(await open_messages(await opened(master_key=b"k" * 32))) == 1


@pytest.mark.parametrize(("text", "message"), [("%%%", "base64"), ("YWJj", "3 bytes")])
def test_a_key_that_is_none_is_refused(
    text: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("GITU_MASTER_KEY", raising=False)
    path = tmp_path / "master.key"
    path.write_text(text)
    path.chmod(0o644)
    with pytest.raises(KeyUnavailable, match="read by others"):
        Master(tmp_path).find()
    path.chmod(0o600)
    with pytest.raises(ConfigError, match=message):
        Master(tmp_path).find()


async def test_a_changed_or_moved_row_is_damaged_and_the_others_are_not(store: Store) -> None:
    await store.accept(inbox("k1"))
    await store.accept(inbox("k2"))
    await store.write(step(0), step(1), said(1))
    swap = ('UPDATE "@steps" SET body = (SELECT body FROM "@steps" WHERE n = 1) WHERE n = 0', ())
    await store._script(run(swap))
    with pytest.raises(Damaged, match="step 0 of turn t"):
        await store.steps("t")
    rows = await store._script(run(('SELECT n, body FROM "@inbox" ORDER BY n', ())))
    body = bytes(rows[0][1])
    broken = body[:-1] + bytes([body[-1] ^ 1])
    marks = ("?", "?") if store.engine.dialect == "sqlite" else ("$1", "$2")
    await store._script(run((f'UPDATE "@inbox" SET body = {marks[0]} WHERE n = {marks[1]}', (broken, rows[0][0]))))
    assert [entry.message.key for _, entry in await open_messages(store)] == ["k2"]
    problems = await store.check()
    assert any("steps t" in problem for problem in problems)
    assert any("inbox" in problem for problem in problems)
    await store._script(run(('UPDATE "@messages" SET tokens = 5', ())))
    store._tails.clear()
    with pytest.raises(Damaged, match="message 1"):
        await store.history("s", 10)


async def test_a_person_without_a_key_cannot_be_read_any_more(opened: Callable[..., Any]) -> None:
    store = await opened()
    await store.write(said(1, "a", person="ana"), said(1, "b", person="bo"))
    await store._script(run(("DELETE FROM \"@keys\" WHERE person = 'ana'", ())))
    await store.close()
    store = await opened()
    with pytest.raises(Damaged, match="does not exist any more"):
        await store.history("a", 10)
    assert len(await store.history("b", 10)) == 1


async def test_no_words_and_no_channel_identifiers_are_on_the_disk(opened: Callable[..., Any], tmp_path: Path) -> None:
    store = await opened(url=f"sqlite:///{tmp_path / 'gitu.db'}")
    person = await store.person_for(ANA)
    await store.session_for(ROOM, person.id)
    await store.accept(inbox("the-idempotency-key", "the secret words"))
    await store.close()
    data = (tmp_path / "gitu.db").read_bytes()
    for secret in (b"secret", b"the-idempotency-key", b"Ana", b"room"):
        assert secret not in data


async def test_many_people_have_a_key_each_and_few_are_kept_in_memory(tmp_path: Path) -> None:
    async with Store(home=tmp_path) as store:
        store._keys._limit = 5
        for n in range(30):
            await store.write(said(n, f"s{n}", person=f"p{n}"))
        assert len(store._keys._loaded) + len(store._keys._older) <= 10
        store._tails.clear()
        for n in range(30):
            assert len(await store.history(f"s{n}", 10)) == 1
        rows = await store._script(run(('SELECT count(*) FROM "@keys"', ())))
        assert rows[0][0] == 31
        bodies = await store._script(run(('SELECT length(body) FROM "@messages"', ())))
        assert min(row[0] for row in bodies) > OVERHEAD


def files(home: Path) -> list[Path]:
    """The files of blobs."""
    return [path for path in home.glob("blobs/*/*") if path.is_file()]


async def test_a_changed_row_is_told_with_its_table_and_person_and_a_blob_as_well(
    opened: Callable[..., Any], tmp_path: Path
) -> None:
    store = await opened()
    small = await store.put_blob(b"small", "text/plain", person="ana")
    large = await store.put_blob(b"large" * 14_000, "text/plain", person="bo")
    await store.write(step(0))
    await store._script(run(('UPDATE "@steps" SET at = 9', ())))
    with pytest.raises(Damaged, match=r"table steps, row t 0 s 9\.0, of ana") as raised:
        await store.steps("t")
    assert {name: raised.value.details[name] for name in ("table", "person")} == {"table": "steps", "person": "ana"}
    zero = "zeroblob(60)" if store.engine.dialect == "sqlite" else "decode(repeat('00', 60), 'hex')"
    await store._script(run((f"UPDATE \"@blobs\" SET body = {zero} WHERE person = 'ana'", ())))
    with pytest.raises(Damaged, match=r"the blob sha256:\w+ \(table blobs, row \w+, of ana\)") as raised:
        await store.read_blob(small)
    assert "gitu restore" in raised.value.hint
    assert len(await store.read_blob(large)) == 70_000
    for path in files(tmp_path):
        path.write_bytes(path.read_bytes()[:-1] + b"!")
        with pytest.raises(Damaged, match="of bo"):
            await store.read_blob(large)
    problems = " ".join(await store.check())
    assert "the steps t 0 s 9.0 of ana" in problems
    assert "blobs" in problems
