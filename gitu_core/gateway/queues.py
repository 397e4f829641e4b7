"""The lanes of this process: what waits in each, and how much of it may."""

from __future__ import annotations

import math
from collections import deque

from gitu_core.gateway.jobs import Job, Once


class _Lane:
    def __init__(self) -> None:
        self.jobs: deque[Job] = deque()
        self.full: deque[Once] = deque()  # who waits for room, in order


class Lanes:
    """Jobs by lane, in order. *depth* is how many may wait in one, *most* how many in all before `room` waits."""

    def __init__(self, depth: int, most: int) -> None:
        self._depth = depth
        self._most: float = most
        self._lanes: dict[str, _Lane] = {}
        self._crowd: deque[Once] = deque()
        self._count = 0

    async def room(self) -> None:
        """Waits while too much waits in all lanes together."""
        while self._count >= self._most:
            self._crowd.append(room := Once())
            await room.wait()

    def ease(self) -> None:
        """Lets everybody go who waits for room in all lanes."""
        self._most = math.inf
        for each in self._crowd:
            each.set()

    def put_now(self, name: str, job: Job, anyway: bool = False) -> bool:
        """Puts a job at the end of a lane; False if the lane is full, unless it has to be put there *anyway*."""
        lane = self._lanes.setdefault(name, _Lane())
        if not anyway and (lane.full or len(lane.jobs) >= self._depth):
            return False
        lane.jobs.append(job)
        self._count += 1
        return True

    async def put(self, name: str, job: Job) -> None:
        """Puts a job at the end of a lane; waits while the lane is full."""
        if self.put_now(name, job):
            return
        lane, room = self._lanes[name], Once()
        lane.full.append(room)
        try:
            await room.wait()
        finally:
            lane.full.remove(room)
        self.put_now(name, job, anyway=True)

    def take(self, name: str) -> Job | None:
        """The next job of a lane, or None. A lane that nobody uses is forgotten."""
        lane = self._lanes.get(name)
        if lane is None:
            return None
        if lane.jobs:
            job = lane.jobs.popleft()
            self._count -= 1
            if self._crowd:
                self._crowd.popleft().set()
            if lane.full:
                lane.full[0].set()
            return job
        if not lane.full:
            del self._lanes[name]
        return None

    def holds(self, name: str) -> bool:
        """True if something waits in a lane."""
        return name in self._lanes

    @property
    def waiting(self) -> int:
        """How many jobs wait in all lanes."""
        return sum(len(lane.jobs) + len(lane.full) for lane in self._lanes.values())
