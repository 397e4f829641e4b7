"""What queries are made of. Parameters are named after the column and what they do with it: ``is_``, ``set_``,
``new_``; constants are literal SQL, so that every parameter is a value of the caller's."""

from __future__ import annotations

from typing import Any

from sqlalchemy import BigInteger, ColumnElement, Double, Table, bindparam, literal_column, select, text, tuple_, update
from sqlalchemy.dialects.postgresql import insert as postgres_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert

constant: Any = literal_column
"""A constant, as it stands in the SQL."""

ZERO, ONE, EMPTY = constant("0"), constant("1"), constant("''")
PENDING = text("done_at IS NULL")
OPEN, LOST = text("state IN ('queued', 'sending')"), text("state IN ('unknown', 'dead')")


def number(name: str) -> Any:
    """A parameter that is a whole number."""
    return bindparam(name, type_=BigInteger())


def moment(name: str) -> Any:
    """A parameter that is a time."""
    return bindparam(name, type_=Double())


def where(table: Table, names: str) -> list[ColumnElement[bool]]:
    """The rows whose columns *names* are as given."""
    return [table.c[name] == bindparam(f"is_{name}", type_=table.c[name].type) for name in names.split()]


def pick(table: Table, names: str, by: str) -> Any:
    """The columns *names* of the rows whose columns *by* are as given."""
    return select(*(table.c[name] for name in names.split())).where(*where(table, by))


def change(table: Table, by: str, names: str = "", **fixed: Any) -> Any:
    """Sets the columns *names* where the columns *by* are as given, and those *fixed* to what they say."""
    values = {name: bindparam(f"set_{name}", type_=table.c[name].type) for name in names.split()}
    return update(table).values(values | fixed).where(*where(table, by))


def first(statement: Any, limit: Any = None) -> Any:
    """The first rows, as many as the parameter ``limit`` says where *limit* does not."""
    # SQLAlchemy gives SQLite an OFFSET in any case; a literal keeps it from becoming a parameter.
    return statement.limit(number("limit") if limit is None else limit).offset(ZERO)


def page(statement: Any, table: Table, group: str = "") -> Any:
    """The first ``limit`` rows behind the number ``above``, in order; with *group*, behind that column's value and that
    number in it."""
    n = table.c.n
    if not group:
        return first(statement.where(n > number("above")).order_by(n))
    column = table.c[group]
    behind = tuple_(column, n) > tuple_(bindparam(f"above_{group}", type_=column.type), number("above"))
    return first(statement.where(behind).order_by(column, n))


def into(dialect: str, table: Table) -> Any:
    """New rows, of whatever is said next."""
    make: Any = sqlite_insert if dialect == "sqlite" else postgres_insert
    return make(table)


def insert(dialect: str, table: Table, **fixed: Any) -> Any:
    """A new row; the columns *fixed* are what they say."""
    names = [column.name for column in table.c if column.autoincrement is not True]
    new = {name: bindparam(f"new_{name}", type_=table.c[name].type) for name in names}
    return into(dialect, table).values(new | fixed)


def upsert(dialect: str, table: Table, keys: str, changed: str, **fixed: Any) -> Any:
    """A new row, or the columns *changed* of the one with the same *keys*."""
    statement = insert(dialect, table, **fixed)
    return statement.on_conflict_do_update(
        index_elements=keys.split(), set_={name: statement.excluded[name] for name in changed.split()}
    )
