"""The provider keeps the laws of the contract: LiteLLM for real, against a server on this machine."""

from __future__ import annotations

from collections.abc import Iterator
from typing import cast

import pytest

from gitu_core.contracts import Host, ModelProvider
from gitu_core.testing.conformance import ModelProviderLaws, ServedModel
from gitu_litellm import gitu_model_providers
from gitu_litellm.messages import safe_name

from .test_provider import KEY, HostHere


class TestLiteLLM(ModelProviderLaws):
    """As it asks a server of the most common protocol."""

    credential = KEY
    named = "platform:X_API_KEY"

    @pytest.fixture
    def remote(self) -> Iterator[ServedModel]:
        with ServedModel(KEY, safe_name) as served:
            yield served

    @pytest.fixture
    def provider(self, remote: ServedModel) -> ModelProvider:
        (provider,) = gitu_model_providers(cast(Host, HostHere(api_base=remote.url, model="openai/local")))
        return provider
