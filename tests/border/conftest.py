"""Fixtures of the border's tests."""

import pytest

from gitu_core.testing.borders import across

__all__ = ["across", "anyio_backend"]


@pytest.fixture
def anyio_backend() -> str:
    """Everything runs on asyncio."""
    return "asyncio"
