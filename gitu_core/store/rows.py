"""Records as rows: which statement, which columns, what is sealed and what the seal is bound to."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from gitu_core.contracts.ports import (
    Approval,
    HistoryEntry,
    InboxDone,
    InboxEntry,
    OutboxEntry,
    Record,
    StepEntry,
    TurnEntry,
    UsageEntry,
)  # fmt: skip
from gitu_core.model import Message, ModelMessage, TurnInfo
from gitu_core.model.steps import Step
from gitu_core.store.codec import bound, decoded, encoded
from gitu_core.store.keys import Keyring
from gitu_core.store.writer import Row

Make = Callable[[Any, str, float], Row]


def inbox_row(entry: InboxEntry, id: str, tenant: str, now: float, keys: Keyring) -> Row:
    """An accepted message."""
    channel = entry.message.conversation.channel
    key = keys.digest("inbox", channel, entry.message.key)
    return Row(
        "accept",
        (tenant, id, channel, key, entry.person, entry.session, now, None, ""),
        entry.person,
        encoded(entry.message, Message),
        bound("inbox", tenant, id, entry.person, entry.session),
    )


def inbox_entry(row: Any, tenant: str, keys: Keyring) -> tuple[str, InboxEntry]:
    """The message of a row (n, id, person, session, body)."""
    _, id, person, session, body = row
    what = f"the message {id} of the inbox"
    data = keys.opened(body, bound("inbox", tenant, id, person, session), what)
    return id, InboxEntry(message=decoded(data, Message, what), person=person, session=session)


def history_row(entry: HistoryEntry, tenant: str) -> Row:
    """A message of a session's history."""
    return Row(
        "message_add",
        (tenant, entry.session, entry.person, entry.turn, entry.tokens, float(entry.at)),
        entry.person,
        encoded(entry.message, ModelMessage),
        _history_bound(tenant, entry.session, entry.person, entry.turn, entry.tokens, float(entry.at)),
    )


def history_entry(row: Any, session: str, tenant: str, keys: Keyring) -> HistoryEntry:
    """The message of a row (n, person, turn, tokens, at, body)."""
    n, person, turn, tokens, at, body = row
    what = f"message {n} of session {session}"
    data = keys.opened(body, _history_bound(tenant, session, person, turn, tokens, at), what)
    message: ModelMessage = decoded(data, ModelMessage, what)
    return HistoryEntry(session=session, person=person, message=message, tokens=tokens, at=at, turn=turn)


def _history_bound(tenant: str, *columns: object) -> bytes:
    return bound("messages", tenant, *columns)


def step_entry(row: Any, turn: str, tenant: str, keys: Keyring) -> StepEntry:
    """The step of a row (n, session, person, at, body)."""
    n, session, person, at, body = row
    what = f"step {n} of turn {turn}"
    data = keys.opened(body, bound("steps", tenant, turn, n, session, person, at), what)
    return StepEntry(turn=turn, n=n, step=decoded(data, Step, what), session=session, person=person, at=at)


def outbox_entry(row: Any, tenant: str, keys: Keyring) -> OutboxEntry:
    """The entry of a row (n, id, person, session, body, ...)."""
    _, id, person, session, body, *_ = row
    what = f"the message {id} of the outbox"
    entry: OutboxEntry = decoded(
        keys.opened(body, bound("outbox", tenant, id, person, session), what), OutboxEntry, what
    )
    return entry


def _step(entry: StepEntry, tenant: str, now: float) -> Row:
    at = float(entry.at)
    return Row(
        "step_add",
        (tenant, entry.turn, entry.n, entry.session, entry.person, at),
        entry.person,
        encoded(entry.step, Step),
        bound("steps", tenant, entry.turn, entry.n, entry.session, entry.person, at),
    )


def _turn(entry: TurnEntry, tenant: str, now: float) -> Row:
    info = entry.info
    return Row(
        "turn_put",
        (
            tenant, info.id, info.session, entry.person, entry.status, float(entry.started_at),
            None if entry.ended_at is None else float(entry.ended_at),
        ),
        entry.person,
        encoded(info, TurnInfo),
        bound("turns", tenant, info.id, info.session, entry.person),
    )  # fmt: skip


def _outbox(entry: OutboxEntry, tenant: str, now: float) -> Row:
    id, channel = entry.outgoing.id, entry.outgoing.conversation.channel
    return Row(
        "outbox_put",
        (tenant, id, entry.person, entry.session, channel, entry.state, float(entry.next_at)),
        entry.person,
        encoded(entry, OutboxEntry),
        bound("outbox", tenant, id, entry.person, entry.session),
    )


def _done(entry: InboxDone, tenant: str, now: float) -> Row:
    return Row("inbox_done", (now, entry.outcome, tenant, entry.id))


def _approval(entry: Approval, tenant: str, now: float) -> Row:
    digest = bytes.fromhex(entry.digest)
    fixed = (entry.id, entry.person, entry.session, entry.turn, entry.message, entry.kind, digest)
    return Row(
        "approval_put",
        (
            tenant, entry.id, entry.person, entry.session, entry.turn, entry.message, entry.kind, entry.state,
            entry.choice, digest, float(entry.created_at), float(entry.expires_at), entry.answered_at,
        ),
        entry.person,
        encoded(entry, Approval),
        bound("approvals", tenant, *fixed),
    )  # fmt: skip


def approval(row: Any, tenant: str, keys: Keyring) -> Approval:
    """The question of a row (id, person, session, turn, message, kind, digest, body)."""
    *names, body = row
    what = f"the question {names[0]}"
    data = keys.opened(body, bound("approvals", tenant, *names[:6], bytes(names[6])), what)
    found: Approval = decoded(data, Approval, what)
    return found


def _usage(entry: UsageEntry, tenant: str, now: float) -> Row:
    used = entry.usage
    return Row(
        "usage_add",
        (
            tenant, entry.id, entry.person, entry.session, entry.turn, entry.plugin, entry.model, entry.owner,
            used.input_tokens, used.output_tokens, used.cached_tokens, used.cost, float(entry.at),
        ),
    )  # fmt: skip


def _history(entry: HistoryEntry, tenant: str, now: float) -> Row:
    return history_row(entry, tenant)


_MAKERS: dict[type, Make] = {
    HistoryEntry: _history,
    StepEntry: _step,
    TurnEntry: _turn,
    OutboxEntry: _outbox,
    InboxDone: _done,
    UsageEntry: _usage,
    Approval: _approval,
}


def rows_of(records: Sequence[Record], tenant: str, now: float) -> list[Row]:
    """The rows of records, in order. `InputError` if one cannot be stored; then none is."""
    return [_MAKERS[type(record)](record, tenant, now) for record in records]
