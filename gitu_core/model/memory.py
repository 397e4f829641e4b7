"""What the memory holds: claims, the questions put to it, and its answers."""

from __future__ import annotations

from typing import Literal

from gitu_core.model.base import Value
from gitu_core.model.label import UNLABELLED, Label

__all__ = ["Claim", "Hit", "MemoryQuery"]


class Claim(Value, frozen=True):
    """One thing the memory believes of a person's world.

    `sources` name what it was derived from: messages, tool results, other claims (``claim:<id>``); erasing a source
    reaches the claim. `confidence` is 0 to 1. Times are seconds since 1970, UTC.
    """

    id: str
    person: str
    text: str
    kind: str = "fact"
    subject: str = ""
    sources: tuple[str, ...] = ()
    confidence: float = 0.5
    status: Literal["unverified", "verified", "disputed", "retracted"] = "unverified"
    created_at: float = 0.0
    expires_at: float | None = None
    label: Label = UNLABELLED


class MemoryQuery(Value, frozen=True):
    """A question to a memory store. `kinds` empty means every kind; at most `limit` hits come back."""

    person: str
    text: str = ""
    kinds: tuple[str, ...] = ()
    limit: int = 10
    at: float | None = None


class Hit(Value, frozen=True):
    """A claim that fits a query; a higher `score` fits better, and scores compare within one answer only."""

    claim: Claim
    score: float
