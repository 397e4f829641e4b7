"""Gitu plugin: models behind the OpenAI HTTP API. Everything heavy waits in the submodules."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gitu_core.contracts import Host, ModelProvider


def gitu_model_providers(host: Host) -> Sequence[ModelProvider]:
    """The one provider of this plugin."""
    from gitu_openai.provider import OpenAIProvider

    return [OpenAIProvider(host)]


async def gitu_stop(host: Host) -> None:
    """Closes the connections that the host's provider holds."""
    from gitu_openai.provider import close_all

    await close_all(host)
