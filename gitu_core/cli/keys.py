"""``gitu keys``: the master keys and what they wrap; new ones in place of old ones, while the assistant runs."""

from __future__ import annotations

import argparse
import base64
import sys
from functools import partial

from gitu_core.cli.common import settings_of
from gitu_core.cli.show import as_json, table
from gitu_core.contracts.ports import KeyStatus
from gitu_core.errors import InputError
from gitu_core.store import Store

_say = partial(print, file=sys.stderr, flush=True)


def arguments(name: str, command: argparse.ArgumentParser) -> None:
    """What the command takes."""
    what = "list the master keys, put a new one in their place, add the one on standard input, or drop one"
    command.add_argument("action", nargs="?", default="list", choices=("list", "rotate", "add", "drop"), help=what)
    command.add_argument("key", nargs="?", default="", help="with drop: the master key, as it is listed")
    command.add_argument("--prepare", action="store_true", help="with rotate: make the key and use it later")
    command.add_argument("--people", action="store_true", help="with rotate: new keys for people, all data sealed anew")
    command.add_argument("--json", action="store_true", help="print JSON")


async def run(options: argparse.Namespace) -> None:
    """Runs the command."""
    settings = settings_of(options)
    # The store alone: nothing is worked on, and no plugin is started.
    master = settings.master_key or None
    store = Store(settings.database, tenant=settings.tenant, home=settings.folder, master_key=master)
    if options.action == "add":  # before the store is opened: it may be the key that it needs
        _say(f"added: {store.add_master(_key(sys.stdin.read()))}")
    async with store:
        if options.action == "drop":
            await store.drop_master(options.key)
        elif options.action == "rotate" and options.people:
            count = await store.renew_keys(lambda *how: _say("{}: {} looked at, {} sealed anew so far".format(*how)))
            _say(f"done: {count} values were sealed anew")
        elif options.action == "rotate":
            name, count = await store.rotate_master(options.prepare)
            _say(f"{count} keys are wrapped by {name} now" if count else f"made: {name}")
        status = await store.key_status()
    print(as_json(status) if options.json else _shown(status))


def _key(text: str) -> bytes:
    try:
        return base64.b64decode(text.strip(), validate=True)
    except ValueError:
        raise InputError("standard input holds no key", hint="a master key is 32 bytes in base64") from None


def _shown(status: KeyStatus) -> str:
    names = dict.fromkeys((*status.known, *status.wraps))
    rows = [(name, status.wraps.get(name, 0), _use(status, name)) for name in names]
    more = ["people are getting new keys; go on with: gitu keys rotate --people"] * status.renewing
    return "\n".join([f"master keys from {status.place}", table(("key", "wraps", "use"), rows), *more])


def _use(status: KeyStatus, name: str) -> str:
    if name not in status.known:
        return "missing: what it wraps cannot be read"
    if (name,) == status.known[:1] == (status.current,):
        return "wraps new keys"
    return "go on with: gitu keys rotate" if name in (status.known[0], *status.wraps) else "only older backups need it"
