"""Plugin state and blobs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from gitu_core.contracts.host import Entry
from gitu_core.errors import Damaged, InputError
from gitu_core.model import BlobRef, private_to
from gitu_core.store import Store
from gitu_core.store.plugin_state import _after

pytestmark = pytest.mark.anyio


async def test_an_entry_is_stored_replaced_and_removed(store: Store) -> None:
    entry = Entry(key="k", value={"n": [1, 2.5, None, "\x00é😀"]}, person="ana", label=private_to("ana"))
    await store.kv_put("p", Entry(key="k", value=1))
    await store.kv_put("p", entry)
    assert await store.kv_get("p", "k") == entry
    assert await store.kv_get("q", "k") is None
    assert await store.kv_delete("p", "k")
    assert not await store.kv_delete("p", "k")
    assert await store.kv_get("p", "k") is None


async def test_entries_are_listed_by_prefix_person_and_key(store: Store) -> None:
    keys = ["a", "a/", "a/1", "a/é", "a/\uffff", "a/😀", "a0", "b", "\U0010ffff", "B"]
    for n, key in enumerate(keys):
        await store.kv_put("p", Entry(key=key, value=n, person="ana" if n % 2 else ""))

    async def listed(**where: Any) -> list[str]:
        return [entry.key for entry in await store.kv_list("p", **where)]

    assert await listed() == sorted(keys)
    assert await listed(prefix="a/") == ["a/", "a/1", "a/é", "a/\uffff", "a/😀"]
    assert await listed(prefix="a/", person="ana") == ["a/", "a/é", "a/😀"]
    assert await listed(prefix="\U0010ffff") == ["\U0010ffff"]


async def test_values_and_keys_that_cannot_be_stored_are_refused(store: Store) -> None:
    for entry in (
        Entry(key="nul\x00"),
        Entry(key="\ud800"),
        Entry(key="k", value="\ud800"),
        Entry(key="k", value={1j}),
    ):
        with pytest.raises(InputError):
            await store.kv_put("p", entry)


def test_the_end_of_a_prefix_comes_right_after_it() -> None:
    assert _after("ab") == "ac"
    assert _after("a\U0010ffff") == "b"
    assert _after("\ud7ff") == "\ue000"


@pytest.mark.parametrize("size", [0, 10, 64 * 1024, 300_000])
async def test_blobs_small_and_large_come_back(store: Store, size: int) -> None:
    data = bytes(n % 251 for n in range(size))
    blob = await store.put_blob(data, "text/plain", "a.txt", person="ana")
    assert blob.size == size
    assert await store.put_blob(data, "text/plain", "a.txt", person="ana") == blob
    assert await store.read_blob(blob) == data
    assert await store.read_blob(blob, 5, 7) == data[5:12]
    assert await store.read_blob(blob, size + 1) == b""
    assert await store.check() == []
    with pytest.raises(InputError, match="no blob"):
        await store.read_blob(BlobRef(digest="sha256:00", size=1))
    with pytest.raises(InputError, match="negative"):
        await store.read_blob(blob, -1)


def _files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


async def test_no_plaintext_of_a_blob_is_on_the_disk(store: Store, tmp_path: Path) -> None:
    for secret in (b"a secret word " * 10, b"a secret word " * 10_000):
        await store.put_blob(secret, "text/plain", "secret-name.txt", person="ana")
    for path in _files(tmp_path):
        if path.is_file():
            assert b"secret" not in path.read_bytes()


async def test_a_blob_whose_file_is_changed_or_gone_is_damaged(store: Store, tmp_path: Path) -> None:
    if store.engine.dialect != "sqlite":
        pytest.skip("blobs are files on SQLite only")
    blob = await store.put_blob(b"x" * 100_000, "text/plain", person="ana")
    (path,) = _files(tmp_path / "blobs")
    good = path.read_bytes()
    path.write_bytes(good[:-1] + bytes([good[-1] ^ 1]))
    with pytest.raises(Damaged):
        await store.read_blob(blob)
    assert len(await store.check()) == 1
    path.unlink()
    with pytest.raises(Damaged, match="gone"):
        await store.read_blob(blob)
    assert "gone" in (await store.check())[0]
    # The same bytes of somebody else serve as well.
    await store.put_blob(b"x" * 100_000, "text/plain", person="bo")
    assert len(await store.read_blob(blob)) == 100_000
