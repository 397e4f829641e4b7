"""``gitu backup`` and ``gitu restore``."""

from __future__ import annotations

import argparse
from pathlib import Path

import anyio

from gitu_core.cli.common import assistant, settings_of


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
    print(f"written: {options.file}")


async def _restore(options: argparse.Namespace) -> None:
    from gitu_core.store import restore

    settings = settings_of(options)
    await restore(options.file, url=settings.database, home=settings.folder)
    print(f"restored into {settings.home}")
