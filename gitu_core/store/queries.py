"""Every query of the store, in SQLAlchemy Core. ``scripts/compile_sql.py`` compiles them; nothing at run time imports
this.

Parameters stand in the order in which the SQL names them, each exactly once. Every query is served by an
index, which a test proves.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    BigInteger,
    ClauseElement,
    Column,
    ColumnElement,
    Double,
    Integer,
    Table,
    Text,
    bindparam,
    func,
    literal_column,
    select,
    text,
    update,
)
from sqlalchemy.dialects.postgresql import Insert as PostgresInsert
from sqlalchemy.dialects.postgresql import insert as postgres_insert
from sqlalchemy.dialects.sqlite import Insert as SqliteInsert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert

from gitu_core.store import tables as t


def _is(*columns: Column[Any]) -> list[ColumnElement[bool]]:
    return [column == bindparam(f"is_{column.name}", type_=column.type) for column in columns]


def _first(statement: Any) -> Any:
    # SQLAlchemy gives SQLite an OFFSET in any case; a literal keeps it from becoming a parameter.
    return statement.limit(bindparam("limit", type_=BigInteger())).offset(literal_column("0"))


def _where(table: Table, names: str) -> list[ColumnElement[bool]]:
    return _is(*(table.c[name] for name in names.split()))


def _pick(table: Table, names: str, where: str) -> Any:
    return select(*(table.c[name] for name in names.split())).where(*_where(table, where))


def _set(table: Table, names: str, where: str) -> Any:
    values = {name: bindparam(f"set_{name}", type_=table.c[name].type) for name in names.split()}
    return update(table).values(values).where(*_where(table, where))


def _insert(dialect: str, table: Table) -> SqliteInsert | PostgresInsert:
    make: Any = sqlite_insert if dialect == "sqlite" else postgres_insert
    names = [column.name for column in table.c if column.autoincrement is not True]
    found: SqliteInsert | PostgresInsert = make(table).values(
        {name: bindparam(f"new_{name}", type_=table.c[name].type) for name in names}
    )
    return found


def _upsert(dialect: str, table: Table, keys: str, changed: str) -> Any:
    statement = _insert(dialect, table)
    return statement.on_conflict_do_update(
        index_elements=keys.split(), set_={name: statement.excluded[name] for name in changed.split()}
    )


def writes(dialect: str) -> dict[str, ClauseElement]:
    """The statements that change rows."""
    accept = _insert(dialect, t.INBOX)
    n: Any = bindparam("plus", type_=Integer())
    at: Any = bindparam("at", type_=Double())
    latest = func.max if dialect == "sqlite" else func.greatest
    sessions = t.SESSIONS
    return {
        "key_add": _insert(dialect, t.KEYS).on_conflict_do_nothing(),
        "person_add": _insert(dialect, t.PEOPLE).on_conflict_do_nothing(),
        "account_add": _insert(dialect, t.ACCOUNTS).on_conflict_do_nothing(),
        "account_used": _set(t.ACCOUNTS, "last_used", "tenant channel account"),
        "session_add": _insert(dialect, sessions),
        "session_set": _set(sessions, "body", "tenant id"),
        "session_bump": update(sessions)
        .values(messages=sessions.c.messages + n, active_at=latest(sessions.c.active_at, at))
        .where(*_where(sessions, "tenant id")),
        "session_end": _set(sessions, "ended_at", "tenant id").where(sessions.c.ended_at.is_(None)),
        "sessions_end_idle": update(sessions)
        .values(ended_at=bindparam("set_ended_at", type_=Double()))
        .where(
            *_where(sessions, "tenant"),
            text("ended_at IS NULL"),
            sessions.c.active_at < bindparam("before", type_=Double()),
        )
        .returning(sessions.c.id),
        "conversation_hold": _insert(dialect, t.CONVERSATIONS).on_conflict_do_nothing(),
        "conversation_bind": _set(t.CONVERSATIONS, "person session bound_at body", "tenant conversation"),
        "accept": accept.on_conflict_do_nothing().returning(t.INBOX.c.channel, t.INBOX.c.key),
        "inbox_done": _set(t.INBOX, "done_at outcome", "tenant id").where(t.INBOX.c.done_at.is_(None)),
        "inbox_abandon": _set(t.INBOX, "done_at outcome", "tenant channel")
        # Numbers begin above 0; that they are named lets SQLite use the index of what is pending.
        .where(text("done_at IS NULL"), t.INBOX.c.n > literal_column("0"))
        .where(t.INBOX.c.accepted_at < bindparam("before", type_=Double()))
        .returning(t.INBOX.c.id),
        "message_add": _insert(dialect, t.MESSAGES),
        "turn_put": _upsert(dialect, t.TURNS, "tenant id", "status ended_at body"),
        "step_add": _insert(dialect, t.STEPS),
        "outbox_put": _upsert(dialect, t.OUTBOX, "tenant id", "state next_at body"),
        "usage_add": _insert(dialect, t.USAGE).on_conflict_do_nothing(),
        "kv_put": _upsert(dialect, t.PLUGIN_STATE, "tenant plugin key", "person updated_at body"),
        "kv_delete": t.PLUGIN_STATE.delete().where(*_where(t.PLUGIN_STATE, "tenant plugin key"))
        .returning(t.PLUGIN_STATE.c.key),
        "blob_add": _insert(dialect, t.BLOBS).on_conflict_do_nothing(),
    }  # fmt: skip


def reads() -> dict[str, ClauseElement]:
    """The statements that only read."""
    keys, inbox, messages, outbox = t.KEYS, t.INBOX, t.MESSAGES, t.OUTBOX
    by_key = "id generation master wrapped person purpose"
    account = _pick(t.ACCOUNTS, "person last_used", "tenant channel account")
    session = "id person created_at active_at ended_at messages body"
    sessions = t.SESSIONS.c
    return {
        "keys_current": _pick(keys, by_key, "tenant person purpose")
        .order_by(keys.c.generation.desc())
        .limit(literal_column("1"))
        .offset(literal_column("0")),
        "key_by_id": _pick(keys, by_key, "tenant id"),
        "person": _pick(t.PEOPLE, "id enabled created_at body", "tenant id"),
        "account": account,
        "session": _pick(t.SESSIONS, session, "tenant id"),
        "session_locked": _pick(t.SESSIONS, session, "tenant id").with_for_update(),
        "session_count": _pick(t.SESSIONS, "messages", "tenant id"),
        "sessions": _first(_pick(t.SESSIONS, session, "tenant").order_by(sessions.active_at.desc())),
        "sessions_of": _first(_pick(t.SESSIONS, session, "tenant person").order_by(sessions.active_at.desc())),
        "conversation": _pick(t.CONVERSATIONS, "session", "tenant conversation"),
        "conversation_locked": _pick(t.CONVERSATIONS, "session", "tenant conversation").with_for_update(),
        "pending": _first(
            _pick(inbox, "n id person session body", "tenant")
            .where(text("done_at IS NULL"), inbox.c.n > bindparam("above", type_=BigInteger()))
            .order_by(inbox.c.n)
        ),
        "pending_of": _first(
            _pick(inbox, "n id person session body", "tenant channel")
            .where(text("done_at IS NULL"), inbox.c.n > bindparam("above", type_=BigInteger()))
            .order_by(inbox.c.n)
        ),
        "inbox_one": _pick(inbox, "n id person session body done_at outcome", "tenant id"),
        "history": _first(
            _pick(messages, "n person turn tokens at body", "tenant session")
            .where(messages.c.n < bindparam("below", type_=BigInteger()))
            .order_by(messages.c.n.desc())
        ),
        "accepted": _pick(inbox, "id", "tenant channel key"),
        "steps": _pick(t.STEPS, "n session person at body", "tenant turn").order_by(t.STEPS.c.n),
        "outbox": _first(
            _pick(outbox, "n id person session body", "tenant state")
            .where(text("state IN ('queued', 'sending')"), outbox.c.n > bindparam("above", type_=BigInteger()))
            .order_by(outbox.c.n)
        ),
        "outbox_one": _pick(outbox, "n id person session body", "tenant id"),
        "kv_get": _pick(t.PLUGIN_STATE, "key person body", "tenant plugin key"),
        "blob": _pick(t.BLOBS, "person size body", "tenant name"),
        **_ranges(),
        **_sums(),
    }


def _ranges() -> dict[str, ClauseElement]:
    state = t.PLUGIN_STATE
    low, high = bindparam("low", type_=Text()), bindparam("high", type_=Text())
    between = (state.c.key >= low, state.c.key < high)
    turn, steps = t.STEPS.c.turn, t.STEPS
    return {
        "steps_under": _pick(steps, "turn n session person at body", "tenant")
        .where(turn >= low, turn < high)
        .order_by(turn, steps.c.n),
        "kv_list": _pick(state, "key person body", "tenant plugin").where(*between).order_by(state.c.key),
        "kv_list_of": _pick(state, "key person body", "tenant person plugin").where(*between).order_by(state.c.key),
    }


def _sums() -> dict[str, ClauseElement]:
    usage = t.USAGE
    names = ("input_tokens", "output_tokens", "cached_tokens", "cost")
    # PostgreSQL adds integers up to a numeric; what comes back is an integer on both.
    total = select(*(func.coalesce(func.sum(usage.c[name]), literal_column("0")).cast(BigInteger) for name in names))
    since = usage.c.at >= bindparam("since", type_=Double())
    return {
        "usage": total.where(*_where(usage, "tenant"), since),
        "usage_of": total.where(*_where(usage, "tenant person"), since),
    }
