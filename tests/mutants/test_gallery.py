"""Each wrong plugin is caught by the law that it breaks, by no other one, and the right ones pass everything.

``make mutants`` shows the same as a table, through the process border too.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

LONG = ("adapter", "dispatcher")
"""Those that take a quarter of a minute each."""

AT_LEAST = {"adapter": 20, "dispatcher": 10, "tool action": 14, "memory provider router embedder": 32}
"""How many wrong plugins there are of some seams, which are tried in one process."""


@pytest.mark.parametrize(
    "seams", [pytest.param(each, marks=[pytest.mark.slow] if each in LONG else []) for each in AT_LEAST]
)
def test_every_wrong_plugin_is_caught_by_the_law_that_it_breaks(seams: str) -> None:
    command = [sys.executable, "-m", "tests.mutants", "--json", "--quick", *seams.split()]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=True)
    rows = json.loads(done.stdout.splitlines()[-1])
    assert {row["plugin"]: row["caught"] for row in rows if not row["ok"]} == {}, done.stderr[-2000:]
    assert sum(bool(row["law"]) for row in rows) >= AT_LEAST[seams]
    assert {row["seam"] for row in rows if not row["law"]} == {*seams.split()}, "right ones run their kits too"


def test_a_plugin_that_nothing_catches_is_reported() -> None:
    """The exit code says so: a right plugin in the place of a wrong one."""
    code = (
        "import sys; from tests.mutants import gallery, models, __main__ as main\n"
        "gallery.WRONG['embedder'] = {models.RightEmbedder: 'E1'}; gallery.RIGHT['embedder'] = ()\n"
        "sys.argv[1:] = ['embedder']; sys.exit(main.main())"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert (done.returncode, "0 of 1 caught by the named law" in done.stdout) == (1, True), done.stdout + done.stderr
