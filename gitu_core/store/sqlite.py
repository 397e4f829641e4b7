"""SQLite: one thread writes, a few read. The standard library's `sqlite3` and no other SQLite in this
process.

Two copies of the SQLite library in one process (this one and one that another package bundles) must never
open the same file: POSIX drops all locks of a process on a file when any of its descriptors is closed, so one
library would silently release the other's locks.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import queue
import sqlite3
import threading
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

from gitu_core import locks
from gitu_core.errors import Damaged, StoreError
from gitu_core.store.keys import Keyring, Script
from gitu_core.store.sql import Sql
from gitu_core.store.writer import MAX_JOBS, Fence, Job, Operation, Tray, commit, finish, lose, run

Connect = Callable[[], sqlite3.Connection]

_READERS = 3
_HINTS = {
    "SQLITE_FULL": ("the disk is full", "free some space; writing goes on by itself"),
    "SQLITE_READONLY": ("the database is read-only", "make file and folder writable"),
    "SQLITE_BUSY": ("another process holds the database locked", "end the other process, or try again"),
    "SQLITE_LOCKED": ("another connection holds the database locked", "try again"),
    "SQLITE_CANTOPEN": ("the database cannot be opened", "make its folder writable"),
    "SQLITE_IOERR": ("the disk reports an error", "look at the disk and its free space"),
    "SQLITE_CONSTRAINT": ("the row is there already", "somebody else wrote it: read it again"),
    "SQLITE_TOOBIG": ("the value is too large", "store it as a blob"),
}
_WHOLE = frozenset({"SQLITE_READONLY", "SQLITE_BUSY", "SQLITE_LOCKED", "SQLITE_CANTOPEN", "SQLITE_NOTADB"})


def translated(error: sqlite3.Error) -> StoreError:
    """The error in Gitu's words. `details["scope"]` is ``database`` where no write can succeed now."""
    name = getattr(error, "sqlite_errorname", "") or ""
    base = "_".join(name.split("_")[:2])
    if base in ("SQLITE_CORRUPT", "SQLITE_NOTADB"):
        return Damaged(f"the database file is damaged: {error}", hint="restore a backup", scope="database")
    if "no such table" in str(error):
        return StoreError(str(error), hint="open the store first", kind="no_table")
    what, hint = _HINTS.get(base, (str(error), "see the message of SQLite"))
    scope = "database" if base in _WHOLE else ""
    return StoreError(f"{what} ({error})", hint=hint, scope=scope, kind=name)


def connector(path: str, busy: float) -> Connect:
    """Opens connections to a file; *busy* is how many seconds to wait for another process's lock."""
    return partial(sqlite3.connect, path, timeout=busy, isolation_level=None, check_same_thread=False,
                   cached_statements=256)  # fmt: skip


def _fetched(text: str, connection: sqlite3.Connection) -> list[Any]:
    return connection.execute(text).fetchall()


def borrowed(host: Any) -> Connect:
    """Takes connections from a host's SQLAlchemy engine and keeps them."""

    def connect() -> sqlite3.Connection:
        from sqlalchemy.exc import DBAPIError

        try:
            lent = host.raw_connection()
        except DBAPIError as error:
            raise error.orig or error from error
        connection: sqlite3.Connection = lent.driver_connection
        lent.detach()
        return connection

    return connect


class SqliteEngine:
    """One SQLite database. In memory (*shared* False) there is one connection, and its thread reads too."""

    dialect = "sqlite"

    def __init__(self, connect: Connect, sql: Sql, keys: Keyring, busy: float, file: bool = True) -> None:
        self.sql, self._keys, self._connect, self._busy, self.file = sql, keys, connect, busy, file
        self._queue: queue.SimpleQueue[list[Job] | None] = queue.SimpleQueue()
        self._tray = Tray(self._queue.put)
        self._thread: threading.Thread | None = None
        self._pool: ThreadPoolExecutor | None = None
        self._local = threading.local()
        self._open: list[sqlite3.Connection] = []
        self._version = 0
        self._loop: asyncio.AbstractEventLoop | None = None
        self._path: Path | None = None
        self.foreign = 0
        """Counts up whenever another connection, so another process, has written."""
        self.lost: list[Exception] = []
        self.fence: Fence | None = None
        self._locks: dict[str, int] = {}

    async def connect(self) -> None:
        """Opens the file and starts the writer."""
        self._loop = asyncio.get_running_loop()
        self._writer = await self._loop.run_in_executor(None, self._connected)
        self._version = self._data_version()
        if self.file:
            self._pool = ThreadPoolExecutor(_READERS, thread_name_prefix="gitu-read")
        self._thread = threading.Thread(target=self._work, name="gitu-write", daemon=True)
        self._thread.start()

    async def close(self) -> None:
        """Writes what is queued, then closes every connection."""
        if self._thread is None:
            return
        self._tray.empty()
        self._queue.put(None)
        thread, self._thread = self._thread, None
        await asyncio.to_thread(thread.join)
        if self._pool is not None:
            self._pool.shutdown()
            self._pool = None
        for connection in self._open:
            connection.close()
        self._open.clear()
        for worker in tuple(self._locks):
            await self.let_go(worker)

    async def hold(self, worker: str) -> None:
        """Takes the lock that tells others that a worker lives."""
        if self.file and (lock := locks.lock(await self._lock_of(worker))) is not None:
            self._locks[worker] = lock

    async def let_go(self, worker: str) -> None:
        """Gives a worker's lock up, or removes what is left of a dead one's."""
        if worker in self._locks:
            os.close(self._locks.pop(worker))
        if self.file:
            (await self._lock_of(worker)).unlink(missing_ok=True)

    async def is_held(self, worker: str) -> bool:
        """True if a worker's lock is held by somebody."""
        path = await self._lock_of(worker)
        if worker in self._locks or not path.exists():
            return worker in self._locks
        lock = locks.lock(path)
        if lock is not None:
            os.close(lock)
        return lock is None

    async def _lock_of(self, worker: str) -> Path:
        if self._path is None:
            rows = await self.raw(partial(_fetched, "PRAGMA database_list"))
            self._path = Path(next(row[2] for row in rows if row[1] == "main"))
        return self._path.with_name(f"{self._path.name}-{worker}.lock")

    def submit(self, job: Job) -> None:
        """Hands a job to the writer."""
        if self._thread is None:
            raise StoreError("the store is closed", hint="open it first")
        self._tray.put(job)

    async def read(self, script: Callable[[], Script]) -> Any:
        """Runs a script that only reads."""
        if self._pool is None:
            return await Job(script=script).through(self.submit)
        return await asyncio.get_running_loop().run_in_executor(self._pool, self._read, script)

    async def scan(self, tables: dict[str, tuple[str, ...]], size: int = 500) -> AsyncIterator[tuple[str, list[Any]]]:
        """All rows of *tables*, in pieces, as one moment saw them."""
        if not self.file:
            for table, columns in tables.items():
                yield table, await self.raw(partial(_fetched, self.sql.select(table, columns)))
            return
        connection = await asyncio.to_thread(self._connected)
        try:
            connection.execute("BEGIN")
            for table, columns in tables.items():
                cursor = connection.execute(self.sql.select(table, columns))
                while rows := await asyncio.to_thread(cursor.fetchmany, size):
                    yield table, rows
        except sqlite3.Error as error:
            raise translated(error) from error
        finally:
            self._open.remove(connection)
            connection.close()

    async def raw(self, work: Callable[[sqlite3.Connection], Any]) -> Any:
        """Runs *work* with the writer's connection, between two commits."""

        def script() -> Script:
            return (yield Operation("call", "", work))

        return await Job(script=script).through(self.submit)

    async def faults(self) -> list[str]:
        """What SQLite finds wrong with its file."""

        def work() -> list[str]:
            with contextlib.closing(self._connect()) as connection:
                try:
                    return [str(row[0]) for row in connection.execute("PRAGMA integrity_check") if row[0] != "ok"]
                except sqlite3.Error as error:
                    return [str(translated(error))]

        return await asyncio.to_thread(work) if self.file else []

    async def copy(self, target: Path) -> None:
        """Copies the database, while it is in use, by SQLite's online backup."""

        def work(source: sqlite3.Connection) -> None:
            with contextlib.closing(sqlite3.connect(target)) as copy:
                if source.in_transaction:
                    # A backup waits for the end of every write, its own connection's too.
                    source.execute("COMMIT")
                source.backup(copy)
                if not self.file:
                    source.execute("BEGIN")
                copy.execute("PRAGMA journal_mode = DELETE")

        def apart() -> None:
            with contextlib.closing(self._connect()) as source:
                work(source)

        try:
            await (asyncio.to_thread(apart) if self.file else self.raw(work))
        except sqlite3.Error as error:
            raise translated(error) from error

    # ---- in threads ----------------------------------------------------------------------------------------

    def _connected(self) -> sqlite3.Connection:
        try:
            connection = self._connect()
            self._open.append(connection)
            connection.isolation_level = None
            connection.execute(f"PRAGMA busy_timeout = {int(self._busy * 1000)}")
            if self.file:
                connection.execute("PRAGMA journal_mode = WAL")
                connection.execute("PRAGMA synchronous = FULL")
                connection.execute("PRAGMA journal_size_limit = 67108864")
        except sqlite3.Error as error:
            raise translated(error) from error
        return connection

    def _read(self, script: Callable[[], Script]) -> Any:
        connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            connection = self._local.connection = self._connected()
            connection.execute("PRAGMA query_only = ON")
        return run(script(), self._executor(connection))

    def _executor(self, connection: sqlite3.Connection) -> Callable[[Operation], Any]:
        text = self.sql.text

        def execute(operation: Operation) -> Any:
            kind, statement, params = operation
            try:
                if kind == "many":
                    return connection.executemany(text(statement), params)
                if kind in ("rows", "alone"):
                    return connection.execute(text(statement), params).fetchall()
                if kind == "each":
                    return [row for one in params for row in connection.execute(text(statement), one).fetchall()]
                if kind == "commit":
                    return connection.execute("COMMIT")
                if kind == "begin":
                    connection.execute("BEGIN IMMEDIATE")
                    if params and connection.execute(text("worker_epoch"), params[:2]).fetchall() != [(params.epoch,)]:
                        raise params.lost()
                    return None
                if kind == "call":
                    return params(connection)
                # A full disk may have rolled the transaction back already.
                with contextlib.suppress(sqlite3.Error):
                    connection.execute("ROLLBACK")
            except sqlite3.Error as error:
                raise translated(error) from error
            except (UnicodeEncodeError, OverflowError) as error:
                raise StoreError(f"a value cannot be stored: {error}", hint="hand in clean text") from error
            return None

        return execute

    def _work(self) -> None:
        execute = self._executor(self._writer)
        going = True
        while going:
            jobs, going = self._group()
            for start in range(0, len(jobs), MAX_JOBS):
                some = jobs[start : start + MAX_JOBS]
                run(commit(some, self._keys, self.fence), execute)
                self._tell(some)

    def _group(self) -> tuple[list[Job], bool]:
        """Everything that waits, and False once the store is being closed."""
        jobs: list[Job] = []
        more = self._queue.get()
        while more is not None:
            jobs += more
            if len(jobs) >= MAX_JOBS:
                return jobs, True
            try:
                more = self._queue.get_nowait()
            except queue.Empty:
                return jobs, True
        return jobs, False

    def _tell(self, jobs: list[Job]) -> None:
        version = self._data_version()
        foreign, self._version = version != self._version, version

        def told() -> None:
            self.foreign += foreign
            finish(jobs, self.lost)

        assert self._loop is not None
        try:
            # One wake-up a commit, however many jobs it held.
            self._loop.call_soon_threadsafe(told)
        except RuntimeError:
            # The loop was closed under us: nobody waits any more, but what was written is written.
            for job in jobs:
                if job.error is not None:
                    lose(job.error, self.lost)

    def _data_version(self) -> int:
        # Changes when somebody else commits, not when this connection does.
        try:
            return int(self._writer.execute("PRAGMA data_version").fetchone()[0])
        except sqlite3.Error:
            return -1


def path_of(url: str) -> str:
    """The file that ``sqlite:///path`` names; ``""`` for a database in memory."""
    path = url.partition("://")[2].partition("?")[0]
    path = path.removeprefix("/")
    return "" if path in ("", ":memory:") else str(Path(path))
