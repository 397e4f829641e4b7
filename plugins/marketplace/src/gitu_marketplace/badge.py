"""The badge: a tier counts only where the report that states it was made of this very wheel."""

from __future__ import annotations

import msgspec

TIERS = ("bronze", "silver", "gold", "platinum")


class _Report(msgspec.Struct, frozen=True):
    plugin: str
    tier: str
    sha256: str
    complete: bool = True


def tier_in(report: bytes, id: str, sha256: str) -> str:
    """The tier that a quality report states for a wheel; empty where it is about another, or no report."""
    try:
        told = msgspec.json.decode(report, type=_Report)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return ""
    about = told.plugin == id and told.sha256 == sha256 and told.complete
    return told.tier if about and told.tier in TIERS else ""
