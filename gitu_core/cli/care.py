"""``gitu backup`` and ``gitu restore``."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from gitu_core.cli.common import assistant, settings_of


def arguments(name: str, command: argparse.ArgumentParser) -> None:
    """What the command takes."""
    command.add_argument("file", type=Path, help="the folder of the copy")


async def run(options: argparse.Namespace) -> None:
    """Runs the command."""
    await (_backup if options.command == "backup" else _restore)(options)


async def _backup(options: argparse.Namespace) -> None:
    async with assistant(options) as gitu:
        await gitu.house.store.backup(options.file)
        keys = await gitu.house.store.key_status()
    print(f"written: {options.file}")
    names = " and ".join(keys.wraps)
    print(f"it is sealed, and its key is not in it: keep a copy of {keys.place} ({names}) in another place",
          file=sys.stderr)  # fmt: skip


async def _restore(options: argparse.Namespace) -> None:
    from gitu_core.store import restore
    from gitu_core.store.master import Master

    settings = settings_of(options)
    needed = await restore(options.file, url=settings.database, home=settings.folder)
    print(f"restored into {settings.home}")
    place = Master(settings.folder, settings.master_key)
    for name in sorted(needed - set(place.find())):
        print(f"it needs the master key {name}, which is not here\nnext: {place.hint(name)}", file=sys.stderr)
