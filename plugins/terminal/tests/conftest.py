"""Shared by the tests of the terminal."""

from __future__ import annotations

import pytest


@pytest.fixture
def anyio_backend() -> str:
    """prompt_toolkit runs on asyncio only."""
    return "asyncio"
