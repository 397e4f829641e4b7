"""Plugins from wheels, folders, packages and signed indexes: installed, updated, rolled back, removed, verified."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gitu_core import Host
    from gitu_core.contracts import Command, Page


def gitu_commands(host: Host) -> Sequence[Command]:
    """The commands below ``gitu plugins``."""
    from gitu_marketplace.commands import make_commands

    return make_commands()


def gitu_pages(host: Host) -> Sequence[Page]:
    """The page of the console."""
    from gitu_marketplace.page import Shop

    return [Shop(host)]
