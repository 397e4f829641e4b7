"""Gitu plugin: models of many providers through LiteLLM, which is imported with the first request and not
before."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gitu_core.contracts import Host, ModelProvider


def gitu_model_providers(host: Host) -> Sequence[ModelProvider]:
    """The one provider of this plugin."""
    from gitu_litellm.provider import LiteLLMProvider

    return [LiteLLMProvider(host)]
