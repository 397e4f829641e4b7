"""``python -m tests.benchmarks [NAME …] [--json FILE]``: runs the benchmarks, each in a process of its own.

Without a name, all of `NAMES`. What follows the name of a single one is handed to it, for instance
``python -m tests.benchmarks profile tool --sessions 1``. Ends with 1 where a limit was missed or a benchmark broke.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from tests.benchmarks.table import painted

NAMES = ("startup", "registry", "store", "provider", "turns", "history", "sessions", "load", "nats", "peers", "policy",
         "isolation", "web")  # fmt: skip
"""What is run without a name, in this order."""

ALONE = ("profile", "authority")
"""What is run only when it is asked for."""


def run(name: str, more: list[str], figures: dict[str, Any]) -> bool:
    """Runs one benchmark; True if it ended well and kept its limits."""
    print(painted(f"\n{name}", "bold"), flush=True)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "figures.json")
        command = [sys.executable, "-m", f"tests.benchmarks.bench_{name}", *more, "--json", str(file)]
        ended = subprocess.run(command, check=False).returncode
        if file.is_file():
            figures[name] = json.loads(file.read_text())
    return ended == 0


def main() -> int:
    """Runs what is asked for."""
    words, path = sys.argv[1:], ""
    if "--json" in words:
        at = words.index("--json")
        path = (words[at + 1 : at + 2] or [""])[0]
        del words[at : at + 2]
    if not set(words) <= {*NAMES, *ALONE}:
        # One name, and what is meant for it.
        if words[0] not in (*NAMES, *ALONE):
            print(f"there is no benchmark {words[0]!r}; next: one of {', '.join((*NAMES, *ALONE))}", file=sys.stderr)
            return 2
        chosen, more = words[:1], words[1:]
    else:
        chosen, more = words or list(NAMES), []
    figures: dict[str, Any] = {}
    bad = [name for name in chosen if not run(name, more, figures)]
    if path:
        Path(path).write_text(json.dumps(figures, indent=1) + "\n")
    if bad:
        print(painted(f"\na limit was missed, or it broke: {', '.join(bad)}", "red"))
    return bool(bad)


if __name__ == "__main__":
    sys.exit(main())
