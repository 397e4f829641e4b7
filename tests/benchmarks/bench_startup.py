"""CPU of starting: the import beside pydantic's, the first answer beside the libraries under it, the migration."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile

from tests.benchmarks.table import Report, finish, parser

ROUNDS = 7
ASK = ["-m", "gitu_core", "ask", "what is 2+2*10?"]


def cpu(arguments: list[str], home: str) -> float:
    """CPU of a fresh interpreter in milliseconds, its own and the system's."""
    # A machine that writes no bytecode would measure the compiler instead.
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    environment |= {"GITU_HOME": home, "GITU_MODEL": "offline"}
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, *arguments], env=environment, check=True, stdout=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return 1000 * (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)


def main() -> None:
    """Prints the figures; all variants take turns, so that a busy machine disturbs them alike."""
    options = parser(__doc__).parse_args()
    report = Report("Starting")
    variants = {
        "python": ["-c", "pass"],
        "import pydantic": ["-c", "import pydantic; pydantic.BaseModel"],
        "Gitu(model=...)": ["-c", "from gitu_core import Gitu, tool; Gitu(model='offline/offline')"],
        "import pydantic, sqlalchemy": ["-c", "import pydantic, sqlalchemy"],
        "gitu ask": ASK,
    }
    with tempfile.TemporaryDirectory() as home:
        first = cpu(ASK, home)
        best = dict.fromkeys(variants, float("inf"))
        for _ in range(ROUNDS):
            for name, arguments in variants.items():
                best[name] = min(best[name], cpu(arguments, home))
    report.note(f"milliseconds of CPU of a process, the best of {ROUNDS}")
    for name, milliseconds in best.items():
        report.line(name, milliseconds, "ms")
    report.line("first gitu ask, with migration", first, "ms")
    making = best["Gitu(model=...)"] / best["import pydantic"]
    asking = best["gitu ask"] / best["import pydantic, sqlalchemy"]
    report.line("making a Gitu / importing pydantic", making, "", 1.2)
    report.line("first answer / importing pydantic and sqlalchemy", asking, "", 2.5)
    finish(report, options)


if __name__ == "__main__":
    main()
