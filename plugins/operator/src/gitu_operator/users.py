"""``gitu users``: who may talk to the assistant, by which accounts, and how far each is trusted."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

import msgspec

from gitu_core import Account
from gitu_core.contracts import Admin, check_name
from gitu_core.contracts.people import Linked, Person
from gitu_core.errors import InputError, NotReady
from gitu_operator.shape import Given
from gitu_operator.show import as_json, table, when

HEAD = "user", "name", "state", "channel", "account", "trust", "last used"

LONGEST = 512
"""Characters of a name that are shown."""

WORDS = {
    "list": "", "pair": "CODE", "link": "USER CHANNEL ACCOUNT", "unlink": "CHANNEL ACCOUNT", "enable": "USER",
    "disable": "USER", "trust": "CHANNEL ACCOUNT full|talk", "settings": "USER [JSON]",
}  # fmt: skip


async def run(admin: Admin, given: Given) -> str:
    """Runs the command."""
    action, words = given["action"], given.get("words", [])
    most = len(WORDS[action].split())
    if len(words) not in (most, most - (action == "settings")):
        said = f"{action} {WORDS[action]}".strip()
        raise InputError(f"gitu users {action} takes other words", hint=f"say: gitu users {said}")
    return await _ACTIONS[action](admin, given, *words)


async def _list(admin: Admin, given: Given) -> str:
    found: list[tuple[Person, list[Linked]]] = []
    while people := await admin.people.people(found[-1][0].id if found else ""):
        found += [(each, list(await admin.people.accounts(each.id))) for each in people]
    if given.get("json"):
        return as_json([{**msgspec.to_builtins(each), "enabled": each.enabled, "accounts": has} for each, has in found])
    rows = [await _row(admin, person, account) for person, has in found for account in has or (None,)]
    return table(HEAD, rows)


async def _row(admin: Admin, person: Person, linked: Linked | None) -> tuple[str, ...]:
    name = "".join(filter(str.isprintable, person.name))[:LONGEST]  # nothing that would steer a terminal
    fixed = (person.id, name, "enabled" if person.enabled else "disabled")
    if linked is None:
        return (*fixed, "", "", "", "")
    account = linked.account
    trust = "full" if await admin.vouched(account.channel, linked.trust) else "talk"
    return (*fixed, account.channel, account.id, trust, when(linked.last_used))


async def _pair(admin: Admin, given: Given, code: str) -> str:
    done = await admin.people.pair(code, given.get("user", ""))
    if done is None:
        raise InputError("this code does not count", hint="it counts once, for 10 minutes; have another one made")
    if done.place is not None:
        with suppress(NotReady):  # its plugin is off here; what was done is done
            await admin.say(done.person.id, "You are known here now. What can I do for you?", done.place)
    return f"{done.account.id} on {done.account.channel} belongs to {done.person.id}"


async def _link(admin: Admin, given: Given, user: str, channel: str, id: str) -> str:
    for what, value in (("user", user), ("channel", channel), ("account", id)):
        check_name(value, what)
    before = (await admin.people.link(Account(channel, id), user, bool(given.get("new")))).before
    return f"{id} on {channel} belongs to {user}{f', no more to {before}' if before else ''}"


async def _unlink(admin: Admin, given: Given, channel: str, id: str) -> str:
    await admin.people.unlink(Account(channel, id), last=bool(given.get("last")))
    return f"{id} on {channel} belongs to nobody"


async def _switch(admin: Admin, given: Given, user: str) -> str:
    await admin.people.change_person(user, enabled=given["action"] == "enable")
    return f"{user} is {given['action']}d"


async def _trust(admin: Admin, given: Given, channel: str, id: str, trust: str) -> str:
    if trust not in ("full", "talk"):
        raise InputError(f"there is no trust {trust!r}", hint="say full or talk")
    await admin.people.trust(Account(channel, id), "" if trust == "full" else trust)
    far = "as far as its channel" if trust == "full" else "to talk, no further"
    return f"{id} on {channel} is trusted {far}"


async def _settings(admin: Admin, given: Given, user: str, document: str = "") -> str:
    if document:
        try:
            settings: Any = msgspec.json.decode(document)
        except msgspec.DecodeError as error:
            raise InputError(f"the settings are not JSON: {error}", hint="quote them for your shell") from error
        return as_json((await admin.people.change_person(user, settings=settings)).settings)
    found = await admin.people.person(user)
    if found is None:
        raise InputError(f"there is no user {user}", hint="list them with: gitu users")
    return as_json(found.settings)


_ACTIONS: dict[str, Callable[..., Awaitable[str]]] = {
    "list": _list, "pair": _pair, "link": _link, "unlink": _unlink, "enable": _switch, "disable": _switch,
    "trust": _trust, "settings": _settings,
}  # fmt: skip
