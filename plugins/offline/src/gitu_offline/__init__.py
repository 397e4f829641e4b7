"""Gitu plugin: a model without a network. It picks tools by their descriptions and says what they
answered."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gitu_core.contracts import ModelProvider


def gitu_model_providers() -> Sequence[ModelProvider]:
    """The one provider of this plugin."""
    from gitu_offline.provider import OfflineProvider

    return [OfflineProvider()]
