"""The store: all ports of `contracts.ports.Store` on one database."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any

from gitu_core.contracts.ports import Clock
from gitu_core.errors import ConfigError, StoreError
from gitu_core.store import postgres, sqlite
from gitu_core.store.approvals import ApprovalsPart
from gitu_core.store.base import Engine
from gitu_core.store.blobs import BlobsPart
from gitu_core.store.keys import Keyring, Script
from gitu_core.store.links import LinksPart
from gitu_core.store.master import Master
from gitu_core.store.records import RecordsPart
from gitu_core.store.rotation import RotationPart
from gitu_core.store.schema import prepare, revision
from gitu_core.store.sessions import SessionsPart
from gitu_core.store.sql import Sql
from gitu_core.store.timers import TimersPart


class Store(RecordsPart, ApprovalsPart, TimersPart, LinksPart, SessionsPart, BlobsPart, RotationPart):
    """Everything that is kept, in SQLite or PostgreSQL. Used from the event loop that opened it.

    :param url: ``sqlite:///path`` or ``postgresql://user@host/database``; empty for ``<home>/gitu.db``, or
        for a database in memory where there is no home.
    :param engine: a host application's own SQLAlchemy engine, instead of *url*; its connections are used
        where they are `sqlite3` or asyncpg ones, else its URL.
    :param prefix: what the names of all tables begin with.
    :param schema: the PostgreSQL schema that holds the tables; made where it is missing.
    :param tenant: the wall inside the installation behind which this store lives.
    :param home: the folder of the database, the blobs and the master key.
    :param master_key: 32 bytes, or where to find them (see `master`); None to take them from the environment or from
        ``<home>/master.key``.
    :param busy_seconds: how long a write waits for another process on the same SQLite file.
    """

    def __init__(
        self, url: str | None = None, engine: Any = None, prefix: str = "", schema: str | None = None,
        tenant: str = "main", home: Path | None = None, clock: Clock | None = None,
        master_key: bytes | str | None = None, busy_seconds: float = 5.0,
    ) -> None:  # fmt: skip
        super().__init__(tenant, home, clock, master_key)
        self._where = (url or "", engine, home, self._keys, prefix, schema, busy_seconds)

    async def open(self) -> None:
        """Connects, migrates, starts the writer. `SchemaError` if a newer program wrote the database,
        `KeyUnavailable` if the master key is missing or another one; nothing is changed then."""
        if self._engine is not None:
            return
        engine = self._engine = connected(*self._where)
        try:
            await engine.connect()
            if await self._script(self._begin) != engine.sql.revision:
                await self._script(lambda: prepare(engine.sql))
                await self._script(self._begin)
        except BaseException:
            # Cancelled or failed: nothing may stay half open.
            self._engine = None
            await engine.close()
            raise

    async def close(self) -> None:
        """Writes what was posted and closes."""
        if self._engine is not None:
            with suppress(StoreError):  # whoever cannot say that it leaves is noticed by the others
                await self.leave()
        engine, self._engine = self._engine, None
        if engine is not None:
            await engine.close()
        self._forget()
        self._tails.clear()
        self._waiting.clear()

    async def backup(self, target: Path) -> None:
        """Writes a consistent copy that `restore` takes, while the store is in use. *target* is a folder that
        does not exist yet; it appears whole or not at all. The master key is not copied: keep it
        elsewhere."""
        from gitu_core.store.backup import save

        await save(self.engine, self.home, target)

    async def __aenter__(self) -> Store:
        await self.open()
        return self

    async def __aexit__(self, *error: object) -> None:
        await self.close()

    def _begin(self) -> Script:
        found = yield from revision(self.engine.sql)
        if found == self.engine.sql.revision:
            yield from self._keys.begin()
        return found


def connected(
    url: str, host: Any, home: Path | None, keys: Keyring, prefix: str, schema: str | None, busy: float
) -> Engine:
    """The engine for a URL or for a host's own SQLAlchemy engine, not yet connected. `ConfigError` if neither
    is usable."""
    if host is not None:
        url = str(getattr(host, "sync_engine", host).url.render_as_string(hide_password=False))
    elif not url and home is not None:
        url = f"sqlite:///{home / 'gitu.db'}"
    scheme = (url or "sqlite://").partition("://")[0].partition("+")[0]
    if scheme == "sqlite":
        path = sqlite.path_of(url)
        if host is not None and not path:
            raise ConfigError("a host's database in memory cannot be shared", hint="use a file", field="engine")
        if path:
            _make_folder(Path(path).parent)
        own = sqlite.connector(path or ":memory:", busy)
        connect = sqlite.borrowed(host) if getattr(host, "driver", "") == "pysqlite" else own
        return sqlite.SqliteEngine(connect, Sql("sqlite", prefix, schema), keys, busy, bool(path))
    if scheme in ("postgresql", "postgres"):
        borrowed = postgres.borrowed(host) if getattr(host, "driver", "") == "asyncpg" else None
        return postgres.PostgresEngine(borrowed or postgres.connector(url), Sql("postgresql", prefix, schema), keys)
    raise ConfigError(f"no engine for {scheme!r}", hint="use sqlite:///path or postgresql://…", field="url")


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise ConfigError(f"{folder} cannot be made: {error}", hint="name a folder you may write to") from error


async def restore(
    source: Path, url: str = "", home: Path | None = None, *, prefix: str = "", schema: str | None = None
) -> set[str]:
    """Fills an empty database from what `Store.backup` wrote, of the same engine or the other. `StoreError`
    if there is a database already. The master key is not part of a backup: put it where the store finds
    it. Gives the fingerprints of the master keys that the data needs."""
    from gitu_core.store.backup import load

    engine = connected(url, None, home, Keyring("", Master(None)), prefix, schema, 5.0)
    try:
        await engine.connect()
        return await load(source, engine, home)
    finally:
        await engine.close()
