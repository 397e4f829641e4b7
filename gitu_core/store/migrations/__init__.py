"""Alembic migrations. They never look at `tables`: a migration is history and stays what it was.

Alembic writes the SQL of a migration (its *offline* mode), the store runs it on its own connection in one
transaction under a lock. So a migration holds DDL and plain SQL that both engines understand; on SQLite,
`op.batch_alter_table` needs `copy_from`. Names carry the marks ``@`` (table) and ``~`` (index), see
`gitu_core.store.sql`.

After a new migration: change `tables`, then ``python -m gitu_core.store.generate``.
"""
