"""A plugin of pytest that marks, in the JUnit file, the tests which are laws of a kit as the kit has them.

A class that only has the name of a kit, a law that was written anew, and one that was skipped by somebody else than the
kit bear no mark, so that they cannot be taken for a law that was kept.
"""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

from gitu_core.testing import conformance

LAW, OUT = "gitu-law", "gitu-left-out"
"""The properties of a test: the kit whose law it is, and that the author's tests left it out."""

_FOLDER = str(Path(conformance.__file__).parent)


def pytest_itemcollected(item: Any) -> None:
    """Notes of which kit a test is a law."""
    name, function = getattr(item, "originalname", ""), getattr(item, "function", None)
    bases: tuple[type, ...] = getattr(getattr(item, "cls", None), "__mro__", ())
    for kit in bases:
        if kit is getattr(conformance, kit.__name__, None) and getattr(kit, name, None) is function:
            item.user_properties.append((LAW, kit.__name__))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: Any, call: Any) -> Generator[None, Any, Any]:
    """Notes who skipped a law."""
    report = yield
    if report.skipped and any(name == LAW for name, _ in item.user_properties):
        where = report.longrepr[0] if isinstance(report.longrepr, tuple) else ""
        marked = hasattr(report, "wasxfail") or getattr(call.excinfo.value, "_use_item_location", False)
        if marked or not where.startswith(_FOLDER):
            item.user_properties.append((OUT, "yes"))
            report.user_properties.append((OUT, "yes"))
    return report
