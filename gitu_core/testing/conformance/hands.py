"""The handler that the kit hands to a dispatcher."""

from __future__ import annotations

from collections import Counter

import anyio


class Hands:
    """A handler that counts, and waits at its `gate`. *fails* names lanes whose next handling raises."""

    def __init__(self) -> None:
        self.began: Counter[str] = Counter()
        self.done: Counter[str] = Counter()
        self.fails: set[str] = set()
        self.cancelled = 0
        self.most = 0
        self.gate = anyio.Event()
        self.gate.set()
        self._now: Counter[str] = Counter()

    async def __call__(self, lane: str) -> None:
        """Handles a lane."""
        self.began[lane] += 1
        self._now[lane] += 1
        if not lane.startswith("@"):
            self.most = max(self.most, self._now[lane])
        try:
            await self.gate.wait()
            if lane in self.fails:
                self.fails.discard(lane)
                raise ValueError("this handling fails")
            self.done[lane] += 1
        except anyio.get_cancelled_exc_class():
            self.cancelled += 1
            raise
        finally:
            self._now[lane] -= 1
