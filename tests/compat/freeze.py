"""Adds a generation to the corpus: ``python -m tests.compat.freeze NAME``.

Write its distributions first, into ``tests/compat/corpus/NAME/<plugin>/`` (``pyproject.toml``, ``src``, and an
``expected.json`` that says what the test drives and what has to come out, as in the generations before).
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from tests.compat.corpus import CORPUS, SUMS, broken, files, frozen, plugins


def freeze(name: str, root: Path = CORPUS) -> int:
    """Writes the digests of a new generation down; gives how many. `ValueError` says what has to be done before."""
    written = frozen(root)
    if any(each.startswith(f"{name}/") for each in written):
        raise ValueError(f"{name} is frozen already; take another name for a new generation")
    troubles = [each for each in broken(root) if "not frozen yet" not in each]
    if troubles:
        raise ValueError("\n".join(troubles))
    for folder in plugins(root):
        if not (folder / "expected.json").exists():
            raise ValueError(f"{folder.relative_to(root)} has no expected.json, so nothing would be proven with it")
        json.loads((folder / "expected.json").read_text("utf-8"))
    added = {each: digest for each, digest in files(root).items() if each.startswith(f"{name}/")}
    if not added:
        raise ValueError(f"there is nothing in {root.name}/{name}; write its distributions first")
    lines = (f"{digest}  {each}\n" for each, digest in sorted({**written, **added}.items()))
    (root / SUMS).write_text("".join(lines), "utf-8")
    return len(added)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    try:
        print(f"{freeze(sys.argv[1])} files frozen")
    except ValueError as error:
        sys.exit(f"error: {error}")
