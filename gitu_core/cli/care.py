"""``gitu backup`` and ``gitu restore``."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import anyio

from gitu_core.cli.common import assistant, settings_of

KEY_FILE = "master.key"
"""Where the store keeps the key of everything that is sealed, in the home folder."""


def arguments(name: str, command: argparse.ArgumentParser) -> None:
    """What the command takes."""
    command.add_argument("file", type=Path, help="the folder of the copy")


def run(options: argparse.Namespace) -> int:
    """Runs the command."""
    anyio.run(_backup if options.command == "backup" else _restore, options)
    return 0


async def _backup(options: argparse.Namespace) -> None:
    async with assistant(options) as gitu:
        await gitu.house.store.backup(options.file)
        key = gitu.house.settings.folder / KEY_FILE
    print(f"written: {options.file}")
    if await anyio.Path(key).exists():
        print(f"it is sealed, and its key is not in it: keep a copy of {key} in another place", file=sys.stderr)


async def _restore(options: argparse.Namespace) -> None:
    from gitu_core.store import restore

    settings = settings_of(options)
    await restore(options.file, url=settings.database, home=settings.folder)
    print(f"restored into {settings.home}")
