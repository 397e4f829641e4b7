"""Gitu plugin: the assistant in the browser and in apps. The server is imported when it is first used."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gitu_core.contracts import Adapter, Command, Host, Tool


def gitu_adapters(host: Host) -> Sequence[Adapter]:
    """The one channel of this plugin; the whole web server lives as long as it receives."""
    from gitu_web.adapter import WebAdapter

    return [WebAdapter(host)]


def gitu_commands(host: Host) -> Sequence[Command]:
    """``gitu web`` and ``gitu auth``."""
    from gitu_web.auth.commands import make_commands

    return make_commands(host)


def gitu_tools(host: Host) -> Sequence[Tool]:
    """What carries out the functions that programs bring."""
    from gitu_web.functions import Carrier

    return [Carrier(host)]
