"""Alembic migrations. They never look at `scripts/tables.py`: a migration is history and stays what it was.

Alembic writes the SQL of a migration (its *offline* mode), the store runs it on its own connection in one
transaction under a lock. So a migration holds DDL and plain SQL that both engines understand; on SQLite,
`op.batch_alter_table` needs `copy_from`. Names carry the marks ``@`` (table) and ``~`` (index), see
`gitu_core.store.sql`; columns and indexes are said in the words of `gitu_core.store.columns`.

After a new migration: change `scripts/tables.py`, then ``python scripts/compile_sql.py``.
"""

from __future__ import annotations

from alembic import op
from sqlalchemy import Index

from gitu_core.store.columns import columns


def create(name: str, words: str, *indexes: Index) -> None:
    """Makes a table with its indexes."""
    op.create_table(f"@{name}", *columns(words))
    extend(name, "", *indexes)


def extend(name: str, words: str, *indexes: Index) -> None:
    """Gives a table more columns and indexes."""
    for column in columns(words):
        op.add_column(f"@{name}", column)
    for index in indexes:
        names = [str(part) for part in index.expressions]
        op.create_index(index.name, f"@{name}", names, unique=index.unique, **index.dialect_kwargs)
