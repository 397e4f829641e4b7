"""An answer that grows before the person's eyes, on channels that let a message be changed.

What is shown on the way is not the answer: it may stay unfinished when a process dies. The answer takes its place.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress

import msgspec

from gitu_core.contracts import Channel
from gitu_core.contracts.ports import Clock, OutboxEntry, Records
from gitu_core.errors import GituError
from gitu_core.failpoints import hit
from gitu_core.gateway.jobs import Job
from gitu_core.gateway.pieces import room
from gitu_core.model import AnswerDelta, Delivery, Outgoing, Text, TurnEvent

log = logging.getLogger("gitu.gateway")

EVERY = 1.0
"""Seconds between two changes: channels limit how often a message may be changed."""

GROWS = " …"
"""What stands behind words that are not all there yet."""


class Live:
    """The growing answer to one job. *send* sends, and raises only where this process may say nothing any more."""

    def __init__(
        self, job: Job, channel: Channel, records: Records, clock: Clock,
        send: Callable[[Outgoing], Awaitable[Delivery]],
    ) -> None:  # fmt: skip
        self._job, self._channel = job, channel
        self._records, self._clock, self._send = records, clock, send
        self._text = self._shown = self._id = ""
        self._task: asyncio.Task[None] | None = None
        self._over = asyncio.Event()

    async def resume(self) -> None:
        """Finds what an earlier run of the job showed, to go on there."""
        entry = await self._records.outgoing(f"{self._job.id}.live")
        self._id = entry.ids[0] if entry is not None and entry.ids else ""

    def add(self, event: TurnEvent) -> None:
        """Something happened in the turn."""
        if isinstance(event, AnswerDelta):
            self._text = event.text if event.reset else self._text + event.text
            if self._task is None and self._text and not self._over.is_set():
                self._task = asyncio.get_running_loop().create_task(self._grow())

    async def end(self, said: Sequence[Outgoing]) -> list[Outgoing]:
        """Shows no more; gives what is to be *said*, words in the place of what was shown."""
        self._over.set()
        if self._task is not None:
            await self._task
        if not self._id:
            return list(said)
        if said and all(isinstance(part, Text) for part in said[0].parts):
            return [msgspec.structs.replace(said[0], replaces=self._id), *said[1:]]
        with suppress(GituError):  # what was shown stays, and looks unfinished
            await self._show("")
        self._id = ""
        self._remember(Outgoing(id := f"{self._job.id}.live", id, self._job.entry.message.conversation, ()))
        return list(said)

    def drop(self) -> None:
        """Nobody needs it any more."""
        self._over.set()
        if self._task is not None:
            self._task.cancel()

    async def _grow(self) -> None:
        try:
            await self._pause(EVERY)  # what is quick comes whole
            while not self._over.is_set():
                pause = await self._show() if self._text != self._shown else EVERY
                if pause is None:
                    return
                await self._pause(pause)
        except GituError as error:
            log.info("the answer to message %s is not shown as it grows: %s", self._job.id, error)

    async def _pause(self, seconds: float) -> None:
        with suppress(TimeoutError):
            await asyncio.wait_for(self._over.wait(), seconds)

    async def _show(self, behind: str = GROWS) -> float | None:
        """Shows what there is; gives the seconds until the next time, None where there is none."""
        shown = (text := self._text)[: room(text, self._channel, len(behind))]
        id, where = f"{self._job.id}.live", self._job.entry.message.conversation
        outgoing = Outgoing(
            id, f"{id}.{self._clock.new_id()}", where, (Text(shown + behind),), replaces=self._id, cause=self._job.id
        )
        delivery = await self._send(outgoing)
        hit("live.shown")
        if delivery.state == "sent":
            self._shown = text
            if not self._id:
                self._id = delivery.ids[0] if delivery.ids else ""
                self._remember(outgoing)
                if not self._id:
                    return None
        elif delivery.final or not (self._id or delivery.state == "not_sent"):
            return None
        return max(EVERY, delivery.retry_after or 0.0)

    def _remember(self, outgoing: Outgoing) -> None:
        """Keeps the channel's id of what is shown, so that a later run of the job finds it; none where it is done."""
        entry, ids = self._job.entry, (self._id,) if self._id else ()
        self._records.post(OutboxEntry(outgoing, entry.person, entry.session, "sent", 1, ids=ids, at=self._clock.now()))
