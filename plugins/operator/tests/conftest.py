"""A command line for each test."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.driver import Cli


@pytest.fixture
def cli(tmp_path: Path) -> Cli:
    """`gitu` on a fresh home."""
    return Cli(tmp_path / "here")
