"""``gitu outbox``: what could not be delivered, or perhaps was not. A person decides what becomes of it."""

from __future__ import annotations

from collections.abc import Sequence

from gitu_core.contracts import Admin
from gitu_core.contracts.ports import OutboxEntry
from gitu_core.errors import InputError
from gitu_operator.shape import Given
from gitu_operator.show import as_json, table, when

HEAD = "id", "channel", "to", "state", "since", "why", "text"


async def run(admin: Admin, given: Given) -> str:
    """Runs the command."""
    action = given["action"]
    found = await admin.undelivered(queued=action == "list")
    if action != "list":
        found = _chosen(found, given)
    for each in found if action != "list" else ():
        await (admin.resend if action == "resend" else admin.drop)(each.outgoing.id)
    if given.get("json"):
        return as_json(found)
    if action == "list":
        return table(HEAD, [_row(each) for each in found])
    return f"{len(found)} {'to be sent again' if action == 'resend' else 'dropped'}"


def _chosen(found: Sequence[OutboxEntry], given: Given) -> Sequence[OutboxEntry]:
    by_id, ids = {each.outgoing.id: each for each in found}, given.get("id", [])
    if bool(given.get("all")) == bool(ids):
        raise InputError("nothing is chosen", hint="name ids that gitu outbox lists as dead or unknown, or say --all")
    for id in ids:
        if id not in by_id:
            raise InputError(f"{id} is not among what was not delivered", hint="see: gitu outbox")
    return found if given.get("all") else [by_id[id] for id in dict.fromkeys(ids)]


def _row(entry: OutboxEntry) -> tuple[str, ...]:
    where, text = entry.outgoing.conversation, " ".join(entry.outgoing.text.split())
    return entry.outgoing.id, where.channel, where.id, entry.state, when(entry.at), entry.detail, text[:40]
