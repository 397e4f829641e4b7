"""Backup and restore. A backup is a folder: ``backup.json``, the rows, the blobs. The master key is not in
it.

Rows are either ``gitu.db`` (SQLite's online copy) or ``rows.msgpack`` (PostgreSQL: one moment's rows, each
table in pieces). Both can be restored to both engines. Everything personal stays sealed: who has a backup
also needs the master key to read it, so keep that elsewhere, and keep it.
"""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from gitu_core.errors import ConfigError, Damaged, StoreError
from gitu_core.store.base import Engine
from gitu_core.store.blobs import FOLDER, blob_file, still
from gitu_core.store.keys import Script
from gitu_core.store.schema import ready
from gitu_core.store.sql import Sql, compiled
from gitu_core.store.sqlite import SqliteEngine
from gitu_core.store.writer import Job, Operation

DATABASE, ROWS, NOTE = "gitu.db", "rows.msgpack", "backup.json"
FORMAT = 1
_DRAFTS = shutil.ignore_patterns("*.*")
"""Files that are being written, which may go while others are copied."""


class Note(msgspec.Struct, frozen=True):
    """What a backup says about itself."""

    format: int
    revision: str
    prefix: str
    tables: dict[str, tuple[str, ...]]


async def save(engine: Engine, home: Path | None, target: Path) -> None:
    """Writes a copy of the whole database, all tenants, to the new folder *target*. `StoreError` if it exists
    or cannot be written."""
    if await asyncio.to_thread(target.exists):
        raise StoreError(f"{target} exists already", hint="name a folder that does not exist")
    draft = target.with_name(f".{target.name}.part")
    try:
        await asyncio.to_thread(shutil.rmtree, draft, True)
        draft.mkdir(parents=True)
        if home is not None and (home / FOLDER).is_dir():
            # Together: a file that was sealed anew needs a key that is younger than the rows.
            async with still(home):
                await _rows(engine, draft)
                await asyncio.to_thread(shutil.copytree, home / FOLDER, draft / FOLDER, ignore=_DRAFTS)
        else:
            await _rows(engine, draft)
        note = Note(FORMAT, compiled().revision, engine.sql.prefix, compiled().tables)
        (draft / NOTE).write_bytes(msgspec.json.encode(note))
        draft.rename(target)
    except OSError as error:
        raise StoreError(f"the backup cannot be written: {error}", hint="free some space there") from error
    finally:
        await asyncio.to_thread(shutil.rmtree, draft, True)


async def _rows(engine: Engine, draft: Path) -> None:
    """The rows, before the blobs: those are written before their rows, so none that a row names is missing."""
    if isinstance(engine, SqliteEngine):
        await engine.copy(draft / DATABASE)
    else:
        await _dump(engine, draft / ROWS)


async def _dump(engine: Engine, path: Path) -> None:
    with path.open("wb") as file:
        async for table, rows in engine.scan(compiled().tables):
            data = msgspec.msgpack.encode((table, [tuple(row) for row in rows]))
            await asyncio.to_thread(file.write, len(data).to_bytes(4, "big") + data)


async def load(source: Path, engine: Engine, home: Path | None) -> set[str]:
    """Fills an empty, connected database from a backup, in one transaction; gives the master keys that it needs.
    `StoreError` if it holds tables already, `Damaged` if the folder is no backup."""
    note = _note(source)
    files = engine.file and home is not None
    if files and home is not None and (source / FOLDER).is_dir():
        await asyncio.to_thread(shutil.copytree, source / FOLDER, home / FOLDER, dirs_exist_ok=True)
    pieces, masters = _pieces(source, note, inline=not files), set[str]()

    def script() -> Script:
        if not (yield from ready(engine.sql, note.revision)):
            raise StoreError("the target holds a database already", hint="restore to an empty one")
        for table, rows in pieces:
            if table == "keys":
                masters.update(row[note.tables[table].index("master")] for row in rows)
            yield Operation("many", engine.sql.insert(table, note.tables[table]), rows)
        if engine.dialect == "postgresql":
            for table, columns in note.tables.items():
                if columns[0] == "n":
                    yield _renumbered(engine.sql, table), ()

    await Job(script=script).through(engine.submit)
    return masters


def _renumbered(sql: Sql, table: str) -> str:
    # The next row gets a number above all that came with the backup.
    name = sql.fill(f'"@{table}"')
    return f"SELECT setval(pg_get_serial_sequence('{name}', 'n'), coalesce(max(n), 0) + 1, false) FROM {name}"


def _note(source: Path) -> Note:
    try:
        note = msgspec.json.decode((source / NOTE).read_bytes(), type=Note)
    except (OSError, msgspec.DecodeError) as error:
        raise Damaged(f"{source} is no backup: {error}", hint="name the folder that backup wrote") from error
    if note.format != FORMAT:
        raise ConfigError(f"the backup has format {note.format}, this program reads {FORMAT}", hint="update Gitu")
    return note


def _pieces(source: Path, note: Note, inline: bool) -> Iterator[tuple[str, list[Any]]]:
    """The rows of a backup; with *inline*, blobs that were files come as rows."""
    for table, rows in _stored(source, note):
        lie_apart = inline and table == "blobs"
        yield table, [_inlined(source, note.tables[table], row) for row in rows] if lie_apart else rows


def _stored(source: Path, note: Note) -> Iterator[tuple[str, list[Any]]]:
    if (source / ROWS).is_file():
        with (source / ROWS).open("rb") as file:
            while head := file.read(4):
                data = file.read(int.from_bytes(head, "big"))
                try:
                    yield msgspec.msgpack.decode(data, type=tuple[str, list[Any]])
                except msgspec.DecodeError as error:
                    raise Damaged(f"{source / ROWS} ends early", hint="use another backup") from error
        return
    sql = Sql("sqlite", note.prefix)
    with contextlib.closing(sqlite3.connect(source / DATABASE, check_same_thread=False)) as connection:
        for table, columns in note.tables.items():
            cursor = connection.execute(sql.select(table, columns))
            while rows := cursor.fetchmany(500):
                yield table, rows


def _inlined(source: Path, columns: tuple[str, ...], row: Any) -> Any:
    named = dict(zip(columns, row, strict=True))
    if named["body"] is None:
        path = blob_file(source, named["tenant"], bytes(named["name"]), named["person"])
        named["body"] = path.read_bytes()
    return tuple(named.values())
