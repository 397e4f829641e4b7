"""Compile all SQL of the store into ``gitu_core/store/statements.json``. A test fails while it is out of date."""

from __future__ import annotations

import json
from pathlib import Path

from sqlalchemy.dialects.postgresql.asyncpg import dialect as postgres_dialect
from sqlalchemy.dialects.sqlite import dialect as sqlite_dialect
from sqlalchemy.engine import Dialect

from gitu_core.store import migrate
from scripts import queries, tables

TARGET = Path(__file__).resolve().parent.parent / "gitu_core/store/statements.json"
DIALECTS: dict[str, Dialect] = {
    "sqlite": sqlite_dialect(paramstyle="qmark"),
    "postgresql": postgres_dialect(paramstyle="numeric_dollar"),  # type: ignore[no-untyped-call]
}


def compiled(dialect: str) -> dict[str, str]:
    """Every statement as the engine takes it. `ValueError` if its parameters are not each a value of the
    caller's."""
    found: dict[str, str] = {}
    for name, statement in queries.statements(dialect).items():
        result = statement.compile(dialect=DIALECTS[dialect])
        names = list(getattr(result, "positiontup", None) or ())
        hidden = [bind.key for bind in getattr(result, "bind_names", ()) if bind.value is not None]
        if len(names) != len(set(names)) or hidden:
            raise ValueError(f"{name}: a parameter stands twice or is a constant: {names} {hidden}")
        found[name] = " ".join(str(result).split())
    return found


def create(dialect: str) -> list[str]:
    """The statements that make an empty database ready."""
    return [" ".join(text.split()) for text in migrate.script(dialect)]


def source() -> str:
    """The text of the file: what `gitu_core.store.sql.Compiled` reads."""
    found = {
        "revision": migrate.head(),
        "tables": {
            table.name.removeprefix("@"): [column.name for column in table.c] for table in tables.METADATA.sorted_tables
        },
        "statements": {dialect: compiled(dialect) for dialect in DIALECTS},
        "create": {dialect: create(dialect) for dialect in DIALECTS},
    }
    return json.dumps(found, indent=1) + "\n"


if __name__ == "__main__":
    TARGET.write_text(source(), encoding="utf-8")
