"""The system's clock."""

from __future__ import annotations

import time

from gitu_core.model import new_id


class SystemClock:
    """Time, waiting and identifiers as this machine gives them (the port `Clock`)."""

    def now(self) -> float:
        """Seconds since 1970, UTC."""
        return time.time()

    def monotonic(self) -> float:
        """Seconds since some start; never goes back."""
        return time.monotonic()

    def new_id(self) -> str:
        """A new identifier that sorts by time."""
        return new_id()

    async def sleep(self, seconds: float) -> None:
        """Waits."""
        import anyio

        await anyio.sleep(seconds)
