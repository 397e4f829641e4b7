"""What the worker side loads: the border needs msgspec, pydantic and anyio, and nothing of the host."""

from __future__ import annotations

import os
import subprocess
import sys

CODE = """
import sys
import gitu_core.border.peer, gitu_core.border.sockets
heavy = {"pluggy", "sqlalchemy", "stevedore", "alembic", "jsonschema", "sqlite3", "cryptography", "pytest"}
host = {"store", "registry", "runtime", "app", "config", "testing"}
rooms = {name.split(".")[1] for name in sys.modules if name.startswith("gitu_core.")}
print(len(heavy & set(sys.modules)), len(rooms & host))
"""


def test_the_border_loads_nothing_of_the_host() -> None:
    """In a fresh interpreter."""
    # Without the tool that measures coverage, which brings a database of its own.
    environ = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE_")}
    answer = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=True, env=environ)
    assert answer.stdout.split() == ["0", "0"]
