"""What only a server can do: end a connection, and let a statement wait for what another session has locked."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import asyncpg
import pytest

from gitu_core.errors import StoreError
from gitu_core.model import Account
from gitu_core.store import Store
from gitu_core.store import postgres as engine
from tests.app.around import until
from tests.store.conftest import new_database
from tests.store.make import inbox, step

pytestmark = pytest.mark.anyio


@pytest.fixture
def url(postgres: str) -> str:
    """The URL of an empty database."""
    return new_database(postgres)


async def ask(url: str, statement: str, *params: Any) -> Any:
    """Runs one statement on a connection of its own."""
    connection: Any = await asyncpg.connect(url)
    try:
        return await connection.fetch(statement, *params)
    finally:
        await connection.close()


def writer(store: Store) -> int:
    """The server's process that serves a store's writing connection."""
    pid: int = store.engine._writer.get_server_pid()  # type: ignore[union-attr]
    return pid


async def is_there(store: Store) -> bool:
    """True if the other worker's lock is held."""
    return not (await store.others())[0].gone


async def test_a_connection_that_was_ended_comes_back_with_its_lock_before_anybody_writes(
    opened: Callable[..., Any], url: str
) -> None:
    store, other = await opened(), await opened()
    await store.join("first")
    before = writer(store)
    await ask(url, "SELECT pg_terminate_backend($1)", before)
    await until(lambda: not store.engine._writer.is_closed() and writer(store) != before)  # type: ignore[union-attr]
    await until(lambda: is_there(other))
    assert (await store.accept(inbox("a"))).fresh


async def test_a_connection_that_ends_in_the_middle_of_a_write_loses_or_doubles_nothing(
    opened: Callable[..., Any], url: str
) -> None:
    store = await opened()
    await store.join("first")

    async def kept(key: str) -> None:
        while True:
            try:
                await store.accept(inbox(key))
            except StoreError:
                await asyncio.sleep(0.01)
            else:
                return

    async def disturb() -> None:
        for _ in range(10):
            await asyncio.sleep(0.02)
            await ask(url, "SELECT pg_terminate_backend($1)", writer(store))

    await asyncio.gather(disturb(), *(kept(str(n)) for n in range(200)))
    assert len(await store.pending_in("s")) == 200
    assert await store.check() == []


async def test_a_write_that_waits_for_a_lock_too_long_is_told_and_works_again_after_it(
    opened: Callable[..., Any], url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "LOCK_TIMEOUT", "200ms")
    store = await opened()
    await store.write(step(0))
    connection: Any = await asyncpg.connect(url)
    try:
        async with connection.transaction():
            await connection.execute('LOCK TABLE "steps" IN EXCLUSIVE MODE')
            with pytest.raises(StoreError, match="lock timeout"):
                await store.write(step(1))
        await store.write(step(1))
    finally:
        await connection.close()
    assert [entry.n for entry in await store.steps("t")] == [0, 1]


async def test_two_processes_that_wait_for_each_other_both_come_to_their_end(
    opened: Callable[..., Any], url: str
) -> None:
    store, other = await opened(), await opened()
    ids = [(await store.person_for(Account("test", name))).id for name in ("ana", "bob")]

    def script(first: str, second: str) -> Any:
        yield "person_locked", (store.tenant, first)
        yield "SELECT pg_sleep(0.3)", ()
        yield "person_locked", (store.tenant, second)
        return first

    scripts = [where._script(lambda way=way: script(*way)) for where, way in ((store, ids), (other, ids[::-1]))]
    assert await asyncio.gather(*scripts) == ids
