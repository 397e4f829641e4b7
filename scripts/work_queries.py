"""The queries about who works what: workers, lanes, what waits for them, approvals, timers."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ClauseElement, bindparam, exists, func, null, select, text

from scripts import phrases as q
from scripts import tables as t

_ARMED, _RUNNING = text("state = 'armed'"), text("state = 'running'")
_WAITING = text("state = 'pending'")


def statements(dialect: str) -> dict[str, ClauseElement]:
    """All of them, by name."""
    parts = (_workers(dialect), _lanes(dialect), _messages(), _approvals(dialect), _timers(dialect), _audit(dialect))
    return {name: statement for part in parts for name, statement in part.items()}


def _workers(dialect: str) -> dict[str, ClauseElement]:
    workers, columns = t.WORKERS, t.WORKERS.c
    return {
        "worker_add": q.insert(dialect, workers),
        "worker_beat": q.change(workers, "tenant id epoch", beat=columns.beat + q.ONE).returning(columns.beat),
        # A shared lock on PostgreSQL: nobody fences the worker before its records are committed.
        "worker_epoch": q.pick(workers, "epoch", "tenant id").with_for_update(read=True),
        "workers": q.pick(workers, "id epoch beat about", "tenant"),
        "worker_fence": q.change(workers, "tenant id epoch beat", epoch=columns.epoch + q.ONE).returning(columns.id),
        "worker_drop": workers.delete().where(*q.where(workers, "tenant id")),
    }


def _lanes(dialect: str) -> dict[str, ClauseElement]:
    lanes, workers = t.LANES, t.WORKERS
    # Together with the worker's epoch: one that lost its lease gets no lane, which nobody would free again.
    me = select(workers.c.tenant, bindparam("new_lane", type_=lanes.c.lane.type), workers.c.id)
    me = me.where(*q.where(workers, "tenant id epoch")).with_for_update(read=True)
    claim = q.into(dialect, lanes).from_select(["tenant", "lane", "worker"], me)
    worker = claim.excluded.worker
    return {
        "lane_claim": claim.on_conflict_do_update(
            index_elements=["tenant", "lane"], set_={"worker": worker}, where=lanes.c.worker == worker
        ).returning(lanes.c.lane),
        "lane_free": lanes.delete().where(*q.where(lanes, "tenant lane worker")),
        "lanes_take": lanes.delete().where(*q.where(lanes, "tenant worker")),
        "lane": q.pick(lanes, "worker", "tenant lane"),
    }


def _messages() -> dict[str, ClauseElement]:
    inbox, outbox = t.INBOX, t.OUTBOX
    row = "n id person session body"
    session = inbox.c.session
    return {
        "pending_in": q.page(q.pick(inbox, f"{row} worker", "tenant session").where(q.PENDING), inbox),
        "pending_lanes": q.first(
            select(session, func.min(inbox.c.channel))
            .where(*q.where(inbox, "tenant"), q.PENDING, session > bindparam("above", type_=session.type))
            .group_by(session)
            .order_by(session)
        ),
        "inbox_reopen": q.change(inbox, "tenant id", done_at=null(), outcome=q.EMPTY, worker=q.EMPTY)
        .where(inbox.c.done_at.is_not(None))
        .returning(session),
        "inbox_edit": q.change(inbox, "tenant id", "body").where(inbox.c.done_at.is_(None)),
        "outbox_lost": q.pick(outbox, row, "tenant person").where(q.LOST).order_by(outbox.c.n),
        "outbox_all_lost": q.pick(outbox, row, "tenant").where(q.LOST).order_by(outbox.c.person, outbox.c.n),
    }


def _off(columns: Any) -> Any:
    """Rows of people who are switched off: what was asked of them, and their timers, wait until they are back."""
    people = t.PEOPLE.c
    return exists().where(people.tenant == columns.tenant, people.id == columns.person, people.enabled == q.ZERO)


def _approvals(dialect: str) -> dict[str, ClauseElement]:
    approvals = t.APPROVALS
    row = "id person session turn message kind digest body"
    columns, waiting = approvals.c, q.pick(approvals, row, "tenant").where(_WAITING)
    due = waiting.where(columns.expires_at <= q.moment("now"), ~_off(columns))
    return {
        "approval_put": q.upsert(dialect, approvals, "tenant id", "state choice expires_at answered_at body"),
        "approval_locked": q.pick(approvals, row, "tenant id").with_for_update(),
        "approvals_of_turn": q.pick(approvals, row, "tenant turn").order_by(columns.id),
        "approvals_pending": q.pick(approvals, row, "tenant person").where(_WAITING).order_by(columns.created_at),
        "approvals_open": waiting.order_by(columns.person, columns.created_at),
        "approvals_in": q.pick(approvals, row, "tenant session").where(_WAITING),
        "approvals_due": q.first(due.order_by(columns.expires_at)),
    }


def _audit(dialect: str) -> dict[str, ClauseElement]:
    audit, head = t.AUDIT, t.AUDIT_HEAD
    row = "n id person session turn at kind subject outcome digest hash body"
    latest, n = audit.c.n.desc(), audit.c.n
    return {
        "audit_begin": q.insert(dialect, head).on_conflict_do_nothing(),
        "audit_head": q.pick(head, "n hash", "tenant").with_for_update(),
        "audit_end": q.pick(head, "n hash", "tenant"),
        "audit_move": q.change(head, "tenant", "n hash"),
        "audit_known": q.pick(audit, "n", "tenant id"),
        "audit_add": q.insert(dialect, audit),
        "audit_page": q.first(q.pick(audit, row, "tenant").where(n > q.number("above")).order_by(n)),
        "audit_last": q.first(q.pick(audit, row, "tenant").order_by(latest)),
        "audit_of": q.first(q.pick(audit, row, "tenant person").order_by(latest)),
        "audit_one": q.first(q.pick(audit, row, "tenant id")),
        "audit_of_turn": q.first(q.pick(audit, row, "tenant turn").order_by(latest)),
    }


def _timers(dialect: str) -> dict[str, ClauseElement]:
    timers = t.TIMERS
    row = "owner key person state worker attempt due_at body"
    claim = "tenant owner key worker attempt"
    columns = timers.c
    armed, running = q.constant("'armed'"), q.constant("'running'")
    due = q.pick(timers, row, "tenant owner").where(_ARMED, columns.due_at <= q.moment("now"), ~_off(columns))
    take = q.change(timers, "tenant owner key", "worker", state=running, attempt=columns.attempt + q.ONE)
    return {
        "timer_put": q.upsert(
            dialect, timers, "tenant owner key", "person state worker attempt due_at body",
            state=armed, worker=q.EMPTY, attempt=q.ZERO,
        ),
        "timer_delete": timers.delete().where(*q.where(timers, "tenant owner key")).returning(columns.key),
        # Whoever comes second on PostgreSQL takes the next ones.
        "timers_due": q.first(due.order_by(columns.due_at)).with_for_update(skip_locked=True),
        "timer_claim": take.where(_ARMED).returning(columns.attempt),
        "timer_done": timers.delete().where(*q.where(timers, claim)).returning(columns.key),
        "timer_again": q.change(timers, claim, "due_at", state=armed, worker=q.EMPTY).returning(columns.key),
        "timers_take": q.change(timers, "tenant worker", state=armed, worker=q.EMPTY)
        .where(_RUNNING)
        .returning(columns.owner, columns.key),
        "timer_next": q.first(
            q.pick(timers, "due_at", "tenant owner").where(_ARMED, ~_off(columns)).order_by(columns.due_at), q.ONE
        ),
        "timers_of": q.pick(timers, row, "tenant owner").order_by(columns.key),
    }  # fmt: skip
