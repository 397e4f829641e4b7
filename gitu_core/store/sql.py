"""Compiled SQL for one installation: marks filled with its schema and prefix. Imports neither engine nor
SQLAlchemy.

``statements.json`` holds all SQL, compiled from tables, queries and migrations by ``scripts/compile_sql.py``:
a migrated database opens with it alone.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import msgspec

from gitu_core.errors import ConfigError

_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,30}")


class Compiled(msgspec.Struct, frozen=True):
    """What was compiled: the newest revision, the columns of every table, and by dialect the statements by name and
    those that make an empty database ready."""

    revision: str
    tables: dict[str, tuple[str, ...]]
    statements: dict[str, dict[str, str]]
    create: dict[str, list[str]]


@cache
def compiled() -> Compiled:
    """The content of ``statements.json``, read when it is first needed."""
    return msgspec.json.decode(Path(__file__).with_name("statements.json").read_bytes(), type=Compiled)


class Sql:
    """The statements of one installation by name.

    :param dialect: ``sqlite`` or ``postgresql``.
    :param prefix: what the name of every table and index begins with; letters, digits, underscores.
    :param schema: the PostgreSQL schema that holds the tables; None for the connection's own.
    :raises ConfigError: a prefix or schema is not a plain identifier.
    """

    def __init__(self, dialect: str, prefix: str = "", schema: str | None = None) -> None:
        for field, value in (("prefix", prefix), ("schema", schema)):
            if value and not _IDENTIFIER.fullmatch(value):
                hint = "use up to 31 letters, digits and underscores, no digit first"
                raise ConfigError(f"{field} {value!r} is not a plain identifier", hint=hint, field=field)
        if schema and dialect == "sqlite":
            raise ConfigError("SQLite has no schemas", hint="use prefix instead", field="schema")
        self.dialect, self.prefix, self.schema, self.revision = dialect, prefix, schema, compiled().revision
        self._text = {name: self.fill(text) for name, text in compiled().statements[dialect].items()}
        self.version = 'SELECT version_num FROM "@schema_version"'

    def fill(self, text: str) -> str:
        """*text* with the marks ``"@`` (table) and ``"~`` (index) turned into this installation's names."""
        place = f'"{self.schema}".' if self.schema else ""
        # An index lives where its table does; only who drops it has to say where that is.
        index = place if text.startswith("DROP INDEX") else ""
        return text.replace('"@', f'{place}"{self.prefix}').replace('"~', f'{index}"{self.prefix}')

    def text(self, name: str) -> str:
        """The statement of that name; plain SQL, with marks, is taken as well."""
        found = self._text.get(name)
        return self.fill(name) if found is None else found

    def select(self, table: str, columns: tuple[str, ...]) -> str:
        """Reads a whole table."""
        names = ", ".join(f'"{name}"' for name in columns)
        return self.fill(f'SELECT {names} FROM "@{table}"')

    def insert(self, table: str, columns: tuple[str, ...]) -> str:
        """Writes whole rows, as a backup holds them."""
        names = ", ".join(f'"{name}"' for name in columns)
        marks = ("?" if self.dialect == "sqlite" else f"${n}" for n in range(1, len(columns) + 1))
        return self.fill(f'INSERT INTO "@{table}" ({names}) VALUES ({", ".join(marks)})')

    def change(self, table: str, column: str, where: tuple[str, ...]) -> str:
        """Writes one column of the row whose columns *where* are as given; gives a row where there is one."""
        mark = ("?" if self.dialect == "sqlite" else f"${n}" for n in range(1, len(where) + 2))
        first = f'UPDATE "@{table}" SET "{column}" = {next(mark)} WHERE '
        return self.fill(first + " AND ".join(f'"{name}" = {next(mark)}' for name in where) + " RETURNING 1")

    def create(self) -> list[str]:
        """The statements that make an empty database ready, the revision's record included."""
        return [self.fill(text) for text in compiled().create[self.dialect]]
