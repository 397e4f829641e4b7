"""CPU of starting: the import beside pydantic's, the first answer beside the libraries under it, the migration."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile

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
    for name, milliseconds in best.items():
        print(f"  {name:<30}{milliseconds:8.1f} ms CPU (best of {ROUNDS})")
    print(f"  {'first gitu ask, with migration':<30}{first:8.1f} ms CPU")
    making = best["Gitu(model=...)"] / best["import pydantic"]
    asking = best["gitu ask"] / best["import pydantic, sqlalchemy"]
    print(f"  making a Gitu / importing pydantic: {making:.2f} (at most 1.2)")
    print(f"  first answer / importing pydantic and sqlalchemy: {asking:.2f} (at most 2.5)")


if __name__ == "__main__":
    main()
