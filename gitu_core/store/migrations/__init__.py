"""Alembic migrations. They never look at `tables`: a migration is history and stays what it was.

Alembic writes the SQL of a migration (its *offline* mode), the store runs it on its own connection in one
transaction under a lock. So a migration holds DDL and plain SQL that both engines understand; on SQLite,
`op.batch_alter_table` needs `copy_from`. Names carry the marks ``@`` (table) and ``~`` (index), see
`gitu_core.store.sql`; columns and indexes are said in the words of `gitu_core.store.columns`.

After a new migration: change `tables`, then ``python scripts/compile_sql.py``.
"""

from __future__ import annotations

from alembic import op
from sqlalchemy import Index, MetaData, Table
from sqlalchemy.schema import CreateIndex, CreateTable

from gitu_core.store.columns import columns


def create(name: str, words: str, *indexes: Index) -> None:
    """Makes a table with its indexes."""
    op.execute(CreateTable(Table(f"@{name}", MetaData(), *columns(words), *indexes)))
    for index in indexes:
        op.execute(CreateIndex(index))
