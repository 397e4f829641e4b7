"""The memory store: keeps claims and finds them again.

Laws
    M1  `get` gives what `put` was handed, field by field, label and `extra` included; unknown ids are left out.
    M2  `put` with an id that exists replaces the claim.
    M3  `search` gives only claims of the query's person, unexpired at `query.at`, of the asked kinds, best first, at
        most `limit`. A query without text lists the newest first.
    M4  A claim can be found by its own text as soon as `put` returned.
    M5  `delete` is final: neither `get` nor `search` nor `export` gives the claim again; deleting twice is harmless.
    M6  `export` gives every claim of a person once, and nothing of anybody else.
    M7  No content of a claim reaches a log.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Protocol

from gitu_core.contracts.base import contract
from gitu_core.model import Claim, Hit, MemoryQuery

__all__ = ["MemoryStore"]


@contract("memory")
class MemoryStore(Protocol):
    """Keeps claims. Its laws stand in the module's docstring."""

    name: str

    async def put(self, claims: Sequence[Claim]) -> None:
        """Stores or replaces claims, all or none."""

    async def get(self, ids: Sequence[str]) -> Sequence[Claim]:
        """The claims with these ids, in the order asked for."""

    async def search(self, query: MemoryQuery) -> Sequence[Hit]:
        """The claims that fit best."""

    async def delete(self, ids: Sequence[str]) -> int:
        """Removes claims and everything made from their text; gives how many there were."""

    def export(self, person: str) -> AsyncIterator[Claim]:
        """Every claim of a person, oldest first."""
