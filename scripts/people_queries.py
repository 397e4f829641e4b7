"""The queries about who is who: people, their accounts, codes that link them."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ClauseElement, bindparam, func, select, text

from scripts import phrases as q
from scripts import tables as t

_PERSON, _KEY = "id enabled created_at body", "tenant channel account"


def statements(dialect: str) -> dict[str, ClauseElement]:
    """All of them, by name."""
    return {**_people(dialect), **_accounts(dialect), **_codes(dialect)}


def _people(dialect: str) -> dict[str, ClauseElement]:
    people, one = t.PEOPLE, q.pick(t.PEOPLE, _PERSON, "tenant id")
    behind = people.c.id > bindparam("above", type_=people.c.id.type)
    return {
        "person_add": q.insert(dialect, people).on_conflict_do_nothing(),
        "person": one,
        "person_locked": one.with_for_update(),
        "person_set": q.change(people, "tenant id", "enabled body"),
        "people": q.first(q.pick(people, _PERSON, "tenant").where(behind).order_by(people.c.id)),
        "people_off": q.pick(people, "id", "tenant").where(text("enabled = 0")),
    }


def _accounts(dialect: str) -> dict[str, ClauseElement]:
    accounts, people = t.ACCOUNTS, t.PEOPLE.c
    columns, new = accounts.c, q.insert(dialect, accounts, trust=q.EMPTY)
    person: list[Any] = [people.id, people.enabled, people.created_at, people.body]
    names = "channel account person created_at last_used trust body"
    return {
        "account_add": new.on_conflict_do_nothing().returning(columns.person, columns.last_used),
        "account_used": q.change(accounts, _KEY, "last_used"),
        "person_of": select(*person, columns.trust, columns.last_used)
        .where(*q.where(accounts, _KEY))
        .where(people.tenant == columns.tenant, people.id == columns.person),
        "account": q.pick(accounts, "person last_used", _KEY),
        "account_locked": q.pick(accounts, "person", _KEY).with_for_update(),
        "account_move": q.upsert(dialect, accounts, _KEY, "person created_at body", trust=q.EMPTY),
        "account_drop": accounts.delete().where(*q.where(accounts, _KEY)).returning(columns.person),
        "account_trust": q.change(accounts, _KEY, "trust").returning(columns.person),
        "accounts_used": q.first(
            q.pick(accounts, "person", "tenant channel").where(columns.last_used > q.moment("since"))
        ),
        "accounts_of": q.pick(accounts, names, "tenant person").order_by(columns.created_at),
    }


def _codes(dialect: str) -> dict[str, ClauseElement]:
    codes = t.CODES
    columns, later = codes.c, codes.c.expires_at > q.moment("now")
    return {
        "code_add": q.insert(dialect, codes).on_conflict_do_nothing().returning(columns.code),
        "code_locked": q.pick(codes, "digest kind person tries expires_at body", "tenant code").with_for_update(),
        "code_of": q.pick(codes, "code", "tenant owner").where(later),
        "code_tried": q.change(codes, "tenant code", tries=columns.tries + q.ONE),
        "code_drop": codes.delete().where(*q.where(codes, "tenant code")),
        "codes_drop": codes.delete().where(*q.where(codes, "tenant owner")),
        "codes_end": codes.delete().where(*q.where(codes, "tenant"), columns.expires_at <= q.moment("now")),
        "codes_open": select(func.count()).select_from(codes).where(*q.where(codes, "tenant"), later),
    }
