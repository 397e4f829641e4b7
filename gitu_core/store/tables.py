"""The tables, as SQLAlchemy Core knows them: the one place that says what is stored where.

Names carry marks instead of a fixed prefix: ``@`` begins the name of a table, ``~`` that of an index.
`sql.fill` turns them into the names of one installation (schema and prefix), so that SQL compiled once serves
every installation.

Every table has ``tenant``, and ``person`` where a row belongs to one. ``body`` is sealed (see `keys`): what
people say and what is known about them stands there only. The other columns are what queries need:
identifiers, times, states, counts. Identifiers that a channel gave (accounts, conversations, idempotency
keys) are stored as keyed digests. Times are seconds since 1970, UTC. Nothing at run time imports this module:
it serves migrations and generation.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Column,
    Double,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    Table,
    Text,
    text,
)

METADATA = MetaData()

# Code point order on both engines: ranges over a prefix need it.
NAME = Text().with_variant(Text(collation="C"), "postgresql")
# SQLite numbers rows by itself only where the type is exactly INTEGER.
SERIAL = BigInteger().with_variant(Integer(), "sqlite")
DIGEST = BODY = LargeBinary
TIME = Double


def _column(name: str, kind: object = NAME, **options: object) -> Column[object]:
    options.setdefault("nullable", False)
    return Column(name, kind, **options)  # type: ignore[arg-type, call-overload, no-any-return, unused-ignore]


def _table(name: str, *parts: Column[object] | Index) -> Table:
    return Table(f"@{name}", METADATA, *parts)


def _key(name: str, kind: object = NAME) -> Column[object]:
    return _column(name, kind, primary_key=True)


def _serial() -> Column[object]:
    return _column("n", SERIAL, primary_key=True, autoincrement=True)


KEYS = _table(
    "keys",
    _key("tenant"),
    _key("id", DIGEST),
    _column("person"),
    _column("purpose"),
    _column("generation", Integer),
    _column("master"),
    _column("wrapped", BODY),
    _column("created_at", TIME),
    Index("~keys_of", "tenant", "person", "purpose", "generation", unique=True),
)

PEOPLE = _table(
    "people",
    _key("tenant"),
    _key("id"),
    _column("enabled", SmallInteger),
    _column("created_at", TIME),
    _column("body", BODY),
)

ACCOUNTS = _table(
    "accounts",
    _key("tenant"),
    _key("channel"),
    _key("account", DIGEST),
    _column("person"),
    _column("created_at", TIME),
    _column("last_used", TIME),
    _column("body", BODY),
)

SESSIONS = _table(
    "sessions",
    _key("tenant"),
    _key("id"),
    _column("person"),
    _column("created_at", TIME),
    _column("active_at", TIME),
    _column("ended_at", TIME, nullable=True),
    _column("messages", Integer),
    _column("body", BODY),
    Index("~sessions_of", "tenant", "person", "active_at"),
    Index("~sessions_active", "tenant", "active_at"),
    Index(
        "~sessions_open",
        "tenant",
        "active_at",
        sqlite_where=text("ended_at IS NULL"),
        postgresql_where=text("ended_at IS NULL"),
    ),
)

CONVERSATIONS = _table(
    "conversations",
    _key("tenant"),
    _key("conversation", DIGEST),
    _column("channel"),
    _column("person"),
    _column("session"),
    _column("bound_at", TIME),
    _column("body", BODY),
)

INBOX = _table(
    "inbox",
    _serial(),
    _column("tenant"),
    _column("id"),
    _column("channel"),
    _column("key", DIGEST),
    _column("person"),
    _column("session"),
    _column("accepted_at", TIME),
    _column("done_at", TIME, nullable=True),
    _column("outcome"),
    _column("body", BODY),
    Index("~inbox_key", "tenant", "channel", "key", unique=True),
    Index("~inbox_id", "tenant", "id", unique=True),
    Index(
        "~inbox_pending", "tenant", "n", sqlite_where=text("done_at IS NULL"), postgresql_where=text("done_at IS NULL")
    ),
)

MESSAGES = _table(
    "messages",
    _serial(),
    _column("tenant"),
    _column("session"),
    _column("person"),
    _column("turn"),
    _column("tokens", Integer),
    _column("at", TIME),
    _column("body", BODY),
    Index("~messages_of", "tenant", "session", "n"),
)

TURNS = _table(
    "turns",
    _key("tenant"),
    _key("id"),
    _column("session"),
    _column("person"),
    _column("status"),
    _column("started_at", TIME),
    _column("ended_at", TIME, nullable=True),
    _column("body", BODY),
)

STEPS = _table(
    "steps",
    _key("tenant"),
    _key("turn"),
    _key("n", Integer),
    _column("session"),
    _column("person"),
    _column("at", TIME),
    _column("body", BODY),
)

OUTBOX = _table(
    "outbox",
    _serial(),
    _column("tenant"),
    _column("id"),
    _column("person"),
    _column("session"),
    _column("state"),
    _column("next_at", TIME),
    _column("body", BODY),
    Index("~outbox_id", "tenant", "id", unique=True),
    Index(
        "~outbox_open",
        "tenant",
        "state",
        "n",
        sqlite_where=text("state IN ('queued', 'sending')"),
        postgresql_where=text("state IN ('queued', 'sending')"),
    ),
)

USAGE = _table(
    "usage",
    _key("tenant"),
    _key("id"),
    _column("person"),
    _column("session"),
    _column("turn"),
    _column("plugin"),
    _column("model"),
    _column("owner"),
    _column("input_tokens", BigInteger),
    _column("output_tokens", BigInteger),
    _column("cached_tokens", BigInteger),
    _column("cost", BigInteger),
    _column("at", TIME),
    Index("~usage_of", "tenant", "person", "at"),
    Index("~usage_at", "tenant", "at"),
)

PLUGIN_STATE = _table(
    "plugin_state",
    _key("tenant"),
    _key("plugin"),
    _key("key"),
    _column("person"),
    _column("updated_at", TIME),
    _column("body", BODY),
    Index("~plugin_state_of", "tenant", "person", "plugin", "key"),
)

BLOBS = _table(
    "blobs",
    _key("tenant"),
    _key("name", DIGEST),
    _key("person"),
    _column("size", BigInteger),
    _column("created_at", TIME),
    _column("meta", BODY),
    _column("body", BODY, nullable=True),
)
