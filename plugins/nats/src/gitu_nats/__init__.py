"""Gitu plugin: wake-ups between many machines through NATS JetStream. The client is imported when it is first used."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gitu_core.contracts import Dispatcher, Host


def gitu_dispatchers(host: Host) -> Sequence[Dispatcher]:
    """The one dispatcher of this plugin."""
    from gitu_nats.dispatcher import NatsDispatcher

    return [NatsDispatcher(host)]
