"""What is written together with the acceptance of a message, or not at all."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from gitu_core.contracts.ports import InboxEntry
from gitu_core.errors import StoreError
from gitu_core.model import Receipt
from gitu_core.store import Store
from gitu_core.testing import armed
from tests.store.make import inbox, said, step

pytestmark = pytest.mark.anyio


class Landing:
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.given: Any = None
        self.receipts: list[Receipt | None] = []

    def landed(self, receipt: Receipt | None) -> None:
        self.receipts.append(receipt)


async def both(store: Store, entry: InboxEntry, *more: Any) -> tuple[tuple[Any, Any], Landing]:
    """Accepts a message and writes a step, and *more*, in the same moment, given that it is new."""
    landing = Landing()
    accepting = asyncio.ensure_future(store.accept(entry, "", landing))
    await asyncio.sleep(0)
    assert landing.given is not None
    writing = store.write(step(len(more)), *more, given=landing.given)
    return await asyncio.gather(accepting, writing, return_exceptions=True), landing


async def test_what_follows_from_a_new_message_is_written_with_it(store: Store) -> None:
    (receipt, written), landing = await both(store, inbox("a"), said(1))
    assert receipt.fresh
    assert written is None
    assert landing.receipts == [receipt]
    assert len(await store.steps("t")) == 1
    assert len(await store.history("s", 100)) == 1


async def test_what_follows_from_a_message_that_is_known_is_not_written(store: Store) -> None:
    first = await store.accept(inbox("a"))
    (receipt, written), landing = await both(store, inbox("a"), said(1))
    assert (receipt.id, receipt.fresh) == (first.id, False)
    assert landing.receipts == [receipt]
    assert isinstance(written, StoreError)
    assert await store.steps("t") == []
    assert await store.history("s", 100) == []


async def test_of_two_with_the_same_key_in_one_moment_only_the_first_is_followed(store: Store) -> None:
    (first, one), (other, two) = await asyncio.gather(both(store, inbox("a")), both(store, inbox("a"), said(1)))
    assert [first[0].fresh, other[0].fresh] == [True, False]
    assert first[1] is None
    assert isinstance(other[1], StoreError)
    assert len(await store.steps("t")) == 1
    assert await store.history("s", 100) == []
    assert one.receipts[0] is not None
    assert two.receipts[0] is not None


async def test_what_follows_from_a_message_that_could_not_be_written_is_not_either(store: Store) -> None:
    with armed("writer.rows:raise=store:*"):
        (accepted, written), landing = await both(store, inbox("a"))
    assert isinstance(accepted, StoreError)
    assert isinstance(written, StoreError)
    assert landing.receipts == [None]
    with pytest.raises(StoreError):  # also later, when the store works again
        await store.write(step(0), given=landing.given)
    assert await store.steps("t") == []


async def test_a_neighbour_that_fails_takes_neither_along(store: Store) -> None:
    await store.write(step(7))
    results = await asyncio.gather(both(store, inbox("a")), store.write(step(7)), return_exceptions=True)
    assert isinstance(results[1], StoreError)
    assert not isinstance(results[0], BaseException)
    assert results[0][0][0].fresh
    assert results[0][0][1] is None
    assert len(await store.steps("t")) == 2


async def test_the_landing_is_told_although_who_waited_was_cancelled(store: Store) -> None:
    landing = Landing()
    accepting = asyncio.ensure_future(store.accept(inbox("a"), "", landing))
    await asyncio.sleep(0)
    accepting.cancel()
    await store.write(step(0), given=landing.given)
    assert [receipt and receipt.fresh for receipt in landing.receipts] == [True]
