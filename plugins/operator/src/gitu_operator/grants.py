"""``gitu grants``: what people allowed beforehand; give and take back."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

from gitu_core.contracts import Admin, new_id
from gitu_core.contracts.authority import Grant
from gitu_core.errors import InputError
from gitu_operator.shape import Given
from gitu_operator.show import as_json, table

HEAD = "id", "user", "what"

BY = "operator"
"""Who gives and takes back here, as the audit keeps it."""


async def run(admin: Admin, given: Given) -> str:
    """Runs the command."""
    action, words, now = given["action"], given.get("words", []), time.time()
    if len(words) != {"list": 0, "add": 2, "revoke": 1}[action]:
        raise InputError(f"gitu grants {action} takes other words", hint="see: gitu grants --help")
    if action == "add":
        grant = _grant(given, now)
        if await admin.people.person(grant.person) is None:
            raise InputError(f"there is no user {grant.person}", hint="list them with: gitu users")
        await admin.grants.add_grant(grant, BY)
        return f"{grant.id} allows {grant.person}: {grant}"
    if action == "revoke":
        gone = await admin.grants.revoke_grant(words[0], by=BY)
        if gone is None:
            raise InputError(f"there is no grant {words[0]}", hint="list them with: gitu grants")
        return f"{gone.person} is asked again: {gone}"
    found = [each for each in await admin.grants.grants(given.get("user", "")) if _counts(each, now)]
    return as_json(found) if given.get("json") else table(HEAD, [(each.id, each.person, str(each)) for each in found])


def _grant(given: Given, now: float) -> Grant:
    person, tool = given["words"]
    days, uses = given.get("days"), given.get("uses")
    when, most = dict[str, tuple[str, ...]](), dict[str, float]()
    for path, pattern in map(_pair, given.get("when", ())):
        when[path] = (*when.get(path, ()), pattern)
    for path, amount in map(_pair, given.get("most", ())):
        try:
            most[path] = float(amount)
        except ValueError as error:
            raise InputError(f"{amount!r} is no number", hint="say for instance: --most amount=50") from error
    if (uses is not None and uses < 1) or (days is not None and days <= 0):
        raise InputError("a grant that never counts is none", hint="give it a day and a use at least")
    ends = None
    if days is not None:
        try:
            ends = (datetime.fromtimestamp(now, UTC) + timedelta(days=days)).timestamp()
        except OverflowError as error:
            raise InputError(f"{days:g} days are too many", hint="leave --days out: for ever") from error
    return Grant(new_id(), person, tool, when, most, expires_at=ends, uses=uses, made_at=now)


def _pair(given: str) -> tuple[str, str]:
    path, _, value = given.partition("=")
    if not path or not value:
        raise InputError(f"{given!r} is no condition", hint="say for instance: --when to=*@firm.example")
    return path, value


def _counts(grant: Grant, now: float) -> bool:
    return grant.uses != 0 and (grant.expires_at is None or now < grant.expires_at)
