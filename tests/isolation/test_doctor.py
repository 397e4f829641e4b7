"""The doctor says how each plugin runs, and which walls stand around it."""

from __future__ import annotations

import json
from pathlib import Path

from tests.cli.driver import Cli
from tests.isolation.conftest import fenced
from tests.registry.conftest import Site


@fenced
def test_the_doctor_names_the_walls_around_a_plugin(tmp_path: Path) -> None:
    site = Site(tmp_path / "site")
    site.tool("good", "wave")
    cli = Cli(tmp_path / "here", site.folder)
    cli.configure("[plugins.good]\nenabled = true\n")
    found = {each["what"]: each for each in json.loads(cli.run("doctor", "--json").stdout)}
    assert found["plugin good"]["state"] == "ok"
    assert "in a process of its own: at most 1024 MiB of memory" in found["plugin good"]["detail"]
    assert "seccomp: no sockets, no programs, no processes" in found["plugin good"]["detail"]
    assert "at most 256 threads and processes" in found["plugin good"]["detail"]
    assert "process" not in found["plugin basics"]["detail"]
    listed = {each["id"]: each for each in json.loads(cli.run("plugins", "--json").stdout)}
    assert (listed["good"]["isolation"], listed["basics"]["isolation"]) == ("process", "host")
