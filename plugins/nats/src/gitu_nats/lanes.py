"""Lanes in this process: one handling of a lane at a time, many lanes at once, and a message that stands for each."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from contextlib import nullcontext
from typing import NamedTuple

import anyio
from anyio.abc import TaskGroup

from gitu_core.contracts import Handler

log = logging.getLogger("gitu.plugins.nats")

DONE, WORKING, AGAIN = b"+ACK", b"+WPI", b"-NAK"
"""What the stream is told of a message: handled; still at work; to be given to somebody again."""

LONGEST = 60.0
"""Seconds before a lane whose handling failed is tried again, at most; the first time it is one second."""


class Held(NamedTuple):
    """A message of the stream that this process answers for: where to answer, and how often it was delivered."""

    reply: str
    delivered: int = 1

    @property
    def later(self) -> bytes:
        """The word that gives it to somebody again after a pause that grows with every delivery."""
        seconds = min(2.0 ** (self.delivered - 1), LONGEST)
        return AGAIN + b' {"delay": %d}' % int(seconds * 1e9)


class Lanes:
    """At most *limit* lanes are handled at once; the others wait, notices never do.

    A lane that is woken while it waits is handled once; one that is woken while it is handled is handled again. For
    each of the two at most one message is held, the latest: whoever takes over after a crash needs no more. *tell*
    sends a word about a message to the stream.
    """

    def __init__(self, limit: int, tell: Callable[[str, bytes], Awaitable[None]]) -> None:
        self._limit = limit
        self._limiter = anyio.CapacityLimiter(limit)
        self._tell = tell
        self._waiting: dict[str, Held | None] = {}
        self._running: dict[str, Held | None] = {}
        self._tasks = 0
        self._closing = False
        self._changed = anyio.Event()
        self.handler: Handler | None = None
        self.group: TaskGroup | None = None

    async def give(self, lane: str, held: Held | None = None) -> None:
        """There is work in *lane*; *held* is the message that says so, where one does."""
        if self._closing or self.group is None:
            return await self._answer(held, AGAIN)
        earlier = self._waiting.get(lane)
        fresh = lane not in self._waiting and lane not in self._running
        self._waiting[lane] = held or earlier
        if fresh:
            self._tasks += not lane.startswith("@")
            self.group.start_soon(self._work_off, lane)
        if held is not None:
            await self._answer(earlier, DONE)

    async def room(self) -> int:
        """Waits until another lane can be handled; gives how many can."""
        while self._tasks >= self._limit:
            await self._change()
        return self._limit - self._tasks

    async def keep(self, every: float) -> None:
        """Tells the stream every *every* seconds that this process is alive and at work, until cancelled."""
        while True:
            await anyio.sleep(every)
            for held in [*self._running.values(), *self._waiting.values()]:
                if held is not None:
                    await self._tell(held.reply, WORKING)

    async def close(self, grace: float) -> None:
        """Begins nothing new: what waits goes to others. Waits at most *grace* seconds for what runs."""
        self._closing = True
        waiting, self._waiting = self._waiting, {}
        for held in waiting.values():
            await self._answer(held, AGAIN)
        with anyio.move_on_after(grace):
            while self._running:
                await self._change()

    async def _change(self) -> None:
        if self._changed.is_set():
            self._changed = anyio.Event()
        await self._changed.wait()

    async def _work_off(self, lane: str) -> None:
        try:
            async with nullcontext() if lane.startswith("@") else self._limiter:
                while lane in self._waiting:
                    await self._handle(lane)
        finally:
            await self._answer(self._waiting.pop(lane, None), AGAIN)  # cancelled before its turn came
            self._tasks -= not lane.startswith("@")
            self._changed.set()

    async def _handle(self, lane: str) -> None:
        """One handling. A word that gets lost is made up for: a message without one comes again."""
        assert self.handler is not None
        held = self._running[lane] = self._waiting.pop(lane)
        word = AGAIN  # cancelled: somebody else may have it at once
        try:
            await self.handler(lane)
            word = DONE
        except Exception:  # one lane's defect must not take the other lanes down with it
            log.exception("lane %s failed", lane)
            word = held.later if held is not None else DONE
        finally:
            await self._answer(held, word)
            del self._running[lane]

    async def _answer(self, held: Held | None, word: bytes) -> None:
        if held is not None:
            with anyio.CancelScope(shield=True):
                await self._tell(held.reply, word)
