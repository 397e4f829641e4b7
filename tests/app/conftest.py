"""An assistant on a home of its own."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def home(gitu_home: Path) -> Path:
    """Every test here has a home folder of its own, also in the environment."""
    return gitu_home
