"""Notices a hook that blocks the event loop, while it still does: nothing inside the loop could."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from gitu_core.registry.manager import Implementation


class Watchdog(threading.Thread):
    """Looks every *interval* seconds at what `running` says and reports what takes too long, once."""

    def __init__(
        self, running: Callable[[], tuple[Implementation, float] | None],
        report: Callable[[Implementation, float], None], interval: float = 0.5,
    ) -> None:  # fmt: skip
        super().__init__(name="gitu-watchdog", daemon=True)
        self._running, self._tell, self._interval = running, report, interval
        self._over = threading.Event()

    def stop(self) -> None:
        """Ends watching."""
        self._over.set()
        self.join()

    def run(self) -> None:
        """Watches until it is stopped."""
        reported: tuple[Implementation, float] | None = None
        while not self._over.wait(self._interval):
            running = self._running()
            if running is None or running is reported:
                continue
            took = time.monotonic() - running[1]
            if took > running[0].timeout:
                reported = running
                self._tell(running[0], took)
