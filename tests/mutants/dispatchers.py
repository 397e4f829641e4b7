"""A right dispatcher on a toy of a transport, and dispatchers that each break one law."""

from __future__ import annotations

import logging

import anyio
import anyio.abc

from gitu_core.contracts import Handler, Health

log = logging.getLogger("gitu.plugins.toy")
ROOM = 4


class Wire:
    """The transport: it carries notices to every dispatcher, and may be down."""

    def __init__(self) -> None:
        self.works = True
        self.all: list[Right] = []

    def down(self) -> None:
        """Nobody is reached."""
        self.works = False

    def up(self) -> None:
        """It works again."""
        self.works = True


class Right:
    """Keeps every law. At most `ROOM` lanes at once."""

    name = "toy"

    def __init__(self, wire: Wire) -> None:
        self.wire = wire
        self.waiting: list[str] = []
        self.handled: set[str] = set()
        self.runs = self.closed = self.told = False
        self.changed = anyio.Event()
        self.scope: anyio.CancelScope | None = None
        wire.all.append(self)

    async def run(self, handler: Handler) -> None:
        """Hands woken lanes over."""
        self.runs = True
        try:
            with anyio.CancelScope() as self.scope:
                async with anyio.create_task_group() as tasks:
                    while not (self.closed and not self.handled):
                        self.begin(handler, tasks)
                        self.changed = anyio.Event()
                        await self.changed.wait()
        finally:
            self.runs = False
            self.change()

    def begin(self, handler: Handler, tasks: anyio.abc.TaskGroup) -> None:
        """Begins what may begin."""
        for lane in list(self.waiting):
            if self.may(lane):
                self.waiting.remove(lane)
                self.handled.add(lane)
                tasks.start_soon(self.handle, handler, lane)

    def may(self, lane: str) -> bool:
        """Whether a lane may be handled now."""
        return not self.closed and lane not in self.handled and (lane.startswith("@") or len(self.handled) < ROOM)

    async def handle(self, handler: Handler, lane: str) -> None:
        """One handling."""
        try:
            await handler(lane)
        except Exception:  # noqa: BLE001 - one lane must not take the others down
            log.debug("a lane failed")
            self.failed(lane)
        finally:
            self.handled.discard(lane)
            self.change()

    def failed(self, lane: str) -> None:
        """A handling failed; the sweep wakes it again."""

    def change(self) -> None:
        """Something may begin or end."""
        self.changed.set()

    async def wake(self, lane: str) -> None:
        """Wakes a lane."""
        if self.closed:
            return
        if not self.wire.works:
            self.outage()
        elif self.told:
            self.told = False
        if lane.startswith("@"):
            for each in self.wire.all if self.wire.works else [self]:
                if each.runs:
                    each.add(lane)
        else:
            self.add(lane)

    def outage(self) -> None:
        """Says it once."""
        if not self.told:
            log.warning("the wire is down")
        self.told = True

    def add(self, lane: str) -> None:
        """It waits to be handled."""
        if lane not in self.waiting:
            self.waiting.append(lane)
        self.change()

    async def health(self) -> Health:
        """As it is."""
        return Health("ok" if self.wire.works else "degraded")

    async def close(self, grace: float) -> None:
        """Ends."""
        self.closed = True
        self.change()
        with anyio.move_on_after(grace):
            await self.over()
        if self.scope is not None:
            self.scope.cancel()
        await self.over()

    async def over(self) -> None:
        """Waits until `run` has ended."""
        while self.runs:  # noqa: ASYNC110 - the plainest way
            await anyio.sleep(0.002)


class DropsWakesDuringAHandling(Right):
    """It is handled already."""

    def add(self, lane: str) -> None:
        if lane not in self.handled:
            super().add(lane)


class ForgetsWhatCameEarly(Right):
    """What was woken before it ran is gone."""

    async def run(self, handler: Handler) -> None:
        self.waiting.clear()
        await super().run(handler)


class HandlesBesideItself(Right):
    """Two handlings of one lane at once."""

    def may(self, lane: str) -> bool:
        return not self.closed and (lane.startswith("@") or len(self.handled) < ROOM)


class ShunsWhatFailed(Right):
    """A lane whose handling failed is never handled again."""

    def __init__(self, wire: Wire) -> None:
        super().__init__(wire)
        self.shunned: set[str] = set()

    def failed(self, lane: str) -> None:
        self.shunned.add(lane)

    def may(self, lane: str) -> bool:
        return lane not in self.shunned and super().may(lane)


class FallsWithALane(Right):
    """One handling that fails ends them all."""

    def failed(self, lane: str) -> None:
        self.closed = True


class CancelsAtOnce(Right):
    """The grace is not waited for."""

    async def close(self, grace: float) -> None:
        await super().close(0.0)


class WaitsForEver(Right):
    """The grace has no end."""

    async def close(self, grace: float) -> None:
        await super().close(grace + 60.0 if grace else 0.0)


class LetsNoticesWait(Right):
    """A notice waits until there is room."""

    def may(self, lane: str) -> bool:
        return super().may(lane) and len(self.handled) < ROOM


class KeepsNotices(Right):
    """Who comes later hears what was said before."""

    async def wake(self, lane: str) -> None:
        await super().wake(lane)
        if lane.startswith("@"):
            self.wire.said = [*getattr(self.wire, "said", ()), lane]  # type: ignore[attr-defined]

    async def run(self, handler: Handler) -> None:
        for lane in getattr(self.wire, "said", ()):
            self.add(lane)
        await super().run(handler)


class RaisesWhenTheWireIsDown(Right):
    """Whoever wakes a lane has to deal with it."""

    def outage(self) -> None:
        super().outage()
        raise ConnectionError("the wire is down")


class SaysItEachTime(Right):
    """A thousand lines for one outage."""

    def outage(self) -> None:
        log.warning("the wire is down")
