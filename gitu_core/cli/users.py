"""``gitu users``: who may talk to the assistant, by which accounts, and how far each is trusted."""

from __future__ import annotations

import argparse
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

import msgspec

from gitu_core.cli.common import answering
from gitu_core.cli.show import as_json, table
from gitu_core.contracts.ports import Linked, Person
from gitu_core.errors import InputError, NotReady
from gitu_core.gateway.identity import plain
from gitu_core.model import Account, Outgoing, Text, check_name
from gitu_core.wiring import House

WORDS = {
    "list": "", "pair": "CODE", "link": "USER CHANNEL ACCOUNT", "unlink": "CHANNEL ACCOUNT", "enable": "USER",
    "disable": "USER", "trust": "CHANNEL ACCOUNT full|talk", "settings": "USER [JSON]",
}  # fmt: skip


def arguments(name: str, command: argparse.ArgumentParser) -> None:
    """What the command takes."""
    what = "; ".join(f"{action} {words}".strip() for action, words in WORDS.items())
    command.add_argument("action", nargs="?", default="list", choices=tuple(WORDS), help="what to do (default: list)")
    command.add_argument("words", nargs="*", help=what)
    command.add_argument("--user", default="", help="with pair: the user who gets the account (default: a new one)")
    command.add_argument("--new", action="store_true", help="with link: USER is a new user")
    command.add_argument("--last", action="store_true", help="with unlink: also the last account of a user")
    command.add_argument("--json", action="store_true", help="print JSON")


async def run(options: argparse.Namespace) -> None:
    """Runs the command."""
    most = len(WORDS[options.action].split())
    if len(options.words) not in (most, most - (options.action == "settings")):
        words = f"{options.action} {WORDS[options.action]}".strip()
        raise InputError(f"gitu users {options.action} takes other words", hint=f"say: gitu users {words}")
    async with answering(options) as gitu:
        said = await _ACTIONS[options.action](gitu.house, options, *options.words)
    print(said)


async def _list(house: House, options: argparse.Namespace) -> str:
    found: list[tuple[Person, list[Linked]]] = []
    while people := await house.store.people(found[-1][0].id if found else ""):
        found += [(each, list(await house.store.accounts(each.id))) for each in people]
    if options.json:
        return as_json([{**msgspec.to_builtins(each), "enabled": each.enabled, "accounts": has} for each, has in found])
    rows = [_row(house, person, account) for person, has in found for account in has or (None,)]
    return table(("user", "name", "state", "channel", "account", "trust", "last used"), rows)


def _row(house: House, person: Person, linked: Linked | None) -> tuple[str, ...]:
    fixed = (person.id, plain(person.name), "enabled" if person.enabled else "disabled")
    if linked is None:
        return (*fixed, "", "", "", "")
    account, used = linked.account, time.strftime("%Y-%m-%d %H:%M", time.localtime(linked.last_used))
    trust = "full" if house.gateway.identity.vouches(account.channel, linked.trust) else "talk"
    return (*fixed, account.channel, account.id, trust, used)


async def _pair(house: House, options: argparse.Namespace, code: str) -> str:
    done = await house.store.pair(code, options.user)
    if done is None:
        raise InputError("this code does not count", hint="it counts once, for 10 minutes; have another one made")
    if done.place is not None:
        id = f"paired.{house.clock.new_id()}"
        with suppress(NotReady):  # its plugin is off here; what was done is done
            await house.notify(Outgoing(id, id, done.place, (Text("You are known here now. What can I do for you?"),)))
    return f"{done.account.id} on {done.account.channel} belongs to {done.person.id}"


async def _link(house: House, options: argparse.Namespace, user: str, channel: str, id: str) -> str:
    for what, value in (("user", user), ("channel", channel), ("account", id)):
        check_name(value, what)
    before = (await house.store.link(Account(channel, id), user, options.new)).before
    return f"{id} on {channel} belongs to {user}{f', no more to {before}' if before else ''}"


async def _unlink(house: House, options: argparse.Namespace, channel: str, id: str) -> str:
    await house.store.unlink(Account(channel, id), last=options.last)
    return f"{id} on {channel} belongs to nobody"


async def _switch(house: House, options: argparse.Namespace, user: str) -> str:
    await house.store.change_person(user, enabled=options.action == "enable")
    return f"{user} is {options.action}d"


async def _trust(house: House, options: argparse.Namespace, channel: str, id: str, trust: str) -> str:
    if trust not in ("full", "talk"):
        raise InputError(f"there is no trust {trust!r}", hint="say full or talk")
    await house.store.trust(Account(channel, id), "" if trust == "full" else trust)
    far = "as far as its channel" if trust == "full" else "to talk, no further"
    return f"{id} on {channel} is trusted {far}"


async def _settings(house: House, options: argparse.Namespace, user: str, given: str = "") -> str:
    if given:
        try:
            settings: Any = msgspec.json.decode(given)
        except msgspec.DecodeError as error:
            raise InputError(f"the settings are not JSON: {error}", hint="quote them for your shell") from error
        return as_json((await house.store.change_person(user, settings=settings)).settings)
    found = await house.store.person(user)
    if found is None:
        raise InputError(f"there is no user {user}", hint="list them with: gitu users")
    return as_json(found.settings)


_ACTIONS: dict[str, Callable[..., Awaitable[str]]] = {
    "list": _list, "pair": _pair, "link": _link, "unlink": _unlink, "enable": _switch, "disable": _switch,
    "trust": _trust, "settings": _settings,
}  # fmt: skip
