"""Compiles all SQL into `statements`: ``python -m gitu_core.store.generate``. A test fails while it is out of
date."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy.dialects.postgresql.asyncpg import dialect as postgres_dialect
from sqlalchemy.dialects.sqlite import dialect as sqlite_dialect
from sqlalchemy.engine import Dialect

from gitu_core.store import migrate, queries, tables

TARGET = Path(__file__).with_name("statements.py")
DIALECTS: dict[str, Dialect] = {
    "sqlite": sqlite_dialect(paramstyle="qmark"),
    "postgresql": postgres_dialect(paramstyle="numeric_dollar"),  # type: ignore[no-untyped-call]
}


def compiled(dialect: str) -> dict[str, str]:
    """Every statement as the engine takes it. `ValueError` if its parameters are not each a value of the
    caller's."""
    found: dict[str, str] = {}
    for name, statement in (queries.writes(dialect) | queries.reads()).items():
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
    """The text of the module `statements`."""
    lines = [
        '"""SQL of the store, compiled from `tables`, `queries` and the migrations.',
        "",
        "Made by `generate`; do not edit.",
        "A migrated database opens with these alone, without importing SQLAlchemy or Alembic.",
        '"""',
        "",
        "# fmt: off",
        "# ruff: noqa: E501",
        "",
        f'REVISION = "{migrate.head()}"',
    ]
    lines += ["", "TABLES: dict[str, tuple[str, ...]] = {"]
    for table in tables.METADATA.sorted_tables:
        lines.append(f'    "{table.name.removeprefix("@")}": {tuple(column.name for column in table.c)!r},')
    lines += ["}", "", "STATEMENTS: dict[str, dict[str, str]] = {"]
    for dialect in DIALECTS:
        lines.append(f'    "{dialect}": {{')
        lines += [f'        "{name}": {text!r},' for name, text in compiled(dialect).items()]
        lines.append("    },")
    lines += ["}", "", "CREATE: dict[str, list[str]] = {"]
    for dialect in DIALECTS:
        lines += [f'    "{dialect}": [', *(f"        {text!r}," for text in create(dialect)), "    ],"]
    return "\n".join([*lines, "}", ""])


def main() -> None:
    """Writes the module."""
    TARGET.write_text(source(), encoding="utf-8")


if __name__ == "__main__":
    main()
