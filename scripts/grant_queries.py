"""The queries about grants."""

from __future__ import annotations

from sqlalchemy import ClauseElement, or_, text

from scripts import phrases as q
from scripts import tables as t

ROW = "id person uses expires_at body"


def statements(dialect: str) -> dict[str, ClauseElement]:
    """All of them, by name."""
    grants, columns = t.GRANTS, t.GRANTS.c
    lasts = or_(columns.expires_at.is_(None), columns.expires_at > q.moment("now"))
    return {
        "grant_add": q.insert(dialect, grants),
        # Counts and sums would not do: a number is given again where the last row went.
        "grants_mark": q.pick(grants, "id uses", "tenant person").order_by(columns.n),
        "grants_of": q.pick(grants, ROW, "tenant person").order_by(columns.n),
        "grants": q.pick(grants, ROW, "tenant").order_by(columns.person, columns.n),
        "grant_locked": q.pick(grants, ROW, "tenant id").with_for_update(),
        "grant_use": q.change(grants, "tenant id", uses=columns.uses - q.ONE)
        .where(text("uses > 0"), lasts)
        .returning(columns.id),
        "grant_drop": grants.delete().where(*q.where(grants, "tenant id")),
        "grants_end": grants.delete().where(*q.where(grants, "tenant"), columns.expires_at <= q.moment("now")),
    }
