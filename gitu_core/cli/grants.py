"""``gitu grants``: what people allowed beforehand; give and take back."""

from __future__ import annotations

import argparse
from datetime import UTC, datetime, timedelta

from gitu_core.cli.common import answering
from gitu_core.cli.show import as_json, table
from gitu_core.contracts.authority import Grant
from gitu_core.errors import InputError

HEAD = ("id", "user", "what")


def arguments(name: str, command: argparse.ArgumentParser) -> None:
    """What the command takes."""
    command.add_argument("action", nargs="?", default="list", choices=("list", "add", "revoke"),
                         help="what to do (default: list)")  # fmt: skip
    command.add_argument("words", nargs="*", help="add: USER TOOL, a pattern like mail.*; revoke: ID")
    command.add_argument("--user", default="", help="with list: only those of this user")
    command.add_argument("--when", action="append", default=[], metavar="ARGUMENT=PATTERN",
                         help="with add: an argument has to fit; again for another pattern")  # fmt: skip
    command.add_argument("--most", action="append", default=[], metavar="ARGUMENT=NUMBER",
                         help="with add: an amount may be this large, and not larger")  # fmt: skip
    command.add_argument("--days", type=float, default=None, help="with add: how long it counts (default: for ever)")
    command.add_argument("--uses", type=int, default=None, help="with add: how often it counts (default: always)")
    command.add_argument("--json", action="store_true", help="print JSON")


async def run(options: argparse.Namespace) -> None:
    """Runs the command."""
    if len(options.words) != {"list": 0, "add": 2, "revoke": 1}[options.action]:
        raise InputError(f"gitu grants {options.action} takes other words", hint="see: gitu grants --help")
    print(await _run(options))


async def _run(options: argparse.Namespace) -> str:
    async with answering(options) as gitu:
        store, now = gitu.house.store, gitu.house.clock.now()
        if options.action == "add":
            grant = _grant(options, gitu.house.clock.new_id(), now)
            if await store.person(grant.person) is None:
                raise InputError(f"there is no user {grant.person}", hint="list them with: gitu users")
            await store.add_grant(grant, "operator")
            return f"{grant.id} allows {grant.person}: {grant}"
        if options.action == "revoke":
            gone = await store.revoke_grant(options.words[0], by="operator")
            if gone is None:
                raise InputError(f"there is no grant {options.words[0]}", hint="list them with: gitu grants")
            return f"{gone.person} is asked again: {gone}"
        found = [each for each in await store.grants(options.user) if _counts(each, now)]
        rows = [(each.id, each.person, str(each)) for each in found]
        return as_json(found) if options.json else table(HEAD, rows)


def _grant(options: argparse.Namespace, id: str, now: float) -> Grant:
    person, tool = options.words
    when, most = dict[str, tuple[str, ...]](), dict[str, float]()
    for path, pattern in map(_pair, options.when):
        when[path] = (*when.get(path, ()), pattern)
    for path, amount in map(_pair, options.most):
        try:
            most[path] = float(amount)
        except ValueError as error:
            raise InputError(f"{amount!r} is no number", hint="say for instance: --most amount=50") from error
    if (options.uses is not None and options.uses < 1) or (options.days is not None and options.days <= 0):
        raise InputError("a grant that never counts is none", hint="give it a day and a use at least")
    ends = None
    if options.days is not None:
        try:
            ends = (datetime.fromtimestamp(now, UTC) + timedelta(days=options.days)).timestamp()
        except OverflowError as error:
            raise InputError(f"{options.days:g} days are too many", hint="leave --days out: for ever") from error
    return Grant(id, person, tool, when, most, expires_at=ends, uses=options.uses, made_at=now)


def _pair(given: str) -> tuple[str, str]:
    path, _, value = given.partition("=")
    if not path or not value:
        raise InputError(f"{given!r} is no condition", hint="say for instance: --when to=*@firm.example")
    return path, value


def _counts(grant: Grant, now: float) -> bool:
    return grant.uses != 0 and (grant.expires_at is None or now < grant.expires_at)
