"""The channel keeps the laws of the contract: through the library's own client, and through the host's requests."""

from __future__ import annotations

import pytest

from gitu_core.model import Conversation
from gitu_core.testing.conformance import AdapterLaws
from gitu_telegram.adapter import TelegramAdapter

from .around import HostHere, People
from .fake import Fake


class TestDirect(AdapterLaws):
    """As a trusted plugin."""

    apart = False

    @pytest.fixture
    def adapter(self, fake: Fake) -> TelegramAdapter:
        """The channel, on the fake server."""
        return TelegramAdapter(HostHere(fake, self.apart))

    @pytest.fixture
    def remote(self, fake: Fake) -> People:
        """Who uses it."""
        return People(fake)

    @pytest.fixture
    def conversation(self) -> Conversation:
        """The chat of the first user."""
        return Conversation("telegram", "1")


class TestThroughTheHost(TestDirect):
    """As in a process of its own."""

    apart = True
