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
from datetime import date
from typing import Any, TypeVar

import msgspec

from gitu_core.model.base import Value

__all__ = ["SEAMS", "WIRE_VERSION", "Seam", "contract", "seam_of"]

C = TypeVar("C", bound=type)

WIRE_VERSION, WIRE_OLDEST = 1, 1
"""The version of the protocol between the host and an isolated plugin, and the oldest one that is still spoken."""


@dataclass(frozen=True)
class Seam:
    """A contract's name, version, the attributes that stay in the host, and the oldest version that still works."""

    name: str
    version: int
    protocol: type
    host_only: frozenset[str]
    crosses: bool
    oldest: int = 1

    @property
    def offered(self) -> str:
        """The versions that this host speaks: ``2``, or ``1-2``."""
        return f"{self.version}" if self.oldest == self.version else f"{self.oldest}-{self.version}"


SEAMS: dict[str, Seam] = {}
"""Every contract by its name."""


def contract(
    name: str, version: int = 1, *, host_only: tuple[str, ...] = (), crosses: bool = True, oldest: int = 1
) -> Callable[[C], C]:
    """Registers a Protocol as the contract *name*. With ``crosses=False`` it can only be fulfilled inside the host.
    Versions from *oldest* on keep working: ending one has to be said."""

    def register(protocol: C) -> C:
        SEAMS[name] = Seam(name, version, protocol, frozenset(host_only), crosses, oldest)
        return protocol

    return register


def seam_of(protocol: object) -> Seam | None:
    """The seam that a Protocol class was registered as, or None."""
    return next((seam for seam in SEAMS.values() if seam.protocol is protocol), None)


@dataclass(frozen=True)
class Deprecation:
    """Something that still works and will not for ever: deprecated in version *since* of the core, *on* a day; from the
    day *until* it may be removed; what to use *instead*."""

    since: str
    on: date
    until: date
    instead: str

    def __str__(self) -> str:
        return f"deprecated since {self.since} ({self.on}) and kept until {self.until} at least: use {self.instead}"


DEPRECATED: dict[str, Deprecation] = {}
"""What is deprecated: ``contract tool 1``, ``hook gitu_timer``, ``facet kv``, ``field tool.examples`` (of a
contribution's spec) or ``field manifest.priority``. Half a year lies between deprecation and removal, at least."""


class Contribution(Value, frozen=True):
    """One object that a plugin hands over, described before its code runs. `spec` is the contract's own data."""

    seam: str
    name: str
    description: str = ""
    spec: dict[str, Any] = msgspec.field(default_factory=dict)
