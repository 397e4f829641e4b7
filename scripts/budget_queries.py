"""The queries about budgets: how full envelopes are, what is set aside in them, what was used."""

from __future__ import annotations

from sqlalchemy import ClauseElement, select, update

from scripts import phrases as q
from scripts import tables as t

ROW = "id person session turn plugin model owner input_tokens output_tokens cost at job"


def statements(dialect: str) -> dict[str, ClauseElement]:
    """All of them, by name."""
    return {**_envelopes(dialect), **_holds(dialect), **_ledger()}


def _envelopes(dialect: str) -> dict[str, ClauseElement]:
    envelopes, holds = t.ENVELOPES, t.HOLDS
    columns, held = envelopes.c, holds.c
    nothing = {"key": q.EMPTY, "person": q.EMPTY}
    nothing |= dict.fromkeys(("until", "cost", "tokens", "held_cost", "held_tokens"), q.ZERO)
    gate = q.insert(dialect, envelopes, **nothing)
    taken = update(envelopes).where(columns.tenant == held.tenant, columns.key == held.envelope)
    cost, tokens, one = held.cost, held.input_tokens + held.output_tokens, q.where(holds, "tenant worker id")
    plus_cost, plus_tokens = q.number("plus_cost"), q.number("plus_tokens")
    back = {"held_cost": columns.held_cost - cost, "held_tokens": columns.held_tokens - tokens}
    aside = {"held_cost": columns.held_cost + plus_cost, "held_tokens": columns.held_tokens + plus_tokens}
    return {
        # Its row lets one worker at a time count on PostgreSQL, so that none waits for another one crosswise.
        "budget_gate": gate.on_conflict_do_update(index_elements=["tenant", "key"], set_={"cost": q.ZERO}),
        "envelope_hold": q.change(envelopes, "tenant key", **aside).returning(
            columns.cost, columns.tokens, columns.held_cost, columns.held_tokens
        ),
        "envelope_add": q.insert(dialect, envelopes).on_conflict_do_nothing(),
        "envelope_spend": taken.values(
            cost=columns.cost + plus_cost, tokens=columns.tokens + plus_tokens, **back
        ).where(*one),
        "envelope_charge": taken.values(cost=columns.cost + cost, tokens=columns.tokens + tokens, **back).where(*one),
        "envelopes_drop": envelopes.delete().where(*q.where(envelopes, "tenant"), columns.until < q.moment("before")),
    }


def _holds(dialect: str) -> dict[str, ClauseElement]:
    holds, held = t.HOLDS, t.HOLDS.c
    names = ROW.split()
    charged = (
        select(held.tenant, *(held[name] for name in names), q.ZERO)
        .distinct()
        .where(*q.where(holds, "tenant worker id"))
    )
    tokens = held.input_tokens + held.output_tokens
    return {
        "hold_add": q.insert(dialect, holds).on_conflict_do_nothing().returning(held.id),
        "hold_drop": holds.delete().where(*q.where(holds, "tenant worker id")),
        "holds_of": select(held.id).distinct().where(*q.where(holds, "tenant worker")),
        "holds": select(held.envelope, held.cost, tokens).where(*q.where(holds, "tenant")),
        "usage_charge": q.into(dialect, t.USAGE)
        .from_select(["tenant", *names, "cached_tokens"], charged)
        .on_conflict_do_nothing(),
    }  # fmt: skip


def _ledger() -> dict[str, ClauseElement]:
    usage, spoken = t.USAGE, t.CONVERSATIONS
    c = usage.c
    who = (c[name] for name in ("person", "session", "plugin", "job", "model", "owner"))
    rows = select(*who, c.cost, c.input_tokens + c.output_tokens)
    window = c.at >= q.moment("since"), c.at < q.moment("until")
    return {
        "used": rows.where(*q.where(usage, "tenant"), *window),
        "used_by": rows.where(*q.where(usage, "tenant person"), *window),
        "conversations_of": q.first(
            q.pick(spoken, "conversation body session", "tenant person")
            .where(spoken.c.bound_at > q.ZERO)
            .order_by(spoken.c.bound_at.desc())
        ),
        "conversations_left": q.change(spoken, "tenant person channel", bound_at=q.ZERO),
    }
