"""The provider keeps the laws of the contract."""

from __future__ import annotations

import pytest

from gitu_core.testing.conformance import ModelProviderLaws
from gitu_offline.provider import OfflineProvider


class TestOffline(ModelProviderLaws):
    """Nothing of it is elsewhere, so there is no remote."""

    @pytest.fixture
    def provider(self) -> OfflineProvider:
        return OfflineProvider()
