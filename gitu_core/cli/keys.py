"""``gitu keys``: the master keys and what they wrap; new ones in place of old ones, while the assistant runs."""

from __future__ import annotations

import argparse
import base64
import sys

import anyio

from gitu_core.cli.common import settings_of
from gitu_core.cli.show import as_json, paint, table
from gitu_core.contracts.ports import KeyStatus
from gitu_core.errors import InputError
from gitu_core.store import Store


def arguments(name: str, command: argparse.ArgumentParser) -> None:
    """What the command takes."""
    command.add_argument("action", nargs="?", default="status", choices=("status", "rotate", "add", "drop"),
                         help="list the master keys, make a new one, add one from standard input, drop one "
                              "(default: status)")  # fmt: skip
    command.add_argument("key", nargs="?", help="with drop: the master key, as it is listed")
    command.add_argument("--prepare", action="store_true", help="with rotate: make the key and use it later")
    command.add_argument("--people", action="store_true",
                         help="with rotate: new keys for all people, and all data sealed anew")  # fmt: skip
    command.add_argument("--json", action="store_true", help="print JSON")


def run(options: argparse.Namespace) -> int:
    """Runs the command."""
    anyio.run(_run, options)
    return 0


async def _run(options: argparse.Namespace) -> None:
    settings = settings_of(options)
    # The store alone: nothing is worked on, and no plugin is started.
    given = {"tenant": settings.tenant, "home": settings.folder, "master_key": settings.master_key}
    place = Store(settings.database or None, **given)
    if options.action == "add":
        # Before the store is opened: the key may be the one that it needs.
        print(f"added: {place.add_master(_key(sys.stdin.read()))}")
        return
    async with place as store:
        if options.action == "drop":
            await store.drop_master(options.key or "")
            print(f"dropped: {options.key}", file=sys.stderr)
        elif options.action == "rotate" and options.people:
            count = await store.renew_keys(_progress)
            print(f"{paint('done', 'green', sys.stderr)}: {count} values were sealed anew", file=sys.stderr)
        elif options.action == "rotate":
            name, count = await store.rotate_master(options.prepare)
            print(f"{count} keys are wrapped by {name} now" if count else f"made: {name}", file=sys.stderr)
        status = await store.key_status()
    print(as_json(status) if options.json else _shown(status))


def _key(text: str) -> bytes:
    try:
        return base64.b64decode(text.strip(), validate=True)
    except ValueError:
        raise InputError("standard input holds no key", hint="a master key is 32 bytes in base64") from None


def _progress(table: str, seen: int, done: int) -> None:
    print(f"{table}: {seen} looked at, {done} sealed anew so far", file=sys.stderr, flush=True)


def _shown(status: KeyStatus) -> str:
    names = dict.fromkeys((*status.known, *status.wraps))
    rows = [(name, status.wraps.get(name, 0), _use(status, name)) for name in names]
    lines = [f"master keys from {status.place}", table(("key", "wraps", "use"), rows)]
    lines += [paint("people are getting new keys; go on with: gitu keys rotate --people", "yellow")] * status.renewing
    return "\n".join(lines)


def _use(status: KeyStatus, name: str) -> str:
    if name not in status.known:
        return "missing: what it wraps cannot be read"
    if name == status.current:
        return "wraps new keys" if name == status.known[0] else "wraps new keys; go on with: gitu keys rotate"
    if name == status.known[0]:
        return "prepared; go on with: gitu keys rotate"
    return "still needed; go on with: gitu keys rotate" if name in status.wraps else "needed for older backups only"
