"""A message's way in: looked at, committed, and put into its lane. `worker` takes it from there."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Sequence
from functools import partial
from typing import cast

import msgspec

from gitu_core.contracts import Adapter, Dispatcher, ports
from gitu_core.contracts.authority import Grants
from gitu_core.contracts.ports import Approval, InboxDone, InboxEntry, OutboxEntry, Session
from gitu_core.errors import Denied, GituError, StoreError
from gitu_core.failpoints import hit
from gitu_core.gateway.answers import recalled
from gitu_core.gateway.commands import AGAIN, ONCE, Commands, Spent, Status
from gitu_core.gateway.identity import Identity, named
from gitu_core.gateway.intake import label_of, normalise
from gitu_core.gateway.jobs import APP, Job, Options, Piece, closed, dropped, failed
from gitu_core.gateway.lanes import LocalDispatcher
from gitu_core.gateway.outbox import Outbox
from gitu_core.gateway.owned import Owned
from gitu_core.gateway.permits import permits
from gitu_core.gateway.questions import Questions, noted
from gitu_core.gateway.queues import Lanes
from gitu_core.gateway.shield import Shield
from gitu_core.gateway.worker import TurnRunner, Worker
from gitu_core.isolation import is_cancellation
from gitu_core.model import Conversation, Message, Receipt, Reply, Text
from gitu_core.model.message import same_author

log = logging.getLogger("gitu.gateway")

DEEP, DEEPEST = 1_000, 20_000
"""How many messages may wait in one lane, and in all, before whoever brings the next one has to wait."""

EARLY = "gitu_turn_started", "gitu_filter_request"
"""Hooks that see of a turn before it wrote anything: nothing is shown to them that is not on disk."""

CHANGED = "(I changed what I wrote before. It now says:)"


class Gateway:
    """Takes messages in, works them off lane by lane, hands answers out.

    `local` runs lanes in this process. `dispatcher` carries wake-ups: `local` itself, or one that reaches others. `me`
    is the id of this process's worker.
    """

    def __init__(
        self, *, records: ports.Records, workers: ports.Workers, identity: Identity, sessions: ports.Sessions,
        hooks: ports.Hooks, turns: TurnRunner, clock: ports.Clock, local: LocalDispatcher, profile: str, status: Status,
        spent: Spent, grants: Grants, hold: Callable[[], Awaitable[None]],
    ) -> None:  # fmt: skip
        self._records = records
        self.identity = identity
        self._sessions = sessions
        self._hooks = hooks
        self._clock = clock
        self.local = local
        self.dispatcher: Dispatcher = local
        self._profile = profile
        permitted = partial(permits, grants, clock)
        self._commands = Commands(sessions, records, status, spent, self._stop_all, self._resend, identity, permitted)
        self._lanes = Lanes(DEEP, DEEPEST)
        self._jobs: dict[str, Job] = {}
        self._followers: dict[str, list[Job]] = {}
        self._coming = Counter[str]()  # messages on their way to the disk, by lane
        self._done: dict[str, set[str]] = {}  # what is done with while a lane is read, by lane
        self._closed = False
        self.shield = Shield()
        self.adapters: dict[str, Adapter] = {}
        self._left: dict[str, Adapter] = {}
        self.questions = Questions(records, identity.trusts, clock)
        self.outbox = Outbox(records, hooks, clock, self._wake, hold)
        self.outbox.arrived = self.questions.arrived
        self.worker = Worker(records, hooks, turns, clock, self._lanes, self.outbox, self.adapter, self._finish)
        self.owned = Owned(workers, self._waits, self._load, self.worker.work_off)
        self._workers = workers
        self.me = ""

    # ---- in -------------------------------------------------------------------------------------

    async def accept(self, message: Message, person: str = "", options: Options | None = None) -> tuple[Job, bool]:
        """Commits *message* and wakes its lane; gives its job and whether it is new. The same key again gives the job
        of the first.

        `NotReady` while everything closes. A caller that is cancelled leaves either nothing or a job that is worked
        off; where somebody had to wait for it (see `Options.waits`), it ends as cancelled.
        """
        options = options or Options()
        await self._lanes.room()
        try:
            looked_at = await self._looked_at(message, person, options)
        except StoreError as error:
            if self._closed:
                raise closed() from error
            raise
        if self._closed:
            raise closed()
        if looked_at is None:
            return dropped(message), False
        entry, session = looked_at
        piece = Piece(Job.leave if options.waits else None)
        job = Job(entry.message.id, entry, options.profile or session.profile, options)
        # What the application sends is worked on where it waits: it may need objects that are only there.
        here = self.dispatcher is self.local or entry.message.conversation.channel == APP
        lane = entry.session if here and entry.session not in self.owned else ""
        piece.landed = partial(self._landed, piece, lane, job, session)
        hit("inbox.accept.before")
        ahead = here and not lane and not self._coming[entry.session] and not self.has(entry.session)
        self._coming[entry.session] += 1
        try:
            # A lane that is idle begins at once: the first records of its turn share the message's way to the disk.
            if ahead and not any(map(self._hooks.wants, EARLY)) and self._queued(job):
                job.piece = piece
            await self._records.accept(entry, lane, piece)
            await piece.done.wait()
        except BaseException:  # cancelled, or not stored; what is on its way goes on
            if piece.given is None:
                piece.landed(None)
            piece.leave()
            raise
        if piece.error is not None:
            raise piece.error
        return cast(Job, piece.job), piece.fresh

    async def _looked_at(self, message: Message, person: str, options: Options) -> tuple[InboxEntry, Session] | None:
        """The message as it will be committed, and the session it belongs to; None if its sender may not talk here."""
        message = named(message)
        speaker = await self.identity.speaker(message, person)
        if speaker is None or not self.identity.admits(speaker.person):
            if message.conversation.channel == APP:
                raise Denied(f"{message.sender.id} may not use this assistant", hint="ask its operator")
            if words := await self.identity.turned_away(message, speaker):
                self.shield.apart(partial(self.worker.tell, message, words))
            return None
        message, who = normalise(message), speaker.person
        session = await self._sessions.session_for(message.conversation, who.id, options.profile or self._profile)
        vouched = self.identity.vouches(message.conversation.channel, speaker.trust)
        at, label = message.at or self._clock.now(), label_of(message, who.id, vouched)
        # Its id is given here: nobody outside may choose one that others have.
        message = msgspec.structs.replace(message, id=self._clock.new_id(), label=label, at=at)
        if self._hooks.wants("gitu_filter_message"):
            changed = await self._hooks.filter("gitu_filter_message", message=message)
            label = changed.label.join(message.label)
            message = msgspec.structs.replace(
                changed, id=message.id, key=message.key, sender=message.sender, conversation=message.conversation,
                label=label, tools=message.tools,
            )  # fmt: skip
        if self._hooks.wants("gitu_guard_message"):
            reason = await self._hooks.guard("gitu_guard_message", message=message)
            if reason is not None:
                # A guard may say what to do next; most only say why not.
                hint = getattr(reason, "hint", "") or "change the message, or ask whoever runs this assistant"
                raise Denied(str(reason), hint=hint)
        here = self.me if message.conversation.channel == APP else ""
        return InboxEntry(message, who.id, session.id, here), session

    def _landed(self, piece: Piece, lane: str, job: Job, session: Session, receipt: Receipt | None) -> None:
        """A message is on disk: from here on it is worked off, whatever becomes of the one who brought it."""
        del piece.landed  # it holds the piece
        piece.settled.set()
        self._coming[session.id] -= 1
        if not self._coming[session.id]:
            del self._coming[session.id]
        known = self._jobs.get(receipt.id) if receipt is not None else None
        if known is not job:
            self._jobs.pop(job.id, None)  # nothing of it counts: nobody finds it
        if receipt is None:
            return
        hit("inbox.accept.after")
        if lane and receipt.mine:
            self.owned.add(lane)
        piece.fresh = receipt.fresh
        if known is None and not receipt.fresh:
            job = Job(receipt.id, job.entry, job.profile, job.options)
        job.at, piece.job = self._clock.now(), known or job
        piece.job.join(job.options)
        self._jobs[receipt.id] = piece.job  # from here on the same key finds it, and closing ends it
        if known is not None or (receipt.fresh and self._queued(job)):
            piece.end()
        else:
            self.shield.start(piece, partial(self._take_in, job, session, receipt.fresh))

    def _queued(self, job: Job) -> bool:
        """Puts a job into its lane where nothing has to be found out about its message."""
        message = job.entry.message
        asks = Commands.named(message.text) or self.questions.may_answer(message)
        plain = message.action == "new" and not asks and not self._hooks.wants("gitu_message_received")
        job.queued = plain and self.owned.ready(job.entry.session) and self._lanes.put_now(job.entry.session, job)
        if job.queued:
            self._jobs[job.id] = job
            self.local.wake_now(job.entry.session)
        return job.queued

    async def _take_in(self, job: Job, session: Session, fresh: bool) -> None:
        try:
            await (self._begin(job, session) if fresh else self._known(job))
        except BaseException as error:  # whatever it is, it is raised on; whoever joined meanwhile is told too
            job.failure = closed() if is_cancellation(error) else error if isinstance(error, Exception) else None
            self._finish(job)
            raise

    async def _begin(self, job: Job, session: Session) -> None:
        if self._hooks.wants("gitu_message_received"):
            await self._hooks.observe("gitu_message_received", message=job.entry.message)
        await self._dispatch(job, session)

    async def _known(self, job: Job) -> None:
        """A message whose key is known: what was said the first time is said again, and nothing else; what an earlier
        run left open is worked off now."""
        row = await self._records.accepted(job.id)
        if row is not None and row.outcome is None:
            job.entry, job.again = row.entry, True
            await self._dispatch(job, await self._sessions.session(row.entry.session))
            return
        await self._recall(job, row.outcome or "" if row else "")

    async def _recall(self, job: Job, outcome: str) -> None:
        try:
            job.reply = await recalled(self._records, job, outcome)
        except GituError as error:
            job.failure = error
        self._finish(job)

    async def take_up(self, channels: Collection[str]) -> int:
        """Deals with the messages of *channels* that nobody dealt with, as if they came now; gives how many lanes."""
        lanes = await self._records.waiting(tuple(channels))
        for lane, _ in lanes:
            await self.reopened(lane, here=True)
        return len(lanes)

    async def _open(self, lane: str) -> list[tuple[str, InboxEntry]]:
        """What is on disk for a lane and nobody has in hand. Where somebody waits for it on another worker, it is
        worked on there."""
        found = [(id, entry) for id, entry in await self._records.pending_in(lane) if not self._has(id)]
        if elsewhere := {entry.worker for _, entry in found} - {"", self.me}:
            elsewhere &= {each.id for each in await self._workers.others() if not each.gone}
        return [(id, entry) for id, entry in found if entry.worker not in elsewhere]

    def _has(self, id: str) -> bool:
        return id in self._jobs and not self._jobs[id].remote

    async def _waits(self, lane: str) -> bool:
        return bool(await self._open(lane))

    async def _load(self, lane: str) -> None:
        """Puts into a lane what is on disk for it, but for what is done with while that is read."""
        self._done[lane] = set()
        found, done = await self._open(lane), self._done.pop(lane)
        for id, entry in [each for each in found if each[0] not in done]:
            job = self._jobs.pop(id, None) or Job(id, entry, self._profile, again=True)
            job.again, job.remote = True, False
            self._jobs[id] = job
            try:
                session = await self._sessions.session(entry.session)
                if session is not None:
                    job.profile = job.options.profile or session.profile
                await self._dispatch(job, session, here=True)
            except GituError as error:  # one that cannot be dealt with must not keep the others from it
                log.error("message %s could not be taken up: %s", id, error)
                job.failure = error
                self._finish(job)

    async def _dispatch(self, job: Job, session: Session | None, here: bool = False) -> None:
        """Answers a question with it, does what it commands, or puts it into its lane."""
        message, lane = job.entry.message, job.entry.session
        if off := job.entry.person in self.identity.off or (job.again and await self.identity.left(job.entry)):
            job.stop()
        if not off and message.action != "new" and await self._changed(job):
            self._records.post(InboxDone(job.id))
            self._finish(job)
            return
        command = Commands.named(message.text)
        if command and session is not None and not off:
            await self._command(job, command, session)
            return
        if not off and (taken := await self.questions.take(job)) is not None:
            await self._answered(job, taken)
            return
        if here:
            job.queued = self._lanes.put_now(lane, job, anyway=True)
        elif self.owned.ready(lane):
            job.queued = True
            await self._lanes.put(lane, job)
            await self.local.wake(lane)
        else:
            job.remote = True
            await self.reopened(lane, here=message.conversation.channel == APP)

    async def _answered(self, job: Job, taken: Approval | str) -> None:
        """A question has its answer: its turn goes on. Whoever waits for the answer's work waits for that turn."""
        if isinstance(taken, str) or not taken.message:  # it does not count, or a plugin asked
            told, done = (taken, (InboxDone(job.id, "void"),)) if isinstance(taken, str) else (noted(taken), ())
            job.reply = Reply(job.id, job.entry.session, parts=(Text(told),), label=job.entry.message.label)
            await self.worker.say(job, job.reply.parts, *done)
            self._finish(job)
            return
        self._followers.setdefault(taken.message, []).append(job)
        await self.reopened(taken.session)
        here, asked = job.entry.message.conversation, taken.conversation
        if asked is not None and asked != here and here.channel != APP:
            await self.worker.say(job, (Text(noted(taken)),))

    async def reopened(self, lane: str, here: bool = False) -> None:
        """A message of *lane* on disk is to be worked off, *here* if it can be."""
        if here or lane in self.owned or self.dispatcher is self.local:
            self.owned.attend(lane)
            await self.local.wake(lane)
        else:
            await self._wake(lane)

    async def handle(self, lane: str) -> None:
        """A lane of this process was woken; or (``@channel:<name>``) there is something to be sent."""
        if lane.startswith("@"):
            self.outbox.kick(lane.removeprefix("@channel:"))
        else:
            await self.owned.work_off(lane)

    async def woken(self, lane: str) -> None:
        """The same by a wake-up from elsewhere: what it is about is on disk."""
        hit("wake.heard")
        if not lane.startswith("@"):
            self.owned.attend(lane)
        await self.handle(lane)
        hit("wake.done")

    async def _wake(self, lane: str) -> None:
        hit("wake.before")
        await self.dispatcher.wake(lane)

    async def _changed(self, job: Job) -> bool:
        """A message is changed or taken back. True where nothing is left to be done: it had not been begun with, or is
        dropped. What was worked on already is followed by what it says now."""
        message = job.entry.message
        channel, target = message.conversation.channel, message.target
        if message.action == "react":
            return True
        known = next((each for each in self._jobs.values() if each.is_message(channel, target)), None)
        if known is not None and not same_author(known.entry.message, message):
            return True
        delete = message.action == "delete"
        if known is None or known.turn is None:
            changed = await self._records.edit(message)
            if changed and known is not None:
                known.withdrawn = delete
                known.entry = msgspec.structs.replace(known.entry, message=changed)
            if changed:
                return True
        if delete:
            if known is not None:
                known.stop()
            if known is None or not known.queued:  # also while what is known came again and is looked up
                # The message whose turn waits for an answer is taken back: that is a no.
                await self._decline(await self.questions.about(job), "the user took the message back")
            return True
        message = msgspec.structs.replace(message, parts=(Text(CHANGED), *message.parts))
        job.entry = msgspec.structs.replace(job.entry, message=message)
        return False

    async def _decline(self, asked: Sequence[Approval], why: str) -> int:
        """Says no to questions; gives to how many."""
        declined = await self.questions.decline(asked, why)
        for each in declined:
            await self.reopened(each.session)
        return len(declined)

    async def _stop_all(self, session: Session, person: str) -> int:
        """Stops what runs in a session, and declines what was asked there; gives how much. Whose session it is stops
        everybody's, others what they began."""
        whose = "" if session.person == person else person
        asked, stopped = await self._records.approvals(session=session.id), self.stop(session.id, whose)
        asked = [each for each in asked if whose in ("", each.person)]
        return stopped + await self._decline(asked, "the user stopped it")

    async def _command(self, job: Job, command: str, session: Session) -> None:
        try:
            again = job.again and command in ONCE
            parts = (Text(AGAIN),) if again else tuple(await self._commands.answer(command, job.entry, session))
            job.reply = Reply(job.id, session.id, parts=parts)
        except BaseException as error:  # whatever it was, the person who gave the command is told, once
            if is_cancellation(error):
                raise
            log.error("the command /%s failed", command, exc_info=error)
            job.reply = failed(job, error)
        try:
            await self.worker.answered(job, job.reply, Commands.hides(job.entry.message.text))
            self.questions.shown(job, self._clock.now())
        finally:
            self._finish(job)

    async def _resend(self, session: Session, conversation: Conversation) -> int:
        found = [each for each in await self._records.undelivered() if each.person in (session.person, "")]
        return await self.resend([each for each in found if each.outgoing.conversation == conversation])

    async def resend(self, entries: Sequence[OutboxEntry]) -> int:
        """Sends once more what was not delivered, because a person says so; gives how many."""
        for each in entries:
            await self.outbox.again(self.adapter(each.outgoing.conversation.channel)[0], each)
        return len(entries)

    def _finish(self, job: Job) -> None:
        if self._jobs.get(job.id) is job:
            del self._jobs[job.id]
        self._done.get(job.entry.session, set()).add(job.id)
        job.finish()
        for follower in self._followers.pop(job.id, ()):
            follower.reply, follower.failure = job.reply, job.failure
            self._finish(follower)

    def leave(self, adapter: Adapter, ended: bool) -> None:
        """A channel does not receive any more. What still runs may try to send on it, unless it *ended*."""
        name = adapter.channel.name
        if self.adapters.get(name) is adapter:
            del self.adapters[name]
            if not ended:
                self._left[name] = adapter

    def adapter(self, channel: str) -> tuple[Adapter | None, bool]:
        """The adapter of a channel, and whether it receives."""
        running = self.adapters.get(channel)
        return (running, True) if running is not None else (self._left.get(channel), False)

    def refuse(self) -> None:
        """Takes nothing in any more; what is there already goes on."""
        self._closed = True
        self._lanes.ease()

    def drop(self) -> None:
        """Tells everybody who waits that nothing comes from here any more. Their messages stay where they are."""
        for job in list(self._jobs.values()):
            job.failure = closed()
            job.stop()
            self._finish(job)
        self._followers.clear()

    def remote(self) -> list[Job]:
        """The jobs that other workers work on."""
        return [job for job in self._jobs.values() if job.remote]

    async def look_at_remote(self, jobs: Sequence[Job], pending: Collection[str]) -> None:
        """Finds out what became of *jobs* that other workers work on, now that *pending* are the lanes in which
        something waits; what could not be worked on here is tried again, since its lane may be free by now."""
        wanted = dict.fromkeys(self._followers)
        for job in jobs:
            if job.waiting > 0 or job.watches or job.entry.message.conversation.channel == APP:
                wanted[job.id] = None
            elif job.remote and job.entry.session not in pending:  # it is done, and nobody asks how it went
                self._finish(job)
        for id in wanted:
            row = await self._records.accepted(id)
            if row is None or self._has(id):
                continue
            if row.outcome is not None:
                await self._recall(self._jobs.get(id) or Job(id, row.entry, self._profile), row.outcome)
            elif row.entry.message.conversation.channel == APP:
                await self.reopened(row.entry.session, here=True)

    async def look_at_people(self) -> None:
        """Stops what runs, and drops what waits, of people who were switched off or lost the account it came from."""
        jobs = list(self._jobs.values())
        for number in await self.identity.look([job.entry for job in jobs]):
            jobs[number].stop()

    def stop(self, session: str, person: str = "") -> int:
        """Stops what runs and drops what waits in a session, of one person where given; gives how many turns."""
        jobs = [job for job in self._jobs.values() if job.queued and job.entry.session == session]
        jobs = [job for job in jobs if person in ("", job.entry.person)]
        for job in jobs:
            job.stop()
        return len(jobs)

    def job(self, id: str) -> Job | None:
        """The job with this receipt id while it waits or runs."""
        return self._jobs.get(id)

    def has(self, lane: str) -> bool:
        """True if a lane is in hand here: worked on, or about to be."""
        return self.owned.is_busy(lane) or self._lanes.holds(lane)

    @property
    def load(self) -> tuple[int, int]:
        """How many turns run, and how many messages wait."""
        return len(self.worker.running), self._lanes.waiting
