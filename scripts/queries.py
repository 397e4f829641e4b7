"""Every query of the store, in SQLAlchemy Core. ``compile_sql.py`` compiles them; they are no part of what runs.

Parameters stand in the order in which the SQL names them, each exactly once. Every query is served by an
index, which a test proves.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import BigInteger, ClauseElement, Integer, Text, bindparam, func, select, text, tuple_, update

from scripts import budget_queries, grant_queries, people_queries, work_queries
from scripts import phrases as q
from scripts import tables as t


def statements(dialect: str) -> dict[str, ClauseElement]:
    """All of them, by name."""
    own = {**_writes(dialect), **_reads(), **_ranges(), **_sums()}
    return {**own, **people_queries.statements(dialect), **work_queries.statements(dialect),
            **budget_queries.statements(dialect), **grant_queries.statements(dialect)}  # fmt: skip


KEY = "id generation master wrapped person purpose"


def _writes(dialect: str) -> dict[str, ClauseElement]:
    inbox, sessions = t.INBOX, t.SESSIONS
    n: Any = bindparam("plus", type_=Integer())
    latest = func.max if dialect == "sqlite" else func.greatest
    return {
        "key_add": q.insert(dialect, t.KEYS)
        .on_conflict_do_nothing()
        .returning(*(t.KEYS.c[name] for name in KEY.split())),
        "key_wrap": q.change(t.KEYS, "tenant id master", "master wrapped").returning(t.KEYS.c.id),
        "session_add": q.insert(dialect, sessions),
        "session_bump": update(sessions)
        .values(messages=sessions.c.messages + n, active_at=latest(sessions.c.active_at, q.moment("at")))
        .where(*q.where(sessions, "tenant id")),
        "session_end": q.change(sessions, "tenant id", "ended_at").where(sessions.c.ended_at.is_(None)),
        # Opened again it was used just now: what ends idle sessions leaves it alone.
        "session_open": q.change(sessions, "tenant id", "active_at ended_at"),
        "sessions_end_idle": q.change(sessions, "tenant", "ended_at")
        .where(text("ended_at IS NULL"), sessions.c.active_at < q.moment("before"))
        .returning(sessions.c.id),
        "conversation_hold": q.insert(dialect, t.CONVERSATIONS)
        .on_conflict_do_nothing()
        .returning(t.CONVERSATIONS.c.session),
        "conversation_bind": q.change(t.CONVERSATIONS, "tenant conversation", "person session bound_at body"),
        "accept": q.insert(dialect, inbox).on_conflict_do_nothing().returning(inbox.c.channel, inbox.c.key),
        "inbox_done": q.change(inbox, "tenant id", "done_at outcome").where(inbox.c.done_at.is_(None)),
        "inbox_abandon": q.change(inbox, "tenant channel", "done_at outcome")
        # No session is below ""; that they are named lets SQLite use the index of what is pending.
        .where(q.PENDING, inbox.c.session >= q.EMPTY, inbox.c.accepted_at < q.moment("before"))
        .returning(inbox.c.id),
        "message_add": q.insert(dialect, t.MESSAGES),
        "turn_put": q.upsert(dialect, t.TURNS, "tenant id", "status ended_at body"),
        "turn_end": q.change(t.TURNS, "tenant id", "status ended_at"),
        "step_add": q.insert(dialect, t.STEPS),
        "outbox_put": q.upsert(dialect, t.OUTBOX, "tenant id", "channel state next_at body"),
        "outbox_add": q.insert(dialect, t.OUTBOX).on_conflict_do_nothing().returning(t.OUTBOX.c.id),
        "usage_add": q.insert(dialect, t.USAGE).on_conflict_do_nothing(),
        "kv_put": q.upsert(dialect, t.PLUGIN_STATE, "tenant plugin key", "person updated_at body"),
        "kv_delete": t.PLUGIN_STATE.delete().where(*q.where(t.PLUGIN_STATE, "tenant plugin key"))
        .returning(t.PLUGIN_STATE.c.key),
        "blob_add": q.insert(dialect, t.BLOBS).on_conflict_do_nothing(),
    }  # fmt: skip


def _reads() -> dict[str, ClauseElement]:
    keys, inbox, messages, outbox = t.KEYS, t.INBOX, t.MESSAGES, t.OUTBOX
    session = "id person created_at active_at ended_at messages body"
    sessions, conversations = t.SESSIONS.c, t.CONVERSATIONS.c
    row = "n id person session body"
    above = tuple_(bindparam("above_tenant", type_=Text()), bindparam("above_id", type_=keys.c.id.type))
    said, n = q.pick(messages, "n person turn tokens at body", "tenant session"), messages.c.n
    return {
        "keys_current": q.first(q.pick(keys, KEY, "tenant person purpose").order_by(keys.c.generation.desc()), q.ONE),
        "key_by_id": q.pick(keys, KEY, "tenant id"),
        # Shared: keys are made side by side, and never while the tenant's own is wrapped anew.
        "key_lead": q.pick(keys, "master", "tenant person purpose").with_for_update(read=True),
        "keys_page": q.first(
            select(keys.c.tenant, *(keys.c[name] for name in KEY.split()), keys.c.created_at)
            .where(tuple_(keys.c.tenant, keys.c.id) > above)
            .order_by(keys.c.tenant, keys.c.id)
        ),
        "session": q.pick(t.SESSIONS, session, "tenant id"),
        "session_of": q.pick(t.SESSIONS, session, "")
        .where(*q.where(t.CONVERSATIONS, "tenant conversation"))
        .where(sessions.tenant == conversations.tenant, sessions.id == conversations.session),
        "session_locked": q.pick(t.SESSIONS, session, "tenant id").with_for_update(),
        "session_count": q.pick(t.SESSIONS, "messages", "tenant id"),
        "sessions": q.first(q.pick(t.SESSIONS, session, "tenant").order_by(sessions.active_at.desc())),
        "sessions_of": q.first(q.pick(t.SESSIONS, session, "tenant person").order_by(sessions.active_at.desc())),
        "conversations_in": q.pick(t.CONVERSATIONS, "conversation body", "tenant person session"),
        "conversation_locked": q.pick(t.CONVERSATIONS, "session", "tenant conversation").with_for_update(),
        "inbox_one": q.pick(inbox, f"{row} worker done_at outcome", "tenant id"),
        "history": q.first(said.where(n < q.number("below")).order_by(n.desc())),
        "accepted": q.pick(inbox, "id", "tenant channel key"),
        "steps": q.pick(t.STEPS, "n session person at body", "tenant turn").order_by(t.STEPS.c.n),
        "outbox": q.page(q.pick(outbox, row, "tenant state").where(q.OPEN), outbox, "channel"),
        "outbox_of": q.page(q.pick(outbox, row, "tenant channel state").where(q.OPEN), outbox),
        "outbox_after": q.first(q.pick(outbox, "id", "tenant session").where(outbox.c.n > q.number("above")), q.ONE),
        "outbox_one": q.pick(outbox, f"{row} channel", "tenant id"),
        "kv_get": q.pick(t.PLUGIN_STATE, "key person body", "tenant plugin key"),
        "blob": q.pick(t.BLOBS, "person size body", "tenant name"),
    }


def _ranges() -> dict[str, ClauseElement]:
    state = t.PLUGIN_STATE
    low, high = bindparam("low", type_=Text()), bindparam("high", type_=Text())
    between, row = (state.c.key >= low, state.c.key < high), "key person body"
    steps, turn = q.pick(t.STEPS, "turn n session person at body", "tenant"), t.STEPS.c.turn
    return {
        "steps_under": steps.where(turn >= low, turn < high).order_by(turn, t.STEPS.c.n),
        "kv_list": q.pick(state, row, "tenant plugin").where(*between).order_by(state.c.key),
        "kv_list_of": q.pick(state, row, "tenant person plugin").where(*between).order_by(state.c.key),
    }


def _sums() -> dict[str, ClauseElement]:
    usage = t.USAGE
    names = ("input_tokens", "output_tokens", "cached_tokens", "cost")
    # PostgreSQL adds integers up to a numeric; what comes back is an integer on both.
    total = select(*(func.coalesce(func.sum(usage.c[name]), q.ZERO).cast(BigInteger) for name in names))
    since = usage.c.at >= q.moment("since")
    return {
        "usage": total.where(*q.where(usage, "tenant"), since),
        "usage_of": total.where(*q.where(usage, "tenant person"), since),
    }
