"""One plugin of every kind, written once."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from gitu_core.testing.workshop.commands import KINDS
from gitu_core.testing.workshop.new import write
from tests.cli.driver import Cli


@pytest.fixture(scope="session")
def written(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The folders of freshly written plugins, by kind."""
    base = tmp_path_factory.mktemp("written")
    for kind in KINDS:
        write(f"my-{kind}", kind, base / kind)
    return {kind: base / kind for kind in KINDS}


def python(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """A module of this environment, run in *folder* with the plugin's sources on the path."""
    env = {**os.environ, "PYTHONPATH": str(folder / "src"), "MYPYPATH": "src", "NO_COLOR": "1"}
    return subprocess.run(
        [sys.executable, "-m", *words], cwd=folder, env=env, timeout=200,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, encoding="utf-8",
    )  # fmt: skip


@pytest.fixture
def cli(tmp_path: Path) -> Cli:
    """`gitu` on a fresh home."""
    return Cli(tmp_path / "here")
