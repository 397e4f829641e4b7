"""Other frameworks beside Gitu: each in a process of its own, with the same server and the same exchange.

Ratios are to the bare openai client's calls, measured in the same process in turns with the framework. What is not
installed is left out with its reason; ``make bench-peers`` installs it.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from tests.benchmarks.measure import model_server
from tests.benchmarks.peers import PEERS
from tests.benchmarks.table import Report, finish, parser

PYTHON = Path(".bench/bin/python")
"""The environment of the peers; Gitu is measured in the one that runs this."""

COLUMNS = ("", "import s / MB", "plain ms (ratio)", "tool ms (ratio)", "turns/s at 32 / 256", "stored ms (ratio)",
           "stored tool ms (ratio)", "stored turns/s at 1 / 32")  # fmt: skip


def measured(name: str, url: str, folder: Path) -> dict[str, Any] | str:
    """The figures of one framework, or why there are none."""
    python = sys.executable if name == "gitu" else str(PYTHON)
    if not Path(python).is_file():
        return "not installed; next: make bench-peers"
    command = [python, "-m", "tests.benchmarks.peers", name, url, str(folder / name)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        missing = "No module named" in last or "PackageNotFound" in last or "No package metadata" in last
        return f"{last[:200]}; next: " + ("make bench-peers" if missing else f"run: {' '.join(command[:4])}")
    found: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return found


def row(found: dict[str, Any]) -> tuple[str, ...]:
    """One line of the table."""

    def ms(what: str) -> str:
        entry = found.get(what)
        return f"{entry['ms']:.2f} ({entry['ratio']:.2f})" if entry else "-"

    def rates(*whats: str) -> str:
        return " / ".join(f"{found[what]['rate']:,.0f}" if what in found else "-" for what in whats)

    return (
        found["name"], f"{found['import s']:.2f} / {found['import MB']:.0f}", ms("plain at 32"), ms("tool at 32"),
        rates("plain at 32", "plain at 256"), ms("plain stored at 32"), ms("tool stored at 32"),
        rates("plain stored at 1", "plain stored at 32"),
    )  # fmt: skip


def main() -> None:
    """Starts the server, measures one framework after the other, prints a table."""
    given = parser(__doc__)
    given.add_argument("names", nargs="*", metavar="NAME", help=f"which: {', '.join(PEERS)} (default: all)")
    options = given.parse_args()
    report = Report("Other frameworks, the same exchange")
    found = []
    with model_server() as server, tempfile.TemporaryDirectory() as folder:
        for name in options.names or PEERS:
            figures = measured(name, server.url, Path(folder))
            if isinstance(figures, str):
                report.note(f"{name} is left out: {figures}")
                continue
            found.append(figures)
            report.note(f"{figures['name']} done; bare openai client {figures['openai']} in its process")
            for difference in figures["differs"]:
                report.note(f"  its request is not quite the same: {difference}")
    report.rows(COLUMNS, [row(each) for each in found])
    report.note("CPU at 32 sessions at once; a stored turn keeps the user's session, with an equal request")
    report.details = found
    finish(report, options)


if __name__ == "__main__":
    main()
