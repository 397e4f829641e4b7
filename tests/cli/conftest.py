"""A command line for each test, and one that the tests of a module share."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.driver import Cli


@pytest.fixture
def cli(tmp_path: Path) -> Cli:
    """`gitu` on a fresh home."""
    return Cli(tmp_path / "here")


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Cli:
    """`gitu` on a home that the tests of one module share."""
    return Cli(tmp_path_factory.mktemp("shared"))
