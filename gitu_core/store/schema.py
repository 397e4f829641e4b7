"""Makes a database ready: fresh ones are created, older ones migrated, newer ones refused."""

from __future__ import annotations

from gitu_core.errors import SchemaError, StoreError
from gitu_core.store.keys import Script
from gitu_core.store.sql import Sql


def revision(sql: Sql) -> Script:
    """The revision of the database by one plain query; None for a database without tables. For a script
    alone: on PostgreSQL a failed query would spoil a transaction."""
    try:
        rows = yield sql.version, ()
    except StoreError as error:
        if error.details.get("kind") != "no_table":
            raise
        return None
    return rows[0][0] if rows else None


def prepare(sql: Sql) -> Script:
    """Creates or migrates, inside a transaction. Whoever comes second finds it done."""
    found = yield from _locked(sql)
    if found == sql.revision:
        return
    if found is None:
        yield from ready(sql, sql.revision)
        return
    for statement in _way(sql, found):
        yield statement, ()


def ready(sql: Sql, revision: str) -> Script:
    """Creates the tables as *revision* knew them, inside a transaction; False if there are tables already."""
    if (yield from _locked(sql)) is not None:
        return False
    if sql.schema:
        yield f'CREATE SCHEMA IF NOT EXISTS "{sql.schema}"', ()
    for statement in sql.create() if revision == sql.revision else _way(sql, "base", revision):
        yield statement, ()
    return True


def _locked(sql: Sql) -> Script:
    """Keeps other programs out until the transaction ends; gives the revision, None without tables."""
    table = sql.fill('"@schema_version"')
    if sql.dialect == "postgresql":
        yield "SELECT pg_advisory_xact_lock(hashtext($1)::bigint)", (table,)
        rows = yield "SELECT to_regclass($1)::text", (table,)
        exists = rows[0][0] is not None
    else:
        name = f"{sql.prefix}schema_version"
        exists = bool((yield "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?", (name,)))
    return (yield from revision(sql)) if exists else None


def _way(sql: Sql, found: str, target: str = "head") -> list[str]:
    # Alembic and SQLAlchemy cost half a second of CPU; only a database of an older program pays it.
    from gitu_core.store import migrate

    for revision in (found, target):
        if revision not in ("head", migrate.BASE) and not migrate.known(revision):
            what = f"the database has revision {revision}, this program knows up to {sql.revision}"
            hint = "use the newer program that wrote it, or restore a backup"
            raise SchemaError(what, hint=hint, found=revision, known=sql.revision)
    return [sql.fill(statement) for statement in migrate.script(sql.dialect, start=found, target=target)]
