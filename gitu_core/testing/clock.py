"""A clock that a test owns: time stands still until the test moves it, and identifiers count up."""

from __future__ import annotations

import heapq
import itertools

import anyio
import anyio.lowlevel

START = 1_800_000_000.0
"""When a `FakeClock` begins unless told otherwise: 15 January 2027, 08:00 UTC, in seconds since 1970."""

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
_SETTLE = 25  # rounds of the event loop that woken tasks get before time moves on


class FakeClock:
    """Stands in for the real clock. All times are in seconds.

    `advance` moves time and lets every sleeper that is due run at its own moment, in order; `jump` only moves
    time.
    """

    def __init__(self, start: float = START) -> None:
        self._now = start
        self._elapsed = 0.0
        self._ids = itertools.count(1)
        self._order = itertools.count()
        self._sleepers: list[tuple[float, int, anyio.Event]] = []
        self._arrived = anyio.Event()

    def now(self) -> float:
        """Seconds since 1970, UTC."""
        return self._now

    def monotonic(self) -> float:
        """Seconds since this clock was made."""
        return self._elapsed

    def new_id(self) -> str:
        """The next identifier: 26 characters, sorts by time and then by count, the same in every run."""
        number = int(self._now * 1000) << 80 | next(self._ids)
        return "".join(_ALPHABET[number >> shift & 31] for shift in range(125, -1, -5))

    async def sleep(self, seconds: float) -> None:
        """Waits until a test has moved time by *seconds*."""
        if seconds <= 0:
            await anyio.lowlevel.checkpoint()
            return
        woken = anyio.Event()
        entry = (self._elapsed + seconds, next(self._order), woken)
        heapq.heappush(self._sleepers, entry)
        arrived, self._arrived = self._arrived, anyio.Event()
        arrived.set()
        try:
            await woken.wait()
        finally:
            if entry in self._sleepers:
                self._sleepers.remove(entry)
                heapq.heapify(self._sleepers)

    @property
    def sleepers(self) -> int:
        """How many tasks are asleep."""
        return len(self._sleepers)

    async def until_asleep(self, count: int = 1) -> None:
        """Waits until at least *count* tasks are asleep, so that `advance` finds them."""
        while self.sleepers < count:
            await self._arrived.wait()

    def jump(self, seconds: float) -> None:
        """Moves time at once and wakes whoever is due. *seconds* must not be negative."""
        self._check(seconds)
        self._move(self._elapsed + seconds)

    async def advance(self, seconds: float) -> None:
        """Moves time by *seconds*; stops at every sleeper's moment to let it run and sleep again."""
        self._check(seconds)
        target = self._elapsed + seconds
        await self._settle()
        while self._sleepers and self._sleepers[0][0] <= target:
            self._move(self._sleepers[0][0])
            await self._settle()
        self._move(target)
        await self._settle()

    def _check(self, seconds: float) -> None:
        if seconds < 0:
            raise ValueError("time does not go back")

    def _move(self, elapsed: float) -> None:
        # Not the sum of small differences: many steps must end exactly where one would.
        self._now += elapsed - self._elapsed
        self._elapsed = elapsed
        while self._sleepers and self._sleepers[0][0] <= elapsed:
            heapq.heappop(self._sleepers)[2].set()

    async def _settle(self) -> None:
        for _ in range(_SETTLE):
            await anyio.lowlevel.checkpoint()
