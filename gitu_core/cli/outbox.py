"""``gitu outbox``: what could not be delivered, or perhaps was not. A person decides what becomes of it."""

from __future__ import annotations

import argparse
import time

from msgspec.structs import replace

from gitu_core.cli.common import answering
from gitu_core.cli.show import as_json, table
from gitu_core.contracts.ports import OutboxEntry
from gitu_core.errors import InputError


def arguments(name: str, command: argparse.ArgumentParser) -> None:
    """What the command takes."""
    command.add_argument("action", nargs="?", default="list", choices=("list", "resend", "drop"),
                         help="what to do with what was not delivered (default: list)")  # fmt: skip
    command.add_argument("id", nargs="*", help="the messages to act on")
    command.add_argument("--all", action="store_true", help="act on all that are listed as dead or unknown")
    command.add_argument("--json", action="store_true", help="print JSON")


async def run(options: argparse.Namespace) -> None:
    """Runs the command."""
    async with answering(options) as gitu:
        store = gitu.house.store
        found = list(await store.undelivered())
        if options.action == "list":
            found += await store.unsent()
        else:
            found = _chosen(found, options)
        if options.action == "resend":
            await gitu.house.gateway.resend(found)
        elif options.action == "drop":
            await store.write(*(replace(each, state="dropped", told=True) for each in found))
    if options.json:
        print(as_json(found))
    elif options.action == "list":
        print(table(("id", "channel", "to", "state", "since", "why", "text"), [_row(each) for each in found]))
    else:
        print(f"{len(found)} {'to be sent again' if options.action == 'resend' else 'dropped'}")


def _chosen(found: list[OutboxEntry], options: argparse.Namespace) -> list[OutboxEntry]:
    by_id = {each.outgoing.id: each for each in found}
    if options.all == bool(options.id):
        raise InputError("nothing is chosen", hint="name ids that gitu outbox lists as dead or unknown, or say --all")
    for id in options.id:
        if id not in by_id:
            raise InputError(f"{id} is not among what was not delivered", hint="see: gitu outbox")
    return found if options.all else [by_id[id] for id in dict.fromkeys(options.id)]


def _row(entry: OutboxEntry) -> tuple[str, ...]:
    where, text = entry.outgoing.conversation, " ".join(entry.outgoing.text.split())
    since = time.strftime("%Y-%m-%d %H:%M", time.localtime(entry.at)) if entry.at else ""
    return entry.outgoing.id, where.channel, where.id, entry.state, since, entry.detail, text[:40]
