"""The port `Workers`: who works on this database, and on which lanes.

A worker is a row and a lock. The lock goes when the process ends, so that a crash is noticed at once; a process that
is there and does nothing is noticed because its `beat` stands still. No clock is compared with that of another
machine. Taking over ends the worker's epoch: whatever it writes later fails with `LeaseLost` (see `writer.commit`).
"""

from __future__ import annotations

from collections.abc import Sequence

from gitu_core.contracts.ports import Worker
from gitu_core.errors import LeaseLost
from gitu_core.store.budgets import BudgetsPart
from gitu_core.store.keys import Script
from gitu_core.store.writer import Fence, Job, Row


class WorkersPart(BudgetsPart):
    """Workers and lanes."""

    async def join(self, about: str) -> str:
        """Becomes a worker, with a new epoch; gives its id."""
        await self.leave()
        id = self.clock.new_id()
        await self.engine.hold(id)

        def script() -> Script:
            others = yield "workers", (self.tenant,)
            epoch = 1 + max((row[1] for row in others), default=0)
            yield "worker_add", (self.tenant, id, epoch, 0, self.clock.now(), about)
            return epoch

        epoch = await self._script(script)
        self.engine.fence = Fence(self.tenant, id, epoch)
        return id

    async def leave(self) -> None:
        """Ends being a worker and lets go of its lanes and timers."""
        fence, self.engine.fence = self.engine.fence, None
        if fence is not None:
            await self._script(lambda: self._end(fence.worker))
            await self.engine.let_go(fence.worker)

    async def beat(self) -> None:
        """Shows that this worker lives. `LeaseLost` if another one took over."""
        fence = self._fence()
        await self._script(self._script_of("worker_beat", self.tenant, fence.worker, fence.epoch), fenced=True)

    async def others(self) -> Sequence[Worker]:
        """The other workers. `LeaseLost` if one of them took over from this one."""
        fence, rows = self.engine.fence, await self._read(self._script_of("workers", self.tenant))
        if fence is not None and fence[1:] not in [(row[0], row[1]) for row in rows]:
            raise fence.lost()
        rows = [row for row in rows if fence is None or row[0] != fence.worker]
        held = [await self.engine.is_held(row[0]) for row in rows]
        return [Worker(row[0], row[1], row[2], row[3], not there) for row, there in zip(rows, held, strict=True)]

    async def take_over(self, worker: Worker) -> bool:
        """Ends another worker's lease, unless it showed a sign of life since; its lanes are free then."""

        def script() -> Script:
            if not (yield "worker_fence", (self.tenant, worker.id, worker.epoch, worker.beat)):
                return False
            yield from self._end(worker.id)
            return True

        taken = bool(await self._script(script))
        if taken:
            await self.engine.let_go(worker.id)
        return taken

    async def claim(self, lane: str) -> bool:
        """Makes this worker the only one that works on a lane; False if another one does, or took over from it."""
        return bool(await self._wait(Job(statement=("lane_claim", (lane, *self._fence())))))

    async def owner(self, lane: str) -> Worker | None:
        """Who works on a lane."""
        rows = await self._read(self._script_of("lane", self.tenant, lane))
        all = [Worker(*row[:4]) for row in await self._read(self._script_of("workers", self.tenant))]
        return next((worker for worker in all if rows and worker.id == rows[0][0]), None)

    async def free(self, *lanes: str) -> None:
        """Lets go of lanes."""
        worker, statement = self._fence().worker, "lane_free"
        if len(lanes) == 1:
            await self._wait(Job(statement=(statement, (self.tenant, lanes[0], worker))))
        else:
            await self._wait(Job([Row(statement, (self.tenant, lane, worker)) for lane in lanes]))

    def _end(self, worker: str) -> Script:
        yield from self._charge(worker)
        for statement in ("lanes_take", "timers_take", "worker_drop"):
            yield statement, (self.tenant, worker)

    def _fence(self) -> Fence:
        if self.engine.fence is None:
            raise LeaseLost("this process is no worker", hint="join first")
        return self.engine.fence
