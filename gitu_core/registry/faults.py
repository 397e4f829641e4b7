"""The fault budget: how often a plugin may fail before it is quarantined."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

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
        faults = self._faults.get(plugin)
        if not faults:
            return 0
        oldest = self._now() - self.window
        while faults and faults[0] < oldest:
            faults.popleft()
        return len(faults)

    def forgive(self, plugin: str) -> None:
        """Forgets the faults of a plugin."""
        self._faults.pop(plugin, None)
