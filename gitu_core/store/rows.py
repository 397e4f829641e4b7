"""Records as rows: which statement, which columns, what is sealed and what the seal is bound to."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from gitu_core.contracts import ports
from gitu_core.contracts.audit import AuditEntry
from gitu_core.contracts.ports import Approval, HistoryEntry, InboxEntry, OutboxEntry, StepEntry
from gitu_core.model import Message, ModelMessage, Step, TurnInfo
from gitu_core.store.codec import bound, encoded, unsealed
from gitu_core.store.keys import Keyring
from gitu_core.store.writer import Row

Make = Callable[[Any, str, float], Row]


# ---- from records ------------------------------------------------------------------------------------------


def inbox_row(entry: InboxEntry, id: str, tenant: str, now: float, keys: Keyring) -> Row:
    """An accepted message."""
    channel, person, session = entry.message.conversation.channel, entry.person, entry.session
    key = keys.digest("inbox", channel, entry.message.key)
    columns = (tenant, id, channel, key, person, session, now, None, "", entry.worker)
    return Row("accept", columns, person, encoded(entry.message, Message), bound("inbox", tenant, id, person, session))


def _history(entry: HistoryEntry, tenant: str, now: float) -> Row:
    columns = (tenant, entry.session, entry.person, entry.turn, entry.tokens, float(entry.at))
    return Row("message_add", columns, entry.person, encoded(entry.message, ModelMessage), bound("messages", *columns))


def _step(entry: StepEntry, tenant: str, now: float) -> Row:
    columns = (tenant, entry.turn, entry.n, entry.session, entry.person, float(entry.at))
    return Row("step_add", columns, entry.person, encoded(entry.step, Step), bound("steps", *columns))


def _turn(entry: ports.TurnEntry, tenant: str, now: float) -> Row:
    info, person = entry.info, entry.person
    ended_at = None if entry.ended_at is None else float(entry.ended_at)
    if entry.begun:
        return Row("turn_end", (entry.status, ended_at, tenant, info.id))
    columns = (tenant, info.id, info.session, person, entry.status, float(entry.started_at), ended_at)
    seal = bound("turns", tenant, info.id, info.session, person)
    return Row("turn_put", columns, person, encoded(info, TurnInfo), seal)


def _outbox(entry: OutboxEntry, tenant: str, now: float) -> Row:
    fixed = (tenant, entry.outgoing.id, entry.person, entry.session)
    columns = (*fixed, entry.outgoing.conversation.channel, entry.state, float(entry.next_at))
    return Row("outbox_put", columns, entry.person, encoded(entry, OutboxEntry), bound("outbox", *fixed))


def _done(entry: ports.InboxDone, tenant: str, now: float) -> Row:
    return Row("inbox_done", (now, entry.outcome, tenant, entry.id))


def _approval(entry: Approval, tenant: str, now: float) -> Row:
    digest = bytes.fromhex(entry.digest)
    fixed = (tenant, entry.id, entry.person, entry.session, entry.turn, entry.message, entry.kind)
    times = (float(entry.created_at), float(entry.expires_at), entry.answered_at)
    columns = (*fixed, entry.state, entry.choice, digest, *times)
    return Row("approval_put", columns, entry.person, encoded(entry, Approval), bound("approvals", *fixed, digest))


def _usage(entry: ports.UsageEntry, tenant: str, now: float) -> Row:
    used = entry.usage
    who = (tenant, entry.id, entry.person, entry.session, entry.turn, entry.plugin, entry.model, entry.owner)
    amounts = (used.input_tokens, used.output_tokens, used.cached_tokens, used.cost)
    return Row("usage_add", (*who, *amounts, float(entry.at), entry.job))


def _audit(entry: AuditEntry, tenant: str, now: float) -> Row:
    who = (tenant, entry.id, entry.person, entry.session, entry.turn, float(entry.at))
    columns = (*who, entry.kind, entry.subject, entry.outcome)
    return Row("audit_add", columns, entry.person, encoded(entry.facts), bound("audit", tenant, entry.id, entry.person))


_MAKERS: dict[type, Make] = {
    HistoryEntry: _history, StepEntry: _step, ports.TurnEntry: _turn, OutboxEntry: _outbox, ports.InboxDone: _done,
    ports.UsageEntry: _usage, Approval: _approval, AuditEntry: _audit,
}  # fmt: skip


def rows_of(records: Sequence[ports.Record], tenant: str, now: float) -> list[Row]:
    """The rows of records, in order. `InputError` if one cannot be stored; then none is."""
    return [_MAKERS[type(record)](record, tenant, now) for record in records]


# ---- to records --------------------------------------------------------------------------------------------


def inbox_entry(row: Any, tenant: str, keys: Keyring) -> tuple[str, InboxEntry]:
    """The message of a row (n, id, person, session, body, worker)."""
    _, id, person, session, body, worker = row
    what = f"the message {id} of the inbox"
    message: Message = unsealed(keys, body, Message, what, "inbox", tenant, id, person, session)
    return id, InboxEntry(message, person, session, worker)


def history_entry(row: Any, session: str, tenant: str, keys: Keyring) -> HistoryEntry:
    """The message of a row (n, person, turn, tokens, at, body)."""
    n, person, turn, tokens, at, body = row
    what = f"message {n} of session {session}"
    seal = ("messages", tenant, session, person, turn, tokens, at)
    message: ModelMessage = unsealed(keys, body, ModelMessage, what, *seal)
    return HistoryEntry(session=session, person=person, message=message, tokens=tokens, at=at, turn=turn)


def step_entry(row: Any, turn: str, tenant: str, keys: Keyring) -> StepEntry:
    """The step of a row (n, session, person, at, body)."""
    n, session, person, at, body = row
    step: Step = unsealed(keys, body, Step, f"step {n} of turn {turn}", "steps", tenant, turn, n, session, person, at)
    return StepEntry(turn=turn, n=n, step=step, session=session, person=person, at=at)


def outbox_entry(row: Any, tenant: str, keys: Keyring) -> OutboxEntry:
    """The entry of a row (n, id, person, session, body, ...)."""
    _, id, person, session, body, *_ = row
    return unsealed(keys, body, OutboxEntry, f"the message {id} of the outbox", "outbox", tenant, id, person, session)


def approval(row: Any, tenant: str, keys: Keyring) -> Approval:
    """The question of a row (id, person, session, turn, message, kind, digest, body)."""
    *names, digest, body = row
    return unsealed(keys, body, Approval, f"the question {names[0]}", "approvals", tenant, *names, bytes(digest))
