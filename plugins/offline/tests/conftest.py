"""Shared by the tests of this plugin."""

import pytest


@pytest.fixture
def anyio_backend() -> str:
    """One backend is enough: the provider waits for nothing."""
    return "asyncio"
