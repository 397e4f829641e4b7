"""What every part of the store stands on: the engine, the keys, the clock and the caches."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, TypeAlias, TypeVar

import msgspec

from gitu_core.clock import SystemClock
from gitu_core.contracts.audit import AuditEntry
from gitu_core.contracts.ports import Clock, Session, Speaker
from gitu_core.errors import Damaged, StoreError
from gitu_core.store.cache import Lru, Tail
from gitu_core.store.chain import chained
from gitu_core.store.keys import Keyring, Script, ScriptOf
from gitu_core.store.master import Master
from gitu_core.store.postgres import PostgresEngine
from gitu_core.store.rows import rows_of
from gitu_core.store.sqlite import SqliteEngine
from gitu_core.store.writer import LOG, Job, Row

Engine: TypeAlias = SqliteEngine | PostgresEngine
"""A database as the parts use it: both have the same methods."""

V = TypeVar("V")

HISTORY_BYTES = 32 * 1024 * 1024
"""What recent history may take in memory, in bytes, over all sessions."""

REMEMBERED = 5_000
"""People, and sessions, that are remembered: those used last."""


class Base:
    """State that the parts of a store share."""

    def __init__(self, tenant: str, home: Path | None, clock: Clock | None, master_key: bytes | str | None) -> None:
        self.tenant, self.home = tenant, home
        self.clock: Clock = clock or SystemClock()
        self._keys = Keyring(tenant, Master(home, master_key), self.clock.now)
        self._engine: Engine | None = None
        self._posted = 0
        self._tails: Lru[str, Tail] = Lru(HISTORY_BYTES, Tail.weight)
        self._waiting: dict[str, int] = {}
        self._loading: dict[str, list[list[bool]]] = {}
        self._bound: Lru[bytes, str] = Lru(REMEMBERED)
        self._moves = 0  # of conversations to other sessions
        self._sessions: Lru[str, Session] = Lru(REMEMBERED)
        self._accounts: Lru[bytes, tuple[Speaker, float]] = Lru(REMEMBERED)
        self._changes = 0  # of people and their accounts
        self._seen = 0

    @property
    def engine(self) -> Engine:
        """The open database. `StoreError` if it is closed."""
        if self._engine is None:
            raise StoreError("the store is closed", hint="await store.open() first")
        return self._engine

    # ---- writing and reading -------------------------------------------------------------------------------

    async def _rows(self, rows: Sequence[Row], **more: Any) -> None:
        await self._wait(Job(rows, fenced=True, **more))

    async def _script(self, script: Callable[[], ScriptOf[V]], *people: str, fenced: bool = False) -> V:
        """Runs a script in a transaction of the writer; *people* are those it seals for."""
        found: V = await self._wait(Job(script=script, people=people, fenced=fenced))
        return found

    async def _wait(self, job: Job) -> Any:
        return await job.through(self.engine.submit)

    def _later(self, rows: Sequence[Row], after: Callable[[Job], None] | None = None) -> None:
        def written(job: Job) -> None:
            self._posted -= 1
            if after is not None:
                after(job)

        self.engine.submit(Job(rows, after=written, waits=False, fenced=True))
        self._posted += 1

    async def _read(self, script: Callable[[], ScriptOf[V]]) -> V:
        """Runs a script that reads; it sees everything that was posted before."""
        if self._posted:
            await self._wait(Job())
        found: V = await self.engine.read(script)
        return found

    def _script_of(self, statement: str, *params: Any, bodies: Sequence[int] = ()) -> Callable[[], Script]:
        """A script that reads the rows of one statement, and the keys of the columns that are sealed."""

        def script() -> Script:
            rows = yield statement, params
            for column in bodies:
                yield from self._keys.load([row[column] for row in rows if row[column] is not None])
            return rows

        return script

    def _first(self, body: int | None, statement: str, *params: Any) -> Script:
        """The first row of one statement, with the key of its column *body*, or None; part of a script."""
        rows = yield statement, params
        if rows and body is not None:
            yield from self._keys.load([rows[0][body]])
        return rows[0] if rows else None

    def _audited(
        self, person: str, kind: str, subject: str, outcome: str, by: str = "", session: str = "", **facts: Any
    ) -> Script:  # fmt: skip
        """Adds to the audit what becomes of a person in this transaction; part of a script."""
        now, id = self.clock.now(), f"{self.clock.new_id()}.{kind}"
        entry = AuditEntry(
            kind, subject, outcome, person, session, facts={"by": by or "operator", **facts}, at=now, id=id
        )
        yield from self._keys.ensure((person,))
        yield from chained(rows_of((entry,), self.tenant, now), self._keys)

    # ---- what is remembered --------------------------------------------------------------------------------

    def _remembers(self) -> bool:
        """True if what is remembered of people and sessions still holds; forgets it where others wrote."""
        engine = self.engine
        if engine.dialect != "sqlite":
            return False
        if engine.foreign != self._seen:
            self._seen = engine.foreign
            self._forget()
        return True

    def _forget(self) -> None:
        for memory in (self._bound, self._sessions, self._accounts):
            memory.clear()


def readable(rows: Iterable[Any], value: Callable[[Any], Any], lost: list[Exception]) -> list[Any]:
    """The values of all rows that can be read. One damaged row must not keep the others from being dealt
    with: it is logged, remembered for `check`, and left out."""
    found = []
    for row in rows:
        try:
            found.append(value(row))
        except Damaged as error:
            LOG.error("%s", error)
            lost.append(error)
    return found


def replaced(value: V, **changes: Any) -> V:
    """A copy of a frozen value with some fields changed."""
    copy: V = msgspec.structs.replace(value, **changes)  # type: ignore[type-var]
    return copy
