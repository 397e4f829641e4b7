"""Gitu plugin: talk to the assistant on Telegram. The client is imported when it is first used."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gitu_core.contracts import Adapter, Host


def gitu_adapters(host: Host) -> Sequence[Adapter]:
    """The one channel of this plugin."""
    from gitu_telegram.adapter import TelegramAdapter

    return [TelegramAdapter(host)]
