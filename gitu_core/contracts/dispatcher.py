"""The dispatcher: carries wake-ups for lanes and spreads them over workers. Rows in the store are the truth.

Laws
    D1  A lane that was woken is handed to a worker at least once after the wake.
    D2  While a worker handles a lane, no other handling of the same lane starts in the same dispatcher.
    D3  A lost wake-up delays and never loses: the sweep of the store finds what was missed.
    D4  Closing waits for handlers that run, up to the grace, then cancels them.
    D5  A lane that begins with ``@`` is a notice: `wake` tells the handler of every process that runs, this one
        included. It may be lost, and nothing durable keeps it. D1 to D4 hold for all other lanes.
    D6  `wake` never raises because the transport is down, and never waits longer than a moment for it. An outage is
        logged once, and what it kept from being carried is left to the sweep.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Protocol

from gitu_core.contracts.base import contract
from gitu_core.model import Health

__all__ = ["Dispatcher", "Handler"]

Handler = Callable[[str], Awaitable[None]]
"""Works off what waits in one lane."""


@contract("dispatcher", crosses=False)
class Dispatcher(Protocol):
    """Carries wake-ups. Fulfilled inside the host only."""

    name: str

    async def run(self, handler: Handler) -> None:
        """Hands woken lanes to *handler* until cancelled or closed."""

    async def wake(self, lane: str) -> None:
        """There is work in *lane*, or everybody is to hear a notice (``@…``)."""

    async def health(self) -> Health:
        """How the transport is. Answers within a second."""

    async def close(self, grace: float) -> None:
        """No new work; waits at most *grace* seconds for what runs."""
