"""Columns and indexes in words, for the tables and for migrations.

A column is ``name``, a text, or ``name:kind``: ``int``, ``small`` and ``big`` numbers, ``time`` (seconds since 1970,
UTC), ``bytes``, or ``serial``, which the database counts up. A mark may follow: ``*`` for a part of the primary key,
``?`` for what may be null, ``=1`` for what a row gets (in SQL) that does not say.

    tenant* id* started_at:time ended_at:time? alone:small=1 body:bytes
"""

from __future__ import annotations

import re
from typing import Any

from sqlalchemy import BigInteger, Column, Double, Index, Integer, LargeBinary, SmallInteger, Text, text

_KINDS: dict[str | None, Any] = {
    # Code point order on both engines: ranges over a prefix need it.
    None: Text().with_variant(Text(collation="C"), "postgresql"),
    # SQLite numbers rows by itself only where the type is exactly INTEGER.
    "serial": BigInteger().with_variant(Integer(), "sqlite"),
    "int": Integer(), "small": SmallInteger(), "big": BigInteger(), "time": Double(), "bytes": LargeBinary(),
}  # fmt: skip
_WORD = re.compile(r"(\w+)(?::(\w+))?([*?]?)(?:=(\S+))?")


def columns(words: str) -> list[Column[Any]]:
    """The columns that *words* name."""
    return [_column(word) for word in words.split()]


def _column(word: str) -> Column[Any]:
    found = _WORD.fullmatch(word)
    assert found, word
    name, kind, mark, default = found.groups()
    counted: Any = True if kind == "serial" else "auto"
    return Column(name, _KINDS[kind], primary_key=mark == "*", nullable=mark == "?", autoincrement=counted,
                  server_default=text(default) if default else None)  # fmt: skip


def index(name: str, names: str, *, unique: bool = False, where: str = "") -> Index:
    """The index *name* over the columns *names*, of the rows that fulfil *where*."""
    condition: dict[str, Any] = {"sqlite_where": text(where), "postgresql_where": text(where)} if where else {}
    return Index(f"~{name}", *names.split(), unique=unique, **condition)
