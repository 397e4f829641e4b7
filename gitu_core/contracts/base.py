"""What makes a Protocol a contract: a seam, a version, and what of it may cross the process border.

Rules that every contract keeps, so that the border can carry it without knowing it:

* a method that returns a value is ``async def`` and takes and gives values, JSON or other contracts;
* a method that streams is a plain ``def`` returning an `AsyncIterator` of values;
* an annotated attribute is data, fixed while the object lives, and is sent once when the object crosses;
* an attribute named in ``host_only`` never crosses.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import msgspec

from gitu_core.model.base import Value

__all__ = ["SEAMS", "WIRE_VERSION", "Seam", "contract", "seam_of"]

C = TypeVar("C", bound=type)

WIRE_VERSION = 1
"""The version of the protocol between the host and an isolated plugin."""


@dataclass(frozen=True)
class Seam:
    """A contract's name, version and the attributes that stay in the host."""

    name: str
    version: int
    protocol: type
    host_only: frozenset[str]
    crosses: bool


SEAMS: dict[str, Seam] = {}
"""Every contract by its name."""


def contract(name: str, version: int = 1, *, host_only: tuple[str, ...] = (), crosses: bool = True) -> Callable[[C], C]:
    """Registers a Protocol as the contract *name*. With ``crosses=False`` it can only be fulfilled inside the host."""

    def register(protocol: C) -> C:
        SEAMS[name] = Seam(name, version, protocol, frozenset(host_only), crosses)
        return protocol

    return register


def seam_of(protocol: object) -> Seam | None:
    """The seam that a Protocol class was registered as, or None."""
    return next((seam for seam in SEAMS.values() if seam.protocol is protocol), None)


class Contribution(Value, frozen=True):
    """One object that a plugin hands over, described before its code runs. `spec` is the contract's own data."""

    seam: str
    name: str
    description: str = ""
    spec: dict[str, Any] = msgspec.field(default_factory=dict)
