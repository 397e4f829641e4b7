"""The tables of the store, as SQLAlchemy Core knows them: the one place that says what is stored where, in the words of
`gitu_core.store.columns`.

Names carry marks instead of a fixed prefix: ``@`` begins the name of a table, ``~`` that of an index.
`Sql.fill` turns them into the names of one installation (schema and prefix), so that SQL compiled once serves
every installation.

Every table has ``tenant``, and ``person`` where a row belongs to one. ``body`` is sealed (see `keys`): what
people say and what is known about them stands there only. The other columns are what queries need:
identifiers, times, states, counts. Identifiers that a channel gave (accounts, conversations, idempotency
keys) are stored as keyed digests. No part of what runs: `compile_sql.py` reads it, and tests compare it with what the
migrations make.
"""

from __future__ import annotations

from sqlalchemy import Index, MetaData, Table

from gitu_core.store.columns import columns, index

METADATA = MetaData()


def _table(name: str, words: str, *indexes: Index) -> Table:
    return Table(f"@{name}", METADATA, *columns(words), *indexes)


# fmt: off
KEYS = _table(
    "keys", "tenant* id:bytes* person purpose generation:int master wrapped:bytes created_at:time",
    index("keys_of", "tenant person purpose generation", unique=True))
PEOPLE = _table(
    "people", "tenant* id* enabled:small created_at:time body:bytes",
    index("people_off", "tenant id", where="enabled = 0"))
ACCOUNTS = _table(
    "accounts", "tenant* channel* account:bytes* person created_at:time last_used:time trust='' body:bytes",
    index("accounts_of", "tenant person created_at"))
CODES = _table(
    "codes", "tenant* code:bytes* digest:bytes owner:bytes kind person tries:int expires_at:time body:bytes",
    index("codes_of", "tenant owner", unique=True),
    index("codes_due", "tenant expires_at"))
SESSIONS = _table(
    "sessions", "tenant* id* person created_at:time active_at:time ended_at:time? messages:int body:bytes",
    index("sessions_of", "tenant person active_at"),
    index("sessions_active", "tenant active_at"),
    index("sessions_open", "tenant active_at", where="ended_at IS NULL"))
CONVERSATIONS = _table(
    "conversations", "tenant* conversation:bytes* channel person session bound_at:time body:bytes",
    index("conversations_of", "tenant person bound_at"))
INBOX = _table(
    "inbox",
    "n:serial* tenant id channel key:bytes person session accepted_at:time done_at:time? outcome worker='' body:bytes",
    index("inbox_key", "tenant channel key", unique=True),
    index("inbox_id", "tenant id", unique=True),
    index("inbox_pending", "tenant session n", where="done_at IS NULL"))
MESSAGES = _table(
    "messages", "n:serial* tenant session person turn tokens:int at:time body:bytes",
    index("messages_of", "tenant session n"))
TURNS = _table("turns", "tenant* id* session person status started_at:time ended_at:time? body:bytes")
STEPS = _table("steps", "tenant* turn* n:int* session person at:time body:bytes")
OUTBOX = _table(
    "outbox", "n:serial* tenant id person session channel='' state next_at:time body:bytes",
    index("outbox_id", "tenant id", unique=True),
    index("outbox_open", "tenant channel n", where="state IN ('queued', 'sending')"),
    index("outbox_lost", "tenant person n", where="state IN ('unknown', 'dead')"))
USAGE = _table(
    "usage", "tenant* id* person session turn plugin model owner"
    " input_tokens:big output_tokens:big cached_tokens:big cost:big at:time job=''",
    index("usage_of", "tenant person at"), index("usage_at", "tenant at"))
ENVELOPES = _table("envelopes", "tenant* key* person until:time cost:big tokens:big held_cost:big held_tokens:big")
HOLDS = _table(
    "holds", "tenant* worker* id* envelope* person session turn plugin job model owner"
    " input_tokens:big output_tokens:big cost:big at:time")
PLUGIN_STATE = _table(
    "plugin_state", "tenant* plugin* key* person updated_at:time body:bytes",
    index("plugin_state_of", "tenant person plugin key"))
BLOBS = _table("blobs", "tenant* name:bytes* person* size:big created_at:time meta:bytes body:bytes?")
WORKERS = _table("workers", "tenant* id* epoch:int beat:big started_at:time about")
LANES = _table("lanes", "tenant* lane* worker", index("lanes_of", "tenant worker"))
APPROVALS = _table(
    "approvals", "tenant* id* person session turn message kind state choice digest:bytes"
    " created_at:time expires_at:time answered_at:time? body:bytes",
    index("approvals_pending", "tenant person created_at", where="state = 'pending'"),
    index("approvals_due", "tenant expires_at", where="state = 'pending'"),
    index("approvals_of", "tenant turn id"))
GRANTS = _table(
    "grants", "n:serial* tenant id person uses:int? expires_at:time? body:bytes",
    index("grants_id", "tenant id", unique=True),
    index("grants_of", "tenant person n"),
    index("grants_ended", "tenant expires_at", where="expires_at IS NOT NULL"))
AUDIT = _table(
    "audit",
    "tenant* n:big* id person session turn at:time kind subject outcome digest:bytes hash:bytes body:bytes?",
    index("audit_id", "tenant id", unique=True),
    index("audit_turn", "tenant turn n"),
    index("audit_person", "tenant person n"))
AUDIT_HEAD = _table("audit_head", "tenant* n:big hash:bytes")
TIMERS = _table(
    "timers", "tenant* owner* key* person state worker attempt:int due_at:time body:bytes",
    index("timers_due", "tenant owner due_at", where="state = 'armed'"),
    index("timers_running", "tenant worker", where="state = 'running'"))
