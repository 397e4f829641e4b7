"""The provider keeps the laws of the contract, against a real server on this machine, streamed and not."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import cast

import pytest

from gitu_core.contracts import Host
from gitu_core.testing.conformance import ModelProviderLaws, ServedModel
from gitu_openai import gitu_model_providers, gitu_stop
from gitu_openai.encode import safe_name
from gitu_openai.provider import OpenAIProvider

from .conftest import KEY, HostHere


class Served(ServedModel):
    """The server, and the key that the host holds for it."""

    def __init__(self) -> None:
        super().__init__(KEY, safe_name)
        self.host = HostHere()

    def forget(self) -> None:
        """No key is set."""
        self.host.secrets.keys.clear()


class TestOpenAI(ModelProviderLaws):
    """Streamed."""

    credential = KEY
    streamed = True

    @pytest.fixture
    def remote(self) -> Iterator[Served]:
        with Served() as served:
            yield served

    @pytest.fixture
    async def provider(self, remote: Served, anyio_backend: str) -> AsyncIterator[OpenAIProvider]:
        remote.host.config = {"base_url": remote.url, "stream": self.streamed}
        (provider,) = gitu_model_providers(cast(Host, remote.host))
        yield cast(OpenAIProvider, provider)
        await gitu_stop(cast(Host, remote.host))


class Whole(Served):
    """Answers that come whole do not break in the middle."""

    failures = ("auth", "rate", "down", "gone", "overflow", "rejected")


class TestOpenAIWhole(TestOpenAI):
    """Answers that come whole."""

    streamed = False

    @pytest.fixture
    def remote(self) -> Iterator[Served]:
        with Whole() as served:
            yield served
