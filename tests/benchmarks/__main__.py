"""``python -m tests.benchmarks [NAME …]``: runs the benchmarks, each in a process of its own."""

from __future__ import annotations

import subprocess
import sys

NAMES = ("startup", "registry", "store", "provider", "turns", "nats")


def main() -> int:
    """Runs what is asked for; the exit status tells whether all of them ended well."""
    failed = 0
    for name in sys.argv[1:] or NAMES:
        print(f"\n{name}", flush=True)
        failed += subprocess.run([sys.executable, "-m", f"tests.benchmarks.bench_{name}"], check=False).returncode != 0
    return failed


if __name__ == "__main__":
    sys.exit(main())
