"""Plugins from wheels, folders, packages and signed indexes: installed, updated, rolled back, removed, verified."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gitu_core import Host
    from gitu_core.contracts import Command


def gitu_commands(host: Host) -> Sequence[Command]:
    """The commands below ``gitu plugins``."""
    from gitu_marketplace.commands import make_commands

    return make_commands()
