"""Commands for whoever runs the installation: users, grants, audit, budgets, the outbox."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gitu_core import Host
    from gitu_core.contracts import Command


def gitu_commands(host: Host) -> Sequence[Command]:
    """The commands of the operator."""
    from gitu_operator.commands import make_commands

    return make_commands(host)
