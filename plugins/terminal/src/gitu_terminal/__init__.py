"""The terminal as a channel: a chat with colours and editing at a keyboard, plain lines in a pipe."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gitu_core import Host
    from gitu_core.contracts import Adapter


def gitu_adapters(host: Host) -> Sequence[Adapter]:
    """The channel ``terminal``."""
    from gitu_terminal.adapter import Terminal

    return [Terminal(host.config)]
