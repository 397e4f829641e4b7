"""The dispatcher keeps the laws of the contract, over a real server."""

from __future__ import annotations

import pytest

from gitu_core.testing.conformance import DispatcherLaws
from gitu_nats.dispatcher import NatsDispatcher

from .around import HostHere, Secrets
from .servers import Node


class Transport:
    """The server, which can be away."""

    def __init__(self, node: Node) -> None:
        self._node = node

    async def down(self) -> None:
        """It dies."""
        await self._node.kill()

    async def up(self) -> None:
        """It comes back."""
        await self._node.start()


class TestNats(DispatcherLaws):
    """Two processes' dispatchers on one server."""

    @pytest.fixture
    def dispatcher(self, node: Node) -> NatsDispatcher:
        return NatsDispatcher(HostHere({"servers": [node.url]}, Secrets()))  # type: ignore[arg-type]

    @pytest.fixture
    def another(self, node: Node) -> NatsDispatcher:
        return NatsDispatcher(HostHere({"servers": [node.url]}, Secrets()))  # type: ignore[arg-type]

    @pytest.fixture
    def remote(self, node: Node) -> Transport:
        return Transport(node)
