"""This repository's own plugins as a signed index: built by one command, found by another Gitu."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.driver import Cli

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = ROOT / "scripts" / "plugin_index.py"


@pytest.fixture
def cli(tmp_path: Path) -> Cli:
    return Cli(tmp_path / "here")


def build(key: Path, folder: Path, *, status: int = 0) -> str:
    command = [sys.executable, str(SCRIPT), str(key), str(folder), "--fast"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert bool(done.returncode) == bool(status), done.stderr
    return done.stdout + done.stderr


def test_every_plugin_of_this_repository_is_in_its_index(cli: Cli, tmp_path: Path) -> None:
    key, folder = tmp_path / "key.pem", tmp_path / "index"
    fingerprint = cli.run("plugins", "index", "key", str(key)).stdout.partition("fingerprint: ")[2].split()[0]
    build(key, folder)
    own = {each.name for each in (ROOT / "plugins").iterdir() if (each / "pyproject.toml").is_file()}
    assert {each["id"] for each in json.loads((folder / "index.json").read_text("utf-8"))["plugins"]} == own
    cli.run("plugins", "index", "add", str(folder), "--fingerprint", fingerprint)
    for each in own:
        assert each in cli.run("plugins", "search", each).stdout
    assert "network: api.telegram.org" in cli.run("plugins", "show", "telegram").stdout
    # Here they are installed in another way, which stays the only one.
    assert "which is part of this installation" in cli.run("plugins", "install", "telegram", "--yes", status=1).stderr


def test_a_wheel_that_was_offered_never_changes(cli: Cli, tmp_path: Path) -> None:
    key, folder = tmp_path / "key.pem", tmp_path / "index"
    cli.run("plugins", "index", "key", str(key))
    build(key, folder)
    assert "index number 2" in build(key, folder)  # the same sources give the same wheels
    next(folder.glob("gitu_basics-*.whl")).write_bytes(b"another one")
    assert "is another one now" in build(key, folder, status=1)
