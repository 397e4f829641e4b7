"""A message's way in and its answer's way out: commit, lane, turn, outbox."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Collection, Sequence

import anyio
import msgspec

from gitu_core.contracts import Adapter, Dispatcher
from gitu_core.contracts.ports import (
    Clock,
    Hooks,
    InboxDone,
    InboxEntry,
    OutboxEntry,
    People,
    Records,
    Session,
    Sessions,
)  # fmt: skip
from gitu_core.errors import Denied, GituError, InputError
from gitu_core.gateway.asking import Questions
from gitu_core.gateway.commands import Commands, Status
from gitu_core.gateway.intake import label_of, normalise
from gitu_core.gateway.jobs import Job, Options
from gitu_core.gateway.outbox import Outbox
from gitu_core.gateway.work import TurnRunner
from gitu_core.model import ErrorInfo, Message, Outgoing, Part, Receipt, Reply, Text, TurnFinished

log = logging.getLogger("gitu.gateway")

DEEP = 1_000
"""How many messages may wait in one lane before whoever brings the next one has to wait."""


class Gateway:
    """Takes messages in, works them off lane by lane, hands answers out."""

    def __init__(
        self, *, records: Records, people: People, sessions: Sessions, hooks: Hooks, turns: TurnRunner, clock: Clock,
        dispatcher: Dispatcher, profile: str, status: Status,
    ) -> None:  # fmt: skip
        self._records = records
        self._people = people
        self._sessions = sessions
        self._hooks = hooks
        self._turns = turns
        self._clock = clock
        self._dispatcher = dispatcher
        self._profile = profile
        self._commands = Commands(sessions, records, status, self.stop)
        self._lanes: dict[str, deque[Job]] = {}
        self._running: dict[str, Job] = {}
        self._jobs: dict[str, Job] = {}
        self._room = anyio.Event()
        self.adapters: dict[str, Adapter] = {}
        self.questions = Questions()
        self.outbox = Outbox(records, hooks, clock)
        self.on_done: Callable[[Job], None] | None = None

    # ---- in -------------------------------------------------------------------------------------

    async def accept(self, message: Message, person: str = "", options: Options | None = None) -> Job:
        """Commits *message* and wakes its lane. The same key again gives the job of the first, and nothing new."""
        message = normalise(message)
        who = await self._people.person_for(message.sender, person)
        if not who.enabled:
            raise Denied(f"{message.sender.id} may not use this assistant", hint="ask its operator")
        profile = (options.profile if options else "") or self._profile
        session = await self._sessions.session_for(message.conversation, who.id, profile)
        message = msgspec.structs.replace(message, label=label_of(message, who.id), at=message.at or self._clock.now())
        if self._hooks.wants("gitu_filter_message"):
            changed = await self._hooks.filter("gitu_filter_message", message=message)
            label = changed.label.join(message.label)
            message = msgspec.structs.replace(
                changed, key=message.key, sender=message.sender, conversation=message.conversation, label=label
            )
        if self._hooks.wants("gitu_guard_message"):
            reason = await self._hooks.guard("gitu_guard_message", message=message)
            if reason is not None:
                raise Denied(reason, hint="say it another way")
        entry = InboxEntry(message, who.id, session.id)
        receipt = await self._records.accept(entry)
        return await self._enter(receipt, entry, session, options or Options())

    async def _enter(self, receipt: Receipt, entry: InboxEntry, session: Session, options: Options) -> Job:
        known = self._jobs.get(receipt.id)
        if known is not None:
            return known
        job = Job(receipt.id, entry, options.profile or session.profile, options)
        if not receipt.fresh:
            await self._recall(job)
            return job
        if self._hooks.wants("gitu_message_received"):
            message = msgspec.structs.replace(entry.message, id=receipt.id)
            await self._hooks.observe("gitu_message_received", message=message)
        if entry.message.action != "new" or self.questions.answer(entry.message, entry.person):
            self._records.post(InboxDone(receipt.id))
            job.done.set()
            return job
        command = Commands.named(entry.message.text)
        if command:
            await self._command(job, command, session)
            return job
        await self._queue(job)
        return job

    async def _recall(self, job: Job) -> None:
        """A message that was dealt with before: the same answer again, and nothing else."""
        said = await self._records.outgoing(f"{job.id}.answer")
        if said is not None:
            outgoing = said.outgoing
            job.reply = Reply(outgoing.cause, said.session, parts=outgoing.parts, label=outgoing.label)
        self._finish(job)

    async def _queue(self, job: Job) -> None:
        lane = self._lanes.setdefault(job.entry.session, deque())
        while len(lane) >= DEEP:
            self._room = anyio.Event()
            await self._room.wait()
        self._jobs[job.id] = job
        lane.append(job)
        await self._dispatcher.wake(job.entry.session)

    async def take_up(self, channels: Collection[str]) -> int:
        """Puts the messages of *channels* that nobody dealt with back into their lanes; gives how many."""
        left = [
            (id, entry)
            for id, entry in await self._records.pending()
            if entry.message.conversation.channel in channels and id not in self._jobs
        ]
        for id, entry in left:
            session = await self._sessions.session(entry.session)
            await self._queue(Job(id, entry, session.profile if session else self._profile))
        return len(left)

    async def _command(self, job: Job, command: str, session: Session) -> None:
        self._jobs[job.id] = job
        try:
            conversation = job.entry.message.conversation
            text = await self._commands.answer(command, conversation, session)
            job.reply = Reply(job.id, session.id, parts=(Text(text),))
            await self._records.write(InboxDone(job.id))
            await self.say(job, job.reply.parts, key=f"{job.id}.answer")
        finally:
            self._finish(job)

    # ---- work -----------------------------------------------------------------------------------

    async def work_off(self, lane: str) -> None:
        """Works off what waits in a lane, one job after the other."""
        waiting = self._lanes.get(lane)
        while waiting:
            job = waiting.popleft()
            self._room.set()
            self._running[lane] = job
            try:
                await self._work(job)
            except GituError as error:
                log.error("message %s could not be worked off: %s", job.id, error)
                job.failure = error
            finally:
                self._running.pop(lane, None)
                self._finish(job)
        self._lanes.pop(lane, None)

    async def _work(self, job: Job) -> None:
        adapter = self.adapters.get(job.entry.message.conversation.channel)
        outcome = await self._turns.run(job, adapter)
        job.reply = reply = outcome.reply
        outgoing = await self._filtered(answer(job, reply))
        # From here on the answer may be on its way: a restart must not send what waits as `queued` a second time.
        state = "sending" if adapter is not None else "sent"
        entry = OutboxEntry(outgoing, job.entry.person, job.entry.session, state, 1)  # type: ignore[arg-type]
        ends = (*outcome.records, InboxDone(job.id, reply.status))
        if reply.status == "silent" or not outgoing.parts:
            await self._records.write(*ends)
        else:
            await self._records.write(*ends, entry)
            if adapter is not None:
                await self.outbox.deliver(adapter, entry)
        await self._turns.finished(job, adapter, reply)

    async def _filtered(self, outgoing: Outgoing) -> Outgoing:
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

    async def say(self, job: Job, parts: Sequence[Part], key: str) -> None:
        """Says something beside the turn's answer, on the channel the job came from."""
        message = job.entry.message
        adapter = self.adapters.get(message.conversation.channel)
        if adapter is None:
            return
        outgoing = Outgoing(
            self._clock.new_id(), key, message.conversation, tuple(parts), cause=job.id, label=message.label
        )
        entry = OutboxEntry(outgoing, job.entry.person, job.entry.session, "sending", 1)
        await self._records.write(entry)
        await self.outbox.deliver(adapter, entry)

    def _finish(self, job: Job) -> None:
        self._jobs.pop(job.id, None)
        job.done.set()
        if job.options.watch is not None:
            job.options.watch(TurnFinished(job.reply or _failed(job)))
        if self.on_done is not None:
            self.on_done(job)

    # ---- control --------------------------------------------------------------------------------

    def stop(self, session: str) -> int:
        """Stops what runs and drops what waits in a session; gives how many turns."""
        jobs = [job for job in (self._running.get(session), *self._lanes.get(session, ())) if job is not None]
        for job in jobs:
            job.stop()
        return len(jobs)

    def job(self, id: str) -> Job | None:
        """The job with this receipt id while it waits or runs."""
        return self._jobs.get(id)

    @property
    def load(self) -> tuple[int, int]:
        """How many turns run, and how many messages wait."""
        return len(self._running), sum(len(lane) for lane in self._lanes.values())


def _failed(job: Job) -> Reply:
    error = job.failure
    info = ErrorInfo(error.code, error.message, error.hint) if isinstance(error, GituError) else None
    return Reply("", job.entry.session, "failed" if info else "silent", error=info)


def answer(job: Job, reply: Reply) -> Outgoing:
    """A reply as the message that goes out. Its id and key follow from the job, whoever runs it and however often."""
    parts = reply.parts
    if reply.error is not None:
        hint = f" Next: {reply.error.hint}." if reply.error.hint else ""
        parts = (Text(f"I could not finish this: {reply.error.message}.{hint}"),)
    elif reply.status == "cancelled":
        parts = (Text("Stopped."),)
    message = job.entry.message
    return Outgoing(
        f"{job.id}.answer", f"{job.id}.answer", message.conversation, parts, cause=reply.turn, label=reply.label
    )


class AdapterInbox:
    """What an adapter gets (the contract `Inbox`): the gateway, seen from one channel."""

    def __init__(self, gateway: Gateway, channel: str) -> None:
        self._gateway = gateway
        self._channel = channel

    async def accept(self, message: Message) -> Receipt:
        """Commits *message*. `InputError` if it comes from another channel than it says."""
        if message.conversation.channel != self._channel or message.sender.channel != self._channel:
            raise InputError(f"the message says it came from {message.conversation.channel!r}, not {self._channel!r}",
                             hint="use the adapter's own channel name")  # fmt: skip
        job = await self._gateway.accept(message)
        return Receipt(job.id, fresh=not job.done.is_set())

    async def finished(self, id: str) -> None:
        """Waits until the work that a message caused has ended."""
        job = self._gateway.job(id)
        if job is not None:
            await job.done.wait()
