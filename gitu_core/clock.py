"""The system's clock."""

from __future__ import annotations

import time

from gitu_core.model import new_id


class SystemClock:
    """Time, waiting and identifiers as this machine gives them (the port `Clock`)."""

    now = staticmethod(time.time)
    """Seconds since 1970, UTC."""

    monotonic = staticmethod(time.monotonic)
    """Seconds since some start; never goes back."""

    def new_id(self) -> str:
        """A new identifier that sorts by time."""
        return new_id()

    async def sleep(self, seconds: float) -> None:
        """Waits."""
        import anyio

        await anyio.sleep(seconds)
