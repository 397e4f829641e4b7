"""The lanes of this process: what waits in each, and how much of it may."""

from __future__ import annotations

from collections import deque

import anyio

from gitu_core.gateway.jobs import Job


class _Lane:
    def __init__(self, depth: int) -> None:
        self.jobs: deque[Job] = deque()
        self.room = anyio.Semaphore(depth, fast_acquire=True)
        self.users = 0


class Lanes:
    """Jobs by lane, in order. *depth* is how many may wait in one."""

    def __init__(self, depth: int) -> None:
        self._depth = depth
        self._lanes: dict[str, _Lane] = {}

    async def put(self, name: str, job: Job) -> None:
        """Puts a job at the end of a lane; waits while the lane is full."""
        lane = self._lanes.get(name)
        if lane is None:
            lane = self._lanes[name] = _Lane(self._depth)
        lane.users += 1
        try:
            await lane.room.acquire()
            lane.jobs.append(job)
        finally:
            lane.users -= 1

    def take(self, name: str) -> Job | None:
        """The next job of a lane, or None. A lane that nobody uses is forgotten."""
        lane = self._lanes.get(name)
        if lane is None:
            return None
        if lane.jobs:
            lane.room.release()
            return lane.jobs.popleft()
        if not lane.users:
            del self._lanes[name]
        return None

    def holds(self, name: str) -> bool:
        """True if something waits in a lane."""
        return name in self._lanes

    @property
    def waiting(self) -> int:
        """How many jobs wait in all lanes."""
        return sum(len(lane.jobs) + lane.users for lane in self._lanes.values())
