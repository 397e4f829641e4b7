"""Keeps the promise that nothing is forgotten: looks at the store again and again for work that nobody does.

Wake-ups may get lost and processes may die; rows do not. What a dead worker left is taken over at once where its end
is known, else when it showed no sign of life for a lease.
"""

from __future__ import annotations

import logging
import os
import platform
from collections.abc import Awaitable, Callable

from gitu_core.contracts.ports import Clock, Records, Worker, Workers
from gitu_core.errors import GituError, LeaseLost
from gitu_core.failpoints import hit
from gitu_core.gateway.gateway import Gateway
from gitu_core.gateway.jobs import APP

log = logging.getLogger("gitu.gateway")

LOOK, SOON = 1.0, 0.25
"""Seconds between two looks at everything, and between two looks at up to `FEW` other workers; with more it takes
longer."""

FEW = 4


class Keeper:
    """Makes this process a worker and keeps it one. *lease* is in seconds; *lost* is called when the worker's lease was
    lost, *rejoined* when it has a new one. With `everything`, messages of channels that do not run here are worked on
    too."""

    def __init__(
        self, workers: Workers, records: Records, gateway: Gateway, clock: Clock, lease: float,
        lost: Callable[[], Awaitable[None]], rejoined: Callable[[], Awaitable[None]],
    ) -> None:  # fmt: skip
        self._workers = workers
        self._records = records
        self._gateway = gateway
        self._clock = clock
        self._lease = lease
        self.everything = False
        self._lost, self._rejoined = lost, rejoined
        self._beats: dict[str, tuple[int, float]] = {}
        self._gone: set[str] = set()
        self._seen: set[str] = set()
        self._looked = self._looked_around = 0.0
        self.id = ""

    async def begin(self) -> None:
        """Becomes a worker, and takes over what dead ones left."""
        self.id = await self._workers.join(f"process {os.getpid()} on {platform.node()}")
        gateway = self._gateway
        gateway.me = self.id
        await self._look_at_workers()
        await gateway.look_at_people()
        await gateway.outbox.look_for_unknown()
        for lane, _ in await self._records.waiting():
            gateway.owned.attend(lane)  # what comes now comes behind what waits there

    async def hold(self) -> None:
        """Makes sure that the lease holds before something leaves this process that cannot be taken back. `LeaseLost`
        if the process stood still for so long that another one took over."""
        if self._clock.monotonic() - self._looked > self._lease:
            await self._workers.beat()
            self._looked = self._clock.monotonic()

    async def run(self) -> None:
        """Looks until cancelled."""
        lost = False
        while True:
            soon = min(LOOK, SOON * max(1.0, len(self._beats) / FEW))
            await self._clock.sleep(soon if lost or self._beats else LOOK)
            try:
                if lost:
                    await self._begin_anew()
                    lost = False
                elif self._clock.monotonic() - self._looked_around + soon / 2 > LOOK:
                    await self.look()
                elif await self._look_at_workers():
                    await self._look_around(True)
            except LeaseLost as error:
                log.warning("another worker took over: %s", error)
                self._gateway.drop()
                lost = True
            except GituError as error:
                log.warning("the store could not be looked at: %s", error)

    async def look(self) -> None:
        """One look: at the other workers, at questions that nobody answers, at what waits."""
        self._looked_around = self._clock.monotonic()
        if self._beats:
            await self._workers.beat()
        await self._look_around(await self._look_at_workers())

    async def _look_around(self, taken: bool) -> None:
        """Looks at everything but the other workers, of whom one was *taken* over."""
        gateway = self._gateway
        await gateway.look_at_people()
        for each in await self._records.expire():
            hit("expire.after")
            await gateway.reopened(each.session)
        if taken or gateway.owned.shared:
            await gateway.outbox.look_for_unknown()
        for channel in gateway.adapters:
            gateway.outbox.kick(channel)
        remote, channels = gateway.remote(), tuple(gateway.adapters)
        waiting = {}
        if remote or channels or self.everything:
            waiting = dict(await self._records.waiting())
        await gateway.look_at_remote(remote, waiting)
        await self._look_at_lanes(
            {lane for lane, channel in waiting.items() if channel in channels or (self.everything and channel != APP)},
            taken,
        )

    async def _look_at_workers(self) -> bool:
        """Takes over from those that do not live any more. True if it did."""
        if self._looked:
            await self.hold()
        now, taken = self._clock.monotonic(), False
        others = await self._workers.others()
        self._beats = {each.id: self._beat(each, now) for each in others}
        for each in others:
            silent = now - self._beats[each.id][1]
            # A connection may break and come back; only who is gone at two looks is, or from before we began.
            gone = each.gone and (each.id in self._gone or not self._looked)
            if (gone or silent > self._lease) and await self._workers.take_over(each):
                hit("takeover.after")
                log.log(logging.INFO if each.gone else logging.WARNING, "took over from %s (%s)", each.id, each.about)
                taken = True
                del self._beats[each.id]
        self._gone = {each.id for each in others if each.gone and each.id in self._beats}
        self._looked = now
        was, self._gateway.owned.shared = self._gateway.owned.shared, bool(self._beats)
        if self._gateway.owned.shared and not was:
            await self._gateway.owned.free()
        return taken

    def _beat(self, worker: Worker, now: float) -> tuple[int, float]:
        known = self._beats.get(worker.id)
        return known if known is not None and known[0] == worker.beat else (worker.beat, now)

    async def _look_at_lanes(self, waiting: set[str], at_once: bool) -> None:
        """Takes up lanes in which something waits and nothing happens: seen twice, so that no wake-up is overtaken."""
        gateway = self._gateway
        idle = {lane for lane in waiting if not gateway.has(lane)}
        for lane in idle if at_once else idle & self._seen:
            await gateway.reopened(lane, here=True)
        self._seen = idle

    async def _begin_anew(self) -> None:
        """Ends everything that the lost lease covered, and only then becomes a worker again: what was begun under the
        old one must not be finished under the new one."""
        gateway = self._gateway
        gateway.drop()
        await self._lost()
        while gateway.worker.running:
            gateway.drop()
            await self._clock.sleep(0.05)
        gateway.owned.forget()
        gateway.outbox.forget_all()
        self._beats.clear()
        await self.begin()
        await self._rejoined()
