"""Shared by the tests of the testing kit."""

from __future__ import annotations

import pytest


@pytest.fixture
def anyio_backend() -> str:
    """One event loop is enough here."""
    return "asyncio"
