"""An assistant on a home of its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from gitu_core import wiring
from tests.app.around import SENT


@pytest.fixture(autouse=True)
def home(gitu_home: Path) -> Path:
    """Every test here has a home folder of its own, also in the environment."""
    return gitu_home


@pytest.fixture(autouse=True)
def nothing_sent() -> None:
    """No mail went out before a test."""
    SENT.clear()


@pytest.fixture
def short_grace(monkeypatch: pytest.MonkeyPatch) -> None:
    """Closing waits for nothing."""
    monkeypatch.setattr(wiring, "GRACE", 0.05)
