"""Every test here has a home folder of its own."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def home(gitu_home: Path) -> Path:
    """A fresh home, also in the environment."""
    return gitu_home
