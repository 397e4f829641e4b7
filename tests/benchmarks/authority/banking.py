"""What the authors of the banking tools would say of them."""

from __future__ import annotations

from gitu_core.model import ToolSpec

_MOVED_BY = {"": "system", "subject": "outside"}
_MOVED = {"id": "reference:transaction", "subject": "name", "amount": "amount", "recipient": "recipient",
          "sender": "reply", "date": "when"}  # fmt: skip
_PLANNED = {**_MOVED, "id": "reference:payment"}
_PAYS = {"recipient": "recipient", "amount": "amount", "subject": "title", "date": "when", "recurring": "option"}
_PAYMENTS = ("payment", "transaction", "transfer", "order", "amount", "recipient", "rent", "subscription")

_READING = [
    ToolSpec("get_iban", "The user's own account.", writers={"": "system"}),
    ToolSpec("get_balance", "What is on the account.", writers={"": "system"}),
    ToolSpec("get_most_recent_transactions", "What was paid.", records=_MOVED, writers=_MOVED_BY),
    ToolSpec("get_scheduled_transactions", "What will be paid.", records=_PLANNED, writers=_MOVED_BY),
    ToolSpec("read_file", "Reads a file.", roles={"file_path": "query"}, writers={"": "outside"}),
    ToolSpec("get_user_info", "Name and address of the user.", writers={"": "system"}),
]

_ACTING = [
    ToolSpec(
        "send_money", "Pays at once.", effects=("spend",), roles=_PAYS,
        asked=("send", "pay", "transfer", "refund", "reimburse", "repay", "return", "wire", "settle", "give", "buy",
               "make payment", "make transfer", "make transaction", "überweise", "bezahle"),
    ),
    ToolSpec(
        "schedule_transaction", "Pays later, or again and again.", effects=("spend",), roles=_PAYS,
        asked=("schedule", "set up", "create payment", "create transaction", "create order", "plan payment",
               "add payment", "make recurring", "pay every", "send every", "pay monthly"),
    ),
    ToolSpec(
        "update_scheduled_transaction", "Changes a payment that is scheduled.", effects=("spend",),
        roles={"id": "reference:payment", **_PAYS}, reversible=True,
        asked=("adjust", "increase", "raise", "lower", "reduce",
               *(f"{verb} {noun}" for verb in ("update", "change", "modify", "edit", "set") for noun in _PAYMENTS)),
    ),
    ToolSpec(
        "update_password", "Sets the user's password.", effects=("write",), roles={"password": "secret"},
        asked=tuple(f"{verb} password" for verb in ("update", "change", "set", "reset", "replace", "make", "modify")),
    ),
    ToolSpec(
        "update_user_info", "Changes the user's name and address.", effects=("write",), reversible=True,
        audience="self",
        roles={"first_name": "title", "last_name": "title", "street": "place", "city": "place"},
        asked=tuple(f"{verb} {noun}" for verb in ("update", "change", "set", "correct", "modify", "edit")
                    for noun in ("address", "name", "street", "city", "information", "info", "profile", "details")),
    ),
]  # fmt: skip

TOOLS = {spec.name: spec for spec in (*_READING, *_ACTING)}
