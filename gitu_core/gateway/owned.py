"""The lanes that this process works on: claimed in the store, so that no other process works on them meanwhile."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from gitu_core.contracts.ports import Workers

MOST = 10_000
"""How many lanes a process keeps at most while nobody else wants them, idle ones included."""


class Owned:
    """Claims lanes, works them off, and lets them go where other workers want their share."""

    def __init__(
        self, workers: Workers, waits: Callable[[str], Awaitable[bool]], load: Callable[[str], Awaitable[None]],
        work: Callable[[str], Awaitable[None]],
    ) -> None:  # fmt: skip
        self._workers = workers
        self._waits = waits
        self._load = load
        self._work = work
        self._mine: dict[str, None] = {}  # in the order in which they were claimed
        self._unread: set[str] = set()
        self._reading: set[str] = set()
        self._busy: dict[str, bool] = {}  # lane -> woken again while it was worked on
        self.shared = False
        """True while there are other workers: an idle lane is let go at once."""

    def __contains__(self, lane: str) -> bool:
        return lane in self._mine

    def ready(self, lane: str) -> bool:
        """True if all that waits on disk for a lane of this process is in memory: what comes now comes behind it."""
        return lane in self._mine and lane not in self._unread and lane not in self._reading

    def add(self, lane: str) -> None:
        """The lane was claimed."""
        self._mine[lane] = None
        if self.shared:  # another one may have left something there
            self._unread.add(lane)

    def is_busy(self, lane: str) -> bool:
        """True while the lane is worked on here."""
        return lane in self._busy

    def attend(self, lane: str) -> None:
        """There is something on disk for a lane that this process has not seen. Wake the lane next."""
        self._unread.add(lane)

    async def work_off(self, lane: str, last: bool = False) -> None:
        """Works off what waits in a lane, in memory and, where it has not been read, on disk; nothing where another
        worker does. One at a time a lane."""
        if lane in self._busy:
            self._busy[lane] = True
            return
        self._busy[lane], again = False, True
        try:
            while again:
                self._busy[lane] = False
                if lane not in self._mine:
                    if not await self._workers.claim(lane):
                        self._unread.discard(lane)
                        return
                    self._mine[lane] = None
                    self._unread.add(lane)
                if lane in self._unread:
                    await self._read(lane)
                await self._work(lane)
                again = self._busy[lane] or lane in self._unread
        finally:
            del self._busy[lane]
        if self.shared:
            await self.free(lane)
            if not last and await self._waits(lane):  # it came while nobody else could have it
                await self.work_off(lane, last=True)
        elif len(self._mine) > MOST:
            await self.free(*list(self._mine)[: MOST // 10])

    async def _read(self, lane: str) -> None:
        self._unread.discard(lane)
        self._reading.add(lane)
        try:
            await self._load(lane)
        finally:
            self._reading.discard(lane)

    async def free(self, *lanes: str) -> None:
        """Lets go of lanes, by default of every idle one; what came meanwhile is found by whoever has it next."""
        idle = [lane for lane in lanes or tuple(self._mine) if lane in self._mine and lane not in self._busy]
        for lane in idle:
            del self._mine[lane]
        if idle:
            await self._workers.free(*idle)

    def forget(self) -> None:
        """Another worker took over: nothing is owned any more."""
        self._mine.clear()
        self._unread.clear()
