"""The library that speaks to servers, in a process that has it from its host.

Such a process sees the modules of the host and not what an installer wrote about them, and libraries ask for their own
version when they are imported.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from importlib.metadata import Distribution, DistributionFinder, PackageNotFoundError, version
from typing import Any


def prepare() -> None:
    """Lets the library be imported, wherever it comes from."""
    try:
        version("mcp")
    except PackageNotFoundError:
        if not any(isinstance(each, _Unwritten) for each in sys.meta_path):
            sys.meta_path.append(_Unwritten())


class _Unknown(Distribution):
    """A distribution of which nothing is known but that it is there."""

    def __init__(self, name: str) -> None:
        self._name = name

    def read_text(self, filename: str) -> str | None:
        return f"Metadata-Version: 2.1\nName: {self._name}\nVersion: 0\n" if filename == "METADATA" else None

    def locate_file(self, path: Any) -> Any:
        return path


class _Unwritten(DistributionFinder):
    def find_spec(self, fullname: str, path: Any = None, target: Any = None) -> None:
        return None

    def find_distributions(self, context: Any = None) -> Iterable[Any]:
        return [_Unknown(context.name)] if context is not None and context.name else []
