"""PostgreSQL: one connection writes, a small pool reads, both by asyncpg."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Any

from gitu_core.errors import ConfigError, StoreError
from gitu_core.store.keys import Keyring, Script
from gitu_core.store.sql import Sql
from gitu_core.store.writer import MAX_JOBS, Fence, Job, Operation, Tray, commit, finish, operation_of

Connect = Callable[[], Any]

_READERS = 4
_LOCK = "SELECT pg_try_advisory_lock(hashtextextended($1, 7))"
_UNLOCK = "SELECT pg_advisory_unlock(hashtextextended($1, 7))"
_NO_ROW = "22012"
"""What the server says where `_begin` divides by the number of rows and there is none."""

_HINTS = {
    "23": ("the row is there already, or breaks a rule of its table", "somebody else wrote it: read it again", ""),
    "25": ("the database is read-only", "connect to the primary", "database"),
    "28": ("the database refuses the credentials", "check user and password in the URL", "database"),
    "3D": ("the database does not exist", "create it, or correct the URL", "database"),
    "53": ("the server is out of disk, memory or connections", "free some; writing goes on by itself", ""),
    "57": ("the server is shutting down", "start it; writing goes on by itself", "database"),
    "08": ("the connection to the server is lost", "start the server; writing goes on by itself", "database"),
}


def translated(error: Exception) -> StoreError:
    """The error in Gitu's words. `details["scope"]` is ``database`` where no write can succeed now."""
    state = str(getattr(error, "sqlstate", "") or "")
    if state == "42P01":
        return StoreError(str(error), hint="open the store first", kind="no_table")
    known = _HINTS.get(state[:2])
    if known is None and not state:
        # No state: the error is the driver's own (a lost connection) or the operating system's.
        lost = isinstance(error, OSError) or type(error).__name__ in ("InterfaceError", "InternalClientError")
        known = _HINTS["08"] if lost else None
    what, hint, scope = known or (str(error), "see the message of the server", "")
    return StoreError(f"{what} ({error})", hint=hint, scope=scope, kind=state)


LOCK_TIMEOUT = "10s"
"""How long a statement waits for what another session has locked."""


class PostgresEngine:
    """One PostgreSQL database. *connect* opens a connection as asyncpg does."""

    dialect = "postgresql"
    file = False

    def __init__(self, connect: Connect, sql: Sql, keys: Keyring) -> None:
        self.sql, self._keys, self._connect = sql, keys, connect
        self._jobs: list[Job] = []
        self._tray = Tray(self._hand_over)
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._writer: Any = None
        self._pool: list[Any] = []
        self._slots = asyncio.Semaphore(_READERS)
        self._closing = False
        self.foreign = 0  # nobody tells us of other programs' writes: what is remembered is checked each time
        self.lost: list[Exception] = []
        self.fence: Fence | None = None
        self._held = ""

    async def connect(self) -> None:
        """Connects and starts the writer."""
        await self._execute(Operation("rows", "SELECT 1", ()))
        # A task of its own, not a task group's: it lives as long as the store, whoever opened it.
        self._task = asyncio.create_task(self._work(), name="gitu-write")

    async def close(self) -> None:
        """Writes what is queued, then closes every connection."""
        if self._task is not None:
            self._tray.empty()
            self._closing = True
            self._wake.set()
            task, self._task = self._task, None
            await task
        for connection in [*self._pool, self._writer]:
            if connection is not None:
                with contextlib.suppress(*self._errors()):
                    await connection.close()
        self._pool, self._writer = [], None

    async def hold(self, worker: str) -> None:
        """Takes the lock that tells others that a worker lives: the writing connection's, so that it goes with it."""
        self._held = worker
        await Job(statement=(_LOCK, (worker,))).through(self.submit)

    async def let_go(self, worker: str) -> None:
        """Gives a worker's lock up."""
        if worker == self._held:
            self._held = ""
            await Job(statement=(_UNLOCK, (worker,))).through(self.submit)

    async def is_held(self, worker: str) -> bool:
        """True if a worker's lock is held by somebody."""
        async with self.connection() as connection:
            free = (await self._on(connection, Operation("rows", _LOCK, (worker,))))[0][0]
            if free:
                await self._on(connection, Operation("rows", _UNLOCK, (worker,)))
            return not free

    def submit(self, job: Job) -> None:
        """Hands a job to the writer."""
        if self._task is None:
            raise StoreError("the store is closed", hint="open it first")
        self._tray.put(job)

    def _hand_over(self, jobs: list[Job]) -> None:
        self._jobs += jobs
        self._wake.set()

    async def read(self, script: Callable[[], Script]) -> Any:
        """Runs a script that only reads."""
        async with self.connection() as connection:
            return await self._run(script(), lambda operation: self._on(connection, operation))

    @contextlib.asynccontextmanager
    async def connection(self) -> AsyncIterator[Any]:
        """A connection for reading, from the pool."""
        async with self._slots:
            connection = self._pool.pop() if self._pool else None
            if connection is None or connection.is_closed():
                connection = await self._opened()
            try:
                yield connection
            finally:
                if not connection.is_closed():
                    self._pool.append(connection)

    async def scan(self, tables: dict[str, tuple[str, ...]], size: int = 500) -> AsyncIterator[tuple[str, list[Any]]]:
        """All rows of *tables*, in pieces, as one moment saw them."""
        async with self.connection() as connection:
            try:
                async with connection.transaction(isolation="repeatable_read", readonly=True):
                    for table, columns in tables.items():
                        cursor = await connection.cursor(self.sql.select(table, columns))
                        while rows := await cursor.fetch(size):
                            yield table, rows
            except self._errors() as error:
                raise translated(error) from error

    async def faults(self) -> list[str]:
        """PostgreSQL keeps watch over its own files."""
        return []

    # ---- the writer ----------------------------------------------------------------------------------------

    async def _work(self) -> None:
        while not self._closing or self._jobs:
            await self._wake.wait()
            self._wake.clear()
            while self._jobs:
                group, self._jobs = self._jobs[:MAX_JOBS], self._jobs[MAX_JOBS:]
                await self._run(commit(group, self._keys, self.fence), self._execute)
                finish(group, self.lost)

    @staticmethod
    async def _run(law: Script, execute: Callable[[Operation], Any]) -> Any:
        value: Any = None
        error: Exception | None = None
        while True:
            try:
                asked = law.send(value) if error is None else law.throw(error)
            except StopIteration as stop:
                return stop.value
            try:
                value, error = await execute(operation_of(asked)), None
            except Exception as raised:  # noqa: BLE001 - the law decides what an error means
                value, error = None, raised

    async def _execute(self, operation: Operation) -> Any:
        if operation.kind != "rollback" and (self._writer is None or self._writer.is_closed()):
            self._writer = await self._opened()
            self._writer.add_termination_listener(self._dropped)
            if self._held:  # of a connection that broke the server may still hold it; then it is there as well
                await self._on(self._writer, Operation("rows", _LOCK, (self._held,)))
        return await self._on(self._writer, operation)

    def _dropped(self, connection: Any) -> None:
        """The writing connection broke, and our lock with it: connects again before others take us for dead."""
        if connection is self._writer and self._task is not None and not self._closing:
            job = Job()
            assert job.future is not None
            job.future.add_done_callback(lambda future: future.exception())
            self.submit(job)

    async def _on(self, connection: Any, operation: Operation) -> Any:
        kind, statement, params = operation
        errors = self._errors()
        try:
            if kind == "many":
                return await connection.executemany(self.sql.text(statement), params)
            if kind in ("rows", "alone"):
                return await connection.fetch(self.sql.text(statement), *params)
            if kind == "each":
                return await connection.fetchmany(self.sql.text(statement), params)
            if kind == "commit":
                return await connection.execute("COMMIT")
            if kind == "begin":
                return await connection.execute(self._begin(params) if params else "BEGIN")
            if connection is not None and not connection.is_closed():
                with contextlib.suppress(*errors):
                    await connection.execute("ROLLBACK")
        except errors as error:
            if kind == "begin" and getattr(error, "sqlstate", "") == _NO_ROW:
                raise params.lost() from error
            raise translated(error) from error
        return None

    def _begin(self, fence: Fence) -> str:
        """Begins where the fence holds, on one way to the server and back. Such a text has no parameters."""
        held = self.sql.text("worker_epoch")
        for mark, value in (("$1", fence.tenant), ("$2", fence.worker)):
            held = held.replace(mark, f"convert_from(decode('{value.encode().hex()}', 'hex'), 'UTF8')")
        return f"BEGIN; SELECT 1 / count(*) FROM ({held}) AS held WHERE epoch = {fence.epoch}"

    async def _opened(self) -> Any:
        try:
            return await self._connect()
        except self._errors() as error:
            raise translated(error) from error

    @staticmethod
    def _errors() -> tuple[type[Exception], ...]:
        import asyncpg

        driver = (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError)
        return (OSError, UnicodeEncodeError, *driver)


def connector(url: str) -> Connect:
    """Opens connections to a URL as asyncpg understands it; a driver's name in it is left out."""
    scheme, _, rest = url.partition("://")
    address = f"{scheme.partition('+')[0]}://{rest}"

    async def connect() -> Any:
        try:
            import asyncpg
        except ImportError:
            hint = "pip install 'gitu-core[postgres]'"
            raise ConfigError("PostgreSQL needs the package asyncpg", hint=hint, field="url") from None
        return await asyncpg.connect(address, server_settings={"lock_timeout": LOCK_TIMEOUT})

    return connect


def borrowed(host: Any) -> Connect:
    """Takes connections from a host's SQLAlchemy engine and keeps them."""

    async def connect() -> Any:
        from sqlalchemy.exc import DBAPIError

        try:
            lent = await host.raw_connection()
        except DBAPIError as error:
            raise StoreError(f"the host's engine does not connect: {error}", hint="see its URL") from error
        connection = lent.driver_connection
        lent.detach()
        return connection

    return connect
