"""What can go wrong with a model, by the word that the kit's remotes know it by."""

from __future__ import annotations

from gitu_core.errors import (
    AuthFailed,
    ContextOverflow,
    GituError,
    NotReady,
    RateLimited,
    Rejected,
    StreamBroken,
)  # fmt: skip

FAILURES: dict[str, tuple[type[GituError], ...]] = {
    "auth": (AuthFailed,), "rate": (RateLimited,), "down": (NotReady,), "gone": (NotReady,),
    "overflow": (ContextOverflow,), "rejected": (Rejected,), "broken": (StreamBroken,),
}  # fmt: skip
"""What can go wrong, and the failure that says so."""
