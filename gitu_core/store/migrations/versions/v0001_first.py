"""The first tables.

Revision ID: 0001
Revises:
"""

from typing import Any

from alembic import op
from sqlalchemy import BigInteger, Column, Double, Integer, LargeBinary, SmallInteger, Text, text

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

NAME = Text().with_variant(Text(collation="C"), "postgresql")
_LATER = ("blobs", "plugin_state", "usage", "outbox", "steps", "turns", "messages")
_EARLIER = ("inbox", "conversations", "sessions", "accounts", "people", "keys")

SERIAL = BigInteger().with_variant(Integer(), "sqlite")


def _columns(names: str, kind: Any = NAME, *, key: bool = False, nullable: bool = False) -> list[Column[Any]]:
    return [Column(name, kind, primary_key=key, nullable=nullable) for name in names.split()]


def _serial() -> Column[Any]:
    return Column("n", SERIAL, primary_key=True, autoincrement=True, nullable=False)


def _index(name: str, table: str, columns: str, *, unique: bool = False, where: str | None = None) -> None:
    condition: dict[str, Any] = {} if where is None else {"sqlite_where": text(where), "postgresql_where": text(where)}
    op.create_index(f"~{name}", f"@{table}", columns.split(), unique=unique, **condition)


def upgrade() -> None:
    """Makes every table."""
    _people()
    _sessions()
    _conversation()
    _turns()
    _rest()


def downgrade() -> None:
    """Drops every table, with its indexes."""
    for name in (*_LATER, *_EARLIER):
        op.drop_table(f"@{name}")


def _people() -> None:
    op.create_table(
        "@keys",
        *_columns("tenant", key=True),
        *_columns("id", LargeBinary, key=True),
        *_columns("person purpose"),
        *_columns("generation", Integer),
        *_columns("master"),
        *_columns("wrapped", LargeBinary),
        *_columns("created_at", Double),
    )
    _index("keys_of", "keys", "tenant person purpose generation", unique=True)
    op.create_table(
        "@people",
        *_columns("tenant id", key=True),
        *_columns("enabled", SmallInteger),
        *_columns("created_at", Double),
        *_columns("body", LargeBinary),
    )
    op.create_table(
        "@accounts",
        *_columns("tenant channel", key=True),
        *_columns("account", LargeBinary, key=True),
        *_columns("person"),
        *_columns("created_at last_used", Double),
        *_columns("body", LargeBinary),
    )


def _sessions() -> None:
    op.create_table(
        "@sessions",
        *_columns("tenant id", key=True),
        *_columns("person"),
        *_columns("created_at active_at", Double),
        *_columns("ended_at", Double, nullable=True),
        *_columns("messages", Integer),
        *_columns("body", LargeBinary),
    )
    _index("sessions_of", "sessions", "tenant person active_at")
    _index("sessions_active", "sessions", "tenant active_at")
    _index("sessions_open", "sessions", "tenant active_at", where="ended_at IS NULL")
    op.create_table(
        "@conversations",
        *_columns("tenant", key=True),
        *_columns("conversation", LargeBinary, key=True),
        *_columns("channel person session"),
        *_columns("bound_at", Double),
        *_columns("body", LargeBinary),
    )


def _conversation() -> None:
    op.create_table(
        "@inbox",
        _serial(),
        *_columns("tenant id channel"),
        *_columns("key", LargeBinary),
        *_columns("person session"),
        *_columns("accepted_at", Double),
        *_columns("done_at", Double, nullable=True),
        *_columns("outcome"),
        *_columns("body", LargeBinary),
    )
    _index("inbox_key", "inbox", "tenant channel key", unique=True)
    _index("inbox_id", "inbox", "tenant id", unique=True)
    _index("inbox_pending", "inbox", "tenant n", where="done_at IS NULL")
    op.create_table(
        "@messages",
        _serial(),
        *_columns("tenant session person turn"),
        *_columns("tokens", Integer),
        *_columns("at", Double),
        *_columns("body", LargeBinary),
    )
    _index("messages_of", "messages", "tenant session n")


def _turns() -> None:
    op.create_table(
        "@turns",
        *_columns("tenant id", key=True),
        *_columns("session person status"),
        *_columns("started_at", Double),
        *_columns("ended_at", Double, nullable=True),
        *_columns("body", LargeBinary),
    )
    op.create_table(
        "@steps",
        *_columns("tenant turn", key=True),
        *_columns("n", Integer, key=True),
        *_columns("session person"),
        *_columns("at", Double),
        *_columns("body", LargeBinary),
    )
    op.create_table(
        "@outbox",
        _serial(),
        *_columns("tenant id person session state"),
        *_columns("next_at", Double),
        *_columns("body", LargeBinary),
    )
    _index("outbox_id", "outbox", "tenant id", unique=True)
    _index("outbox_open", "outbox", "tenant state n", where="state IN ('queued', 'sending')")


def _rest() -> None:
    op.create_table(
        "@usage",
        *_columns("tenant id", key=True),
        *_columns("person session turn plugin model owner"),
        *_columns("input_tokens output_tokens cached_tokens cost", BigInteger),
        *_columns("at", Double),
    )
    _index("usage_of", "usage", "tenant person at")
    _index("usage_at", "usage", "tenant at")
    op.create_table(
        "@plugin_state",
        *_columns("tenant plugin key", key=True),
        *_columns("person"),
        *_columns("updated_at", Double),
        *_columns("body", LargeBinary),
    )
    _index("plugin_state_of", "plugin_state", "tenant person plugin key")
    op.create_table(
        "@blobs",
        *_columns("tenant", key=True),
        *_columns("name", LargeBinary, key=True),
        *_columns("person", key=True),
        *_columns("size", BigInteger),
        *_columns("created_at", Double),
        *_columns("meta", LargeBinary),
        *_columns("body", LargeBinary, nullable=True),
    )
