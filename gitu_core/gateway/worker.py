"""Works jobs off: a turn, its records and its answer in one commit, then the answer on its channel."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Protocol

import msgspec

from gitu_core.contracts import Adapter
from gitu_core.contracts.ports import Approval, Clock, Hooks, InboxDone, OutboxEntry, Outcome, Record, Records
from gitu_core.errors import Damaged, LeaseLost, StoreError
from gitu_core.failpoints import hit
from gitu_core.gateway.answers import answer
from gitu_core.gateway.jobs import APP, Job, closed, failed
from gitu_core.gateway.live import Live
from gitu_core.gateway.outbox import Outbox, to_say
from gitu_core.gateway.questions import asked_as
from gitu_core.gateway.queues import Lanes
from gitu_core.isolation import is_cancellation
from gitu_core.model import Ask, Message, Outgoing, Part, Reply, Text
from gitu_core.model.audience import audience, with_reader

log = logging.getLogger("gitu.gateway")

TRY_FOR = 30.0
"""Seconds for which a turn that the store does not take is tried again before its person is told."""

FIRST_WAIT, LONGEST_WAIT = 0.25, 30.0
"""Seconds before the second try and, as they double, between later ones at most."""


AdapterOf = Callable[[str], tuple[Adapter | None, bool]]
"""The adapter of a channel, where there is one, and whether it receives."""


class TurnRunner(Protocol):
    """What the gateway needs from the runtime: it runs the turn that a job asks for."""

    async def run(self, job: Job, adapter: Adapter | None) -> Outcome:
        """Runs it to its end, or until it waits; a stopped job gives a cancelled reply."""

    async def finished(self, job: Job, adapter: Adapter | None, reply: Reply) -> None:
        """The answer was handed over; tells whoever watches."""


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
        self._late: set[str] = set()  # the ids of those whose people were told that it takes longer

    async def work_off(self, lane: str) -> None:
        """Works off what waits in a lane, one job after the other. What fails in one is no matter to the next."""
        while (job := self._lanes.take(lane)) is not None:
            self.running[lane] = job
            try:
                if not (job.withdrawn or (job.piece is not None and job.piece.given is None)):
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
        """Runs a job's turn, again from its last step where the store fails meanwhile; nothing is done twice."""
        deadline, wait = self._clock.monotonic() + TRY_FOR, FIRST_WAIT
        adapter, _ = self._adapter_of(job.entry.message.conversation.channel)
        while True:
            try:
                await self._turn(job)
                self._late.discard(job.id)
                return
            except LeaseLost:
                job.failure = closed()
                return
            except StoreError as error:
                if await job.is_void():
                    return
                if self._clock.monotonic() + wait > deadline:
                    if adapter is not None and job.id not in self._late:
                        self._late.add(job.id)
                        await self._apologise(adapter, job, error)
                    if adapter is None or error.details.get("scope") != "database":
                        job.failure = error
                        return
                    deadline = float("inf")  # nothing can be written: what was done is kept until it can be
                log.warning("message %s is tried again: %s", job.id, error)
            await self._clock.sleep(wait)
            wait, job.again = min(wait * 2, LONGEST_WAIT), True

    async def _turn(self, job: Job) -> None:
        channel = job.entry.message.conversation.channel
        adapter, _ = self._adapter_of(channel)
        live = await self._outbox.live(adapter, job)
        try:
            outcome = await self._outcome(job, adapter)
            if await job.is_void():
                return
            reply = job.reply = outcome.reply
            hit("turn.end.before")
            if reply.status == "waiting":
                await self._park(job, outcome, live)
            else:
                outgoing, records = await self._filtered(job, reply), outcome.records
                # An answer to the application is its turn's end: nobody sends it.
                kept = channel == APP and records
                said = [] if kept or reply.status == "silent" or not outgoing.parts else [outgoing]
                if live is not None:
                    # The channel may take its time. What ended is on disk before, and is only handed out after a crash.
                    await self._records.write(*records)
                    said, records = await live.end(said), ()
                await self.hand_out(job, said, *records, InboxDone(job.id, reply.status))
        finally:
            if live is not None:
                live.drop()
        await self._turns.finished(job, self._adapter_of(channel)[0], reply)

    async def _outcome(self, job: Job, adapter: Adapter | None) -> Outcome:
        try:
            return await self._turns.run(job, adapter)
        except BaseException as error:  # failed before there was a turn: this, too, is answered and done with
            if is_cancellation(error) or (isinstance(error, StoreError) and not isinstance(error, Damaged)):
                raise
            log.error("message %s got no turn", job.id, exc_info=error)
            return Outcome(failed(job, error))

    async def _park(self, job: Job, outcome: Outcome, live: Live | None) -> None:
        """Lets a turn wait for its person: the questions go out, and the lane is free."""
        where, reply = job.entry.message.conversation, outcome.reply
        job.asks = outcome.asks or job.asks
        ids = [asked_as(each) for each in job.asks]
        label = with_reader(reply.label, audience(where, ""))  # of what names a tool and nothing else
        said = [
            Outgoing(id, id, where, (_shown(each),), cause=reply.turn, label=label if each.shown else reply.label)
            for id, each in zip(ids, job.asks, strict=True)
        ]
        if reply.error is not None and ids:
            said.insert(0, msgspec.structs.replace(answer(job, reply), id=f"{ids[0]}.stuck", key=f"{ids[0]}.stuck"))
        said = await live.end(said) if live is not None else said
        entries = await self.hand_out(job, said, *outcome.records, InboxDone(job.id, "parked"))
        hit("park.after")
        for entry in entries:
            asked = entry.outgoing.parts[0]
            if entry.state == "dead" and isinstance(asked, Ask):
                # Nobody can see the question: that is a no.
                await self._records.answer(asked.id, "", f"the question could not be sent: {entry.detail}")

    async def hand_out(self, job: Job, said: Sequence[Outgoing], *records: Record) -> list[OutboxEntry]:
        """Commits *records* together with what is to be said, then says it. Where its channel does not run here, it is
        said by whoever runs it."""
        where, person = job.entry.message.conversation, job.entry.person
        adapter, _ = self._adapter_of(where.channel)
        entries: list[Record] = []
        if where.channel != APP:
            # From here on it may be on its way: a restart must not send it a second time.
            here = adapter is not None
            entries += await self._outbox.notices(person, where, here) if said else []
            entries += [self._outbox.entry(each, person, job.entry.session, here) for each in said]
        else:
            entries += [OutboxEntry(each, person, job.entry.session, "sent") for each in said]
        try:
            await self._records.write(*records, *entries)
            hit("turn.end.after")
            return [await self._outbox.deliver(adapter, each) for each in to_say(entries)]
        finally:  # what was not delivered is on nobody's way: where it is on disk, it is found there
            for each in to_say(entries):
                self._outbox.forget(each)

    async def say(self, job: Job, parts: Sequence[Part], *records: Record) -> None:
        """Says something that is no turn's answer, on the channel the job came from; commits *records* with it."""
        message, key = job.entry.message, f"{job.id}.answer"
        outgoing = Outgoing(key, key, message.conversation, tuple(parts), cause=job.id, label=message.label)
        await self.hand_out(job, [outgoing], *records)

    async def answered(self, job: Job, reply: Reply, hidden: bool) -> None:
        """Says what a command is answered; what is *hidden* goes to the person's channel and is kept nowhere."""
        parts, message = answer(job, reply).parts, job.entry.message
        if hidden and reply.error is None:
            told = message.conversation.channel == APP or await self.tell(message, reply.text)
            parts = () if told else (Text("I could not tell you. Say it again."),)
        done = InboxDone(job.id, "done" if reply.error is None else "failed")
        await (self.say(job, parts, done) if parts else self.hand_out(job, (), done))

    async def tell(self, message: Message, words: str) -> bool:
        """Tells the sender of a message something, of which nothing is kept; False where its channel is not here."""
        id, (adapter, _) = self._clock.new_id(), self._adapter_of(message.conversation.channel)
        if adapter is not None:
            await self._outbox.tell(adapter, Outgoing(id, id, message.conversation, (Text(words),)))
        return adapter is not None

    async def _apologise(self, adapter: Adapter, job: Job, error: StoreError) -> None:
        """Tells that the work could not be recorded. The message stays open: it is taken up when the store works."""
        outgoing = answer(job, failed(job, error))
        await self._outbox.tell(adapter, msgspec.structs.replace(outgoing, id=f"{job.id}.late", key=f"{job.id}.late"))

    async def _filtered(self, job: Job, reply: Reply) -> Outgoing:
        outgoing = answer(job, reply)
        try:
            return await self._passed(outgoing)
        except BaseException as error:  # nothing that a plugin made of it may keep the job from its end
            if is_cancellation(error):
                raise
            log.error("the answer to message %s could not be checked", job.id, exc_info=error)
            held = Text("The answer was held back: it could not be checked.")
            return msgspec.structs.replace(outgoing, parts=(held,))

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


def _shown(entry: Approval) -> Ask:
    """A question as it is asked in its conversation."""
    return Ask(entry.id, entry.shown, entry.ask.choices) if entry.shown else entry.ask
