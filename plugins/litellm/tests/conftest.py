"""Shared by the tests of this plugin."""

import pytest


@pytest.fixture
def anyio_backend() -> str:
    """LiteLLM runs on asyncio only."""
    return "asyncio"
