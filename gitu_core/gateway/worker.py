"""Works jobs off: a turn, its records and its answer in one commit, then the answer on its channel."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Literal

import msgspec

from gitu_core.contracts import Adapter
from gitu_core.contracts.ports import Clock, Hooks, InboxDone, OutboxEntry, Record, Records
from gitu_core.errors import StoreError
from gitu_core.gateway.answers import answer
from gitu_core.gateway.jobs import APP, Job, closed, failed
from gitu_core.gateway.outbox import Outbox
from gitu_core.gateway.queues import Lanes
from gitu_core.gateway.work import TurnRunner
from gitu_core.isolation import is_cancellation
from gitu_core.model import Outgoing, Part, Reply, Text

log = logging.getLogger("gitu.gateway")

COMMIT_WITHIN = 30.0
"""Seconds within which the end of a turn is tried to be committed again."""

FIRST_WAIT = 0.25
"""Seconds before the second try; doubles with every further one."""


AdapterOf = Callable[[str], tuple[Adapter | None, bool]]
"""The adapter of a channel, where there is one, and whether it receives."""


class Worker:
    """Works off lanes. *finish* is called with every job that is done with."""

    def __init__(
        self, records: Records, hooks: Hooks, turns: TurnRunner, clock: Clock, lanes: Lanes, outbox: Outbox,
        adapter_of: AdapterOf, finish: Callable[[Job], None],
    ) -> None:  # fmt: skip
        self._records = records
        self._hooks = hooks
        self._turns = turns
        self._clock = clock
        self._lanes = lanes
        self._outbox = outbox
        self._adapter_of = adapter_of
        self._finish = finish
        self.running: dict[str, Job] = {}

    async def work_off(self, lane: str) -> None:
        """Works off what waits in a lane, one job after the other. What fails in one is no matter to the next."""
        while (job := self._lanes.take(lane)) is not None:
            self.running[lane] = job
            try:
                await self._work(job)
            except BaseException as error:  # plugins take part here: whatever they raise is this job's only
                if is_cancellation(error):
                    job.failure = closed()
                    raise
                log.error("message %s could not be worked off", job.id, exc_info=error)
                job.failure = error if isinstance(error, Exception) else RuntimeError(f"{type(error).__name__} raised")
            finally:
                self.running.pop(lane, None)
                self._finish(job)

    async def _work(self, job: Job) -> None:
        channel = job.entry.message.conversation.channel
        adapter, _ = self._adapter_of(channel)
        records: tuple[Record, ...] = ()
        try:
            outcome = await self._turns.run(job, adapter)
            reply, records = outcome.reply, outcome.records
        except BaseException as error:  # failed before there was a turn: this, too, is answered and done with
            if is_cancellation(error):
                raise
            log.error("message %s got no turn", job.id, exc_info=error)
            reply = failed(job, error)
        job.reply = reply
        outgoing = await self._filtered(job, reply)
        ends = (*records, InboxDone(job.id, reply.status))
        try:
            if reply.status == "silent" or not outgoing.parts:
                await self._commit(job, *ends)
            else:
                await self.hand_out(job, outgoing, *ends)
        except StoreError as error:
            job.failure = error
            await self._apologise(job, error)
            return
        await self._turns.finished(job, self._adapter_of(channel)[0], reply)

    async def hand_out(self, job: Job, outgoing: Outgoing, *records: Record) -> None:
        """Commits *records* together with what is to be said, then says it. Where its channel does not run, it is said
        when the channel starts."""
        channel = outgoing.conversation.channel
        adapter, receives = self._adapter_of(channel)
        # From here on the answer may be on its way: a restart must not send what waits as `queued` a second time.
        state: Literal["sending", "sent", "queued"] = (
            "sending" if adapter is not None else "sent" if channel == APP else "queued"
        )
        tries = 0 if state == "queued" else 1
        entry = OutboxEntry(outgoing, job.entry.person, job.entry.session, state, tries)
        await self._commit(job, *records, entry)
        if adapter is not None and receives:
            await self._outbox.deliver(adapter, entry)
        elif adapter is not None:
            await self._outbox.deliver(adapter, entry, tries=1, failed="queued")

    async def say(self, job: Job, parts: Sequence[Part], *records: Record) -> None:
        """Says something that is no turn's answer, on the channel the job came from; commits *records* with it."""
        message = job.entry.message
        key = f"{job.id}.answer"
        await self.hand_out(
            job, Outgoing(key, key, message.conversation, tuple(parts), cause=job.id, label=message.label), *records
        )

    async def _commit(self, job: Job, *records: Record) -> None:
        """Writes records, again and again for a while: what they tell about has happened already."""
        deadline, wait = self._clock.monotonic() + COMMIT_WITHIN, FIRST_WAIT
        while True:
            try:
                await self._records.write(*records)
                return
            except StoreError as error:
                if self._clock.monotonic() + wait > deadline:
                    raise
                log.warning("the end of message %s is not on disk yet: %s", job.id, error)
            await self._clock.sleep(wait)
            wait *= 2
            if await self._committed(job):
                return

    async def _committed(self, job: Job) -> bool:
        """True if a write that seemed to fail did not: the connection was lost after the commit."""
        try:
            row = await self._records.accepted(job.id)
        except StoreError:
            return False
        return row is not None and row.outcome is not None

    async def _apologise(self, job: Job, error: StoreError) -> None:
        """Tells that the answer could not be kept. The message stays open: the next start says what came of it."""
        adapter, _ = self._adapter_of(job.entry.message.conversation.channel)
        if adapter is not None:
            outgoing = answer(job, failed(job, error))
            await self._outbox.tell(
                adapter, msgspec.structs.replace(outgoing, id=f"{job.id}.lost", key=f"{job.id}.lost")
            )

    async def _filtered(self, job: Job, reply: Reply) -> Outgoing:
        outgoing = answer(job, reply)
        try:
            return await self._passed(outgoing)
        except BaseException as error:  # nothing that a plugin made of it may keep the job from its end
            if is_cancellation(error):
                raise
            log.error("the answer to message %s could not be checked", job.id, exc_info=error)
            return msgspec.structs.replace(
                outgoing, parts=(Text("The answer was held back: it could not be checked."),)
            )

    async def _passed(self, outgoing: Outgoing) -> Outgoing:
        if self._hooks.wants("gitu_filter_outgoing"):
            changed = await self._hooks.filter("gitu_filter_outgoing", outgoing=outgoing)
            label = changed.label.join(outgoing.label)
            outgoing = msgspec.structs.replace(
                changed, id=outgoing.id, key=outgoing.key, conversation=outgoing.conversation, label=label
            )
        if self._hooks.wants("gitu_guard_outgoing"):
            reason = await self._hooks.guard("gitu_guard_outgoing", outgoing=outgoing)
            if reason is not None:
                outgoing = msgspec.structs.replace(outgoing, parts=(Text(f"The answer was held back: {reason}"),))
        return outgoing
