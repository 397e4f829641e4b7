"""What goes wrong with hooks: how often a plugin may fail before it is quarantined, and who blocks the event loop."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gitu_core.registry.hooks import Implementation

HANG = 3
"""What a hang counts, in faults: it costs everybody time."""


class FaultBudget:
    """At most *limit* faults within *window* seconds, a plugin. *now* is a clock that never goes back."""

    def __init__(self, limit: int, window: float, now: Callable[[], float]) -> None:
        self.limit, self.window, self._now = limit, window, now
        self._faults: dict[str, deque[float]] = {}

    def add(self, plugin: str, weight: int = 1) -> bool:
        """Counts a fault; True if the plugin has used up its budget."""
        faults = self._faults.setdefault(plugin, deque(maxlen=max(self.limit, 1)))
        faults.extend([self._now()] * weight)
        return self.recent(plugin) >= self.limit

    def recent(self, plugin: str) -> int:
        """The faults within the window, counted up to the limit."""
        faults, oldest = self._faults.get(plugin, deque()), self._now() - self.window
        while faults and faults[0] < oldest:
            faults.popleft()
        return len(faults)

    def forgive(self, plugin: str) -> None:
        """Forgets the faults of a plugin."""
        self._faults.pop(plugin, None)


class Watchdog(threading.Thread):
    """Looks every *interval* seconds at what *running* says and reports what takes too long, once, while it still does:
    nothing inside the loop could."""

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
