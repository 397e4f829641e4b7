"""The dispatcher: carries wake-ups for lanes and spreads them over workers. Rows in the store are the truth.

Laws
    D1  A lane that was woken is handed to a worker at least once after the wake.
    D2  While a worker handles a lane, no other handling of the same lane starts in the same dispatcher.
    D3  A lost wake-up delays and never loses: the sweep of the store finds what was missed.
    D4  Closing waits for handlers that run, up to the grace, then cancels them.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Protocol

from gitu_core.contracts.base import contract

__all__ = ["Dispatcher", "Handler"]

Handler = Callable[[str], Awaitable[None]]
"""Works off what waits in one lane."""


@contract("dispatcher", crosses=False)
class Dispatcher(Protocol):
    """Carries wake-ups. Fulfilled inside the host only."""

    async def run(self, handler: Handler) -> None:
        """Hands woken lanes to *handler* until cancelled or closed."""

    async def wake(self, lane: str) -> None:
        """There is work in *lane*."""

    async def close(self, grace: float) -> None:
        """No new work; waits at most *grace* seconds for what runs."""
