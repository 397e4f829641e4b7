"""What a plugin hands over, described as data before its code runs."""

from __future__ import annotations

from typing import Any

import msgspec

from gitu_core.model import Value


class Contribution(Value, frozen=True):
    """One object that a plugin hands over, described before its code runs. `spec` is the contract's own data."""

    seam: str
    name: str
    description: str = ""
    spec: dict[str, Any] = msgspec.field(default_factory=dict)
