"""The queries about grants."""

from __future__ import annotations

from sqlalchemy import BigInteger, ClauseElement, func, or_, select, text

from gitu_core.store import tables as t
from scripts import phrases as q

ROW = "id person uses expires_at body"


def statements(dialect: str) -> dict[str, ClauseElement]:
    """All of them, by name."""
    grants, columns = t.GRANTS, t.GRANTS.c
    lasts = or_(columns.expires_at.is_(None), columns.expires_at > q.moment("now"))
    # What is given, used up or taken back changes one of these.
    mark = (func.count(), func.coalesce(func.max(columns.n), q.ZERO), func.coalesce(func.sum(columns.uses), q.ZERO))
    return {
        "grant_add": q.insert(dialect, grants),
        "grants_mark": select(*(each.cast(BigInteger) for each in mark)).where(*q.where(grants, "tenant person")),
        "grants_of": q.pick(grants, ROW, "tenant person").order_by(columns.n),
        "grants": q.pick(grants, ROW, "tenant").order_by(columns.person, columns.n),
        "grant_locked": q.pick(grants, ROW, "tenant id").with_for_update(),
        "grant_use": q.change(grants, "tenant id", uses=columns.uses - q.ONE)
        .where(text("uses > 0"), lasts)
        .returning(columns.id),
        "grant_drop": grants.delete().where(*q.where(grants, "tenant id")),
        "grants_end": grants.delete().where(*q.where(grants, "tenant"), columns.expires_at <= q.moment("now")),
    }
