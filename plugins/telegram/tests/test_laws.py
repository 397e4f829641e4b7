"""The channel keeps the laws of the contract: through the library's own client, and through the host's requests."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

import pytest

from gitu_core.contracts import Conversation
from gitu_core.testing import crash_test
from gitu_core.testing.conformance import AdapterLaws
from gitu_telegram.adapter import TelegramAdapter

from .around import HostHere, People
from .crash import VARIABLE, Bots
from .fake import Fake


class TestDirect(AdapterLaws):
    """As a trusted plugin."""

    apart = False
    crash: ClassVar[Mapping[str, Any]] = {"adapter": "plugins.telegram.tests.crash:adapter", "deliveries": ["blind"]}

    @pytest.fixture(autouse=True)
    def bots(self, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
        """The server that outlives the processes that die."""
        server = Bots()
        monkeypatch.setenv(VARIABLE, server.url)
        yield
        server.close()
        assert [line for bot in server.bots.values() for line in bot.complaints] == []

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
    test_a2_nothing_is_lost_when_the_process_dies = None  # type: ignore[assignment]  # done above: it costs seconds


@pytest.mark.slow
@pytest.mark.parametrize("scenario", ["approval", "grow"])
def test_questions_and_growing_answers_survive_the_death_of_the_process(
    scenario: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At every point of the channel."""
    server = Bots()
    monkeypatch.setenv(VARIABLE, server.url)
    points = ("world.accept", "world.send", "live", "outbox", "answer")
    report = crash_test(scenarios=[scenario], deliveries=["blind"], points=points, adapter=TestDirect.crash["adapter"])
    server.close()
    assert report.broken == [], report.table()
