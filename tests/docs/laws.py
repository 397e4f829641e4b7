"""The laws as the contracts state them, and the tests of the kits, by law."""

from __future__ import annotations

import importlib
import inspect
import re
import sys
from pathlib import Path

from gitu_core.contracts import SEAMS
from gitu_core.testing import conformance
from tests.docs.blocks import ROOT

KITS: dict[str, type] = {
    "adapter": conformance.AdapterLaws, "tool": conformance.ToolLaws, "action": conformance.RuleActionLaws,
    "memory": conformance.MemoryStoreLaws, "provider": conformance.ModelProviderLaws,
    "router": conformance.ModelRouterLaws, "embedder": conformance.EmbedderLaws,
    "dispatcher": conformance.DispatcherLaws,
}  # fmt: skip
"""The kit of every seam that has laws."""

LETTERS = {"adapter": "A", "tool": "T", "action": "T", "memory": "M", "provider": "P", "router": "R", "embedder": "E",
           "dispatcher": "D"}  # fmt: skip
"""What the laws of a seam begin with."""


def laws() -> dict[str, str]:
    """Every law in the docstrings of the contracts, by its name."""
    found: dict[str, str] = {}
    for module in {importlib.import_module(seam.protocol.__module__) for seam in SEAMS.values()}:
        text = (inspect.getdoc(module) or "").partition("Laws\n")[2]
        parts = re.split(r"(?m)^\s+([A-Z]\d+)\s{2}", text)
        found.update(zip(parts[1::2], parts[2::2], strict=True))
    return found


def by_law(kit: type) -> dict[str, list[tuple[str, str]]]:
    """The tests of a kit by law: the name of each, and the file that it stands in."""
    found: dict[str, list[tuple[str, str]]] = {}
    for name, test in sorted(inspect.getmembers(kit, inspect.isfunction)):
        if law := re.match(r"test_([a-z]\d+)_", name):
            file = Path(str(sys.modules[test.__module__].__file__)).relative_to(ROOT).as_posix()
            found.setdefault(law[1].upper(), []).append((name, file))
    return found
