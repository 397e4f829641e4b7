"""Says things on channels, in order: split to the channel's limit, again where nobody saw it, never blindly.

What is said is on disk before it is sent, as ``sending``. After a crash such an entry is sent again where the channel
drops a key it has seen (``idempotent``), asked about where it can be asked (``verifiable``), and else ``unknown``: its
person is told at the next contact.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field

import anyio
import msgspec
from anyio.abc import TaskGroup

from gitu_core.contracts import Adapter
from gitu_core.contracts.ports import Clock, Hooks, OutboxEntry, Record, Records
from gitu_core.errors import GituError, StoreError
from gitu_core.failpoints import hit
from gitu_core.gateway.jobs import Job, place_of
from gitu_core.gateway.live import Live
from gitu_core.gateway.pieces import pieces
from gitu_core.gateway.sending import FIRST_WAIT, GIVE_UP, LONGEST_WAIT, MOVED, NOTICE, RECHECK, Sender, lost_state
from gitu_core.model import Conversation, Delivery, Outgoing, Text, join_all

log = logging.getLogger("gitu.gateway")

AT_ONCE = 64
"""In how many conversations of a channel something is sent at once, of what waited."""

PAGE = 1_000
"""How much of what waits is read from disk at once."""


Instead = Callable[[OutboxEntry], Awaitable[OutboxEntry | None]]
"""Tells what is said elsewhere in the place of an entry; None where it stays."""


@dataclass(eq=False)
class _Direct:
    """What is sent in a conversation without having waited: `count` of them, one after the other."""

    count: int = 0
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)


@dataclass(eq=False)
class _Queue:
    """What waits for a channel, by conversation, each with when it is due. `busy` are the conversations in which the
    first one is being sent, `direct` those in which something is sent that did not wait. `left` is what was dealt with
    since the disk was looked at, `look` tells to look again, `looked` when it was looked at for what an ended process
    left."""

    waiting: dict[tuple[str, str], deque[tuple[float, OutboxEntry]]] = field(default_factory=dict)
    busy: set[tuple[str, str]] = field(default_factory=set)
    direct: dict[tuple[str, str], _Direct] = field(default_factory=dict)
    left: set[str] = field(default_factory=set)
    look: bool = True
    looked: float = float("-inf")
    kick: anyio.Event = field(default_factory=anyio.Event)


class Outbox:
    """Delivers what is said. Each channel has a queue a conversation, so that nothing overtakes what waits."""

    def __init__(
        self, records: Records, hooks: Hooks, clock: Clock, notice: Callable[[str], Awaitable[None]],
        hold: Callable[[], Awaitable[None]],
    ) -> None:  # fmt: skip
        self._records = records
        self._hooks = hooks
        self._clock = clock
        self._notice = notice
        self._hold = hold
        self._sender = Sender(clock, records.write)
        self._queues: dict[str, _Queue] = {}
        self._known: set[str] = set()  # what waits here, by id, until it is dealt with
        self._coming: dict[str, OutboxEntry] = {}  # what does not wait, from `entry` until it is forgotten
        self._untold: set[tuple[str, str, str]] = set()
        self.instead: Instead = _nowhere
        self.arrived: Callable[[OutboxEntry], None] = lambda _: None  # told of what was for another channel

    # ---- what is to be said -------------------------------------------------------------------------------------

    def entry(self, outgoing: Outgoing, person: str, session: str, here: bool) -> OutboxEntry:
        """An entry to be committed and then handed to `deliver`, or else to `forget`: on its way at once where its
        channel is *here* and nothing waits in its conversation, else queued. Until then nobody else sends it."""
        where, id, now = outgoing.conversation, outgoing.id, self._clock.now()
        direct = here and not self._behind(where) and id not in self._coming
        entry = OutboxEntry(outgoing, person, session, "sending" if direct else "queued", int(direct), at=now)
        self._coming.setdefault(id, entry)
        if direct and (queue := self._queues.get(where.channel)):
            queue.direct.setdefault((where.id, where.thread), _Direct()).count += 1
        return entry

    def forget(self, entry: OutboxEntry) -> None:
        """The entry was dealt with, or not needed: what waits in its conversation is next. It may be told twice."""
        where, id = entry.outgoing.conversation, entry.outgoing.id
        if self._coming.get(id) is not entry:
            return
        del self._coming[id]
        if queue := self._queues.get(where.channel):
            queue.left.add(id)
            if entry.state == "sending" and (direct := queue.direct.get((where.id, where.thread))):
                direct.count -= 1
                if not direct.count:
                    del queue.direct[where.id, where.thread]
                    queue.kick.set()

    def forget_all(self) -> None:
        """Somebody else may have sent what waits here: what is left of it is read from disk."""
        for queue in self._queues.values():
            for where in [where for where in queue.waiting if where not in queue.busy]:
                self._known.difference_update(each.outgoing.id for _, each in queue.waiting.pop(where))
            queue.look = True

    async def deliver(self, adapter: Adapter | None, given: OutboxEntry) -> OutboxEntry:
        """Sends an entry that is on disk, records what became of it, and queues what has to be tried again; gives the
        entry as it stands then."""
        entry, where = given, given.outgoing.conversation
        if entry.state == "queued" or adapter is None:
            self.forget(given)
            await self._later(entry)
            return entry
        queue = self._queues.get(adapter.channel.name)
        direct = queue.direct.get((where.id, where.thread)) if queue is not None else None
        delivery = None
        try:
            async with direct.lock if direct is not None else nullcontext():
                if self._behind(where):  # what was sent before it has to be sent again
                    entry = msgspec.structs.replace(entry, state="queued")
                else:
                    entry, delivery = await self._attempt(adapter, entry)
        finally:
            self.forget(given)
        if entry.state == "queued":
            await self._later(entry)
        if delivery is not None:
            await self._tell(entry, delivery)
        return entry

    async def _attempt(self, adapter: Adapter, entry: OutboxEntry) -> tuple[OutboxEntry, Delivery]:
        """Sends an entry and records what became of it. Where it is cut off, it is found on disk, as something that an
        ended process left: whoever calls has to forget it."""
        hit("outbox.before")
        await self._hold()
        entry, delivery = await self._sender.sent(adapter, entry)
        hit("outbox.after")
        if entry.state == "dead" and (moved := await self._refused(entry)) is not None:
            return moved, delivery
        self._records.post(entry)
        hit("outbox.marked")
        if entry.state == "sent" and entry.outgoing.id.endswith(MOVED):
            self.arrived(entry)
        return entry, delivery

    async def _refused(self, entry: OutboxEntry) -> OutboxEntry | None:
        """Has what a channel will never take said elsewhere, where that can be; gives the entry as it stands then."""
        try:
            to = await self._move(entry, self.instead)
        except GituError as error:
            log.warning("message %s stays where it was refused: %s", entry.outgoing.id, error)
            return None
        await self._announce(to)
        return None if to is None else _moved(entry, to)

    async def _tell(self, entry: OutboxEntry, delivery: Delivery) -> None:
        if entry.state == "unknown":
            self._untold.add(place_of(entry.outgoing.conversation))
        if self._hooks.wants("gitu_delivered"):
            await self._hooks.observe("gitu_delivered", outgoing=entry.outgoing, delivery=delivery)

    async def live(self, adapter: Adapter | None, job: Job) -> Live | None:
        """What shows a job's answer while it grows; None where its channel cannot, shows it by itself, or has something
        else to send first, and where a plugin looks at what goes out: that is for whole answers."""
        if adapter is None or not adapter.channel.edits or adapter.channel.streams:
            return None
        looked_at = self._hooks.wants("gitu_filter_outgoing") or self._hooks.wants("gitu_guard_outgoing")
        if looked_at or self._behind(job.entry.message.conversation):
            return None

        async def send(outgoing: Outgoing) -> Delivery:
            await self._hold()
            return await self._sender.asked(adapter, outgoing, send=True)

        live = Live(job, adapter.channel, self._records, self._clock, send)
        if job.again:
            await live.resume()
        job.watches.append(live.add)
        return live

    async def tell(self, adapter: Adapter, outgoing: Outgoing) -> None:
        """Says something and keeps no record of it."""
        for piece in pieces(outgoing, adapter.channel):
            await self._sender.send(adapter, piece)

    def _behind(self, where: Conversation) -> bool:
        """True if something waits in a conversation."""
        queue = self._queues.get(where.channel)
        return queue is not None and (where.id, where.thread) in queue.waiting

    async def _later(self, entry: OutboxEntry) -> None:
        """Leaves an entry to the queue of its channel, here or wherever the channel runs."""
        channel = entry.outgoing.conversation.channel
        if (queue := self._queues.get(channel)) is None:
            await self._notice(f"@channel:{channel}")
        elif entry.outgoing.id not in self._known:
            self._put(queue, entry)

    def _put(self, queue: _Queue, entry: OutboxEntry, most: float = GIVE_UP) -> None:
        where = entry.outgoing.conversation
        self._known.add(entry.outgoing.id)
        line = queue.waiting.setdefault((where.id, where.thread), deque())
        due = self._when(entry, most)
        # What was tried already comes before what was said meanwhile.
        if entry.tries and (where.id, where.thread) not in queue.busy:
            line.appendleft((due, entry))
        else:
            line.append((due, entry))
        queue.kick.set()

    def _when(self, entry: OutboxEntry, most: float = GIVE_UP) -> float:
        """When an entry is due, at *most* seconds from now: whoever sets the clock meanwhile changes nothing."""
        return self._clock.monotonic() + min(entry.next_at - self._clock.now(), most)

    # ---- what waits ---------------------------------------------------------------------------------------------

    def kick(self, channel: str) -> None:
        """There may be something on disk that is to be sent on a channel."""
        if queue := self._queues.get(channel):
            queue.look = True
            queue.kick.set()

    async def run(self, adapter: Adapter, begun: anyio.Event) -> None:
        """Sends what waits for a channel, until cancelled; *begun* is set when all of it was tried once. Nobody else
        sends on the channel meanwhile."""
        channel, wait = adapter.channel.name, FIRST_WAIT
        queue = self._queues[channel] = _Queue()
        try:
            async with anyio.create_task_group() as group:
                while True:
                    queue.kick = anyio.Event()
                    try:
                        await self._settle(adapter, queue)
                        await self._send_due(adapter, queue, group)
                        wait, pause = FIRST_WAIT, self._pause(queue)
                    except StoreError as error:
                        log.warning("channel %s: what waits could not be sent: %s", channel, error)
                        queue.look = True
                        wait = pause = min(wait * 2, LONGEST_WAIT)
                    if not queue.busy:
                        begun.set()
                    with anyio.move_on_after(pause):
                        await queue.kick.wait()
        finally:
            begun.set()
            del self._queues[channel]
            for line in queue.waiting.values():
                self._known.difference_update(each.outgoing.id for _, each in line)

    def _pause(self, queue: _Queue) -> float:
        """Seconds until something is to be sent; an hour where nothing waits."""
        taken = queue.busy | queue.direct.keys()
        heads = [line[0][0] for where, line in queue.waiting.items() if where not in taken]
        return max(0.01, min(heads) - self._clock.monotonic()) if heads and len(queue.busy) < AT_ONCE else 3_600.0

    async def _settle(self, adapter: Adapter, queue: _Queue) -> None:
        """Finds on disk what others queued, and what was on its way when a process ended."""
        if not queue.look:
            return
        queue.look, now, states = False, self._clock.monotonic(), ["queued"]
        if now - queue.looked >= RECHECK:
            queue.looked, states = now, ["sending", "queued"]
        for state in states:
            after = ""
            while True:
                queue.left.clear()
                page = await self._records.unsent(PAGE, state, after, adapter.channel.name)
                for entry in page:
                    after = entry.outgoing.id
                    # While the page was read it may have been dealt with: then it is not as the page says.
                    if after in self._known or after in self._coming or after in queue.left:
                        continue
                    if state == "sending":
                        await self._recover(adapter, queue, entry)
                    else:
                        self._put(queue, entry, LONGEST_WAIT)  # written by the clock as it was then
                if len(page) < PAGE // 2:  # one that cannot be read is left out of a page
                    break

    async def _recover(self, adapter: Adapter, queue: _Queue, entry: OutboxEntry) -> None:
        """An entry that was on its way when a process ended."""
        # To change a message twice does no harm.
        how = "idempotent" if entry.outgoing.replaces and not entry.done else adapter.channel.delivery
        if how == "verifiable":
            for piece in pieces(entry.outgoing, adapter.channel)[entry.done :]:
                found = await self._sender.asked(adapter, piece)
                if found.retry_after is not None and self._clock.now() - entry.at < GIVE_UP:
                    return  # it cannot be asked now: it is found, and asked about, at the next look
                if found.state != "sent":
                    how = "blind" if found.state == "unknown" else "idempotent"
                    break
                entry = msgspec.structs.replace(entry, done=entry.done + 1, ids=(*entry.ids, *found.ids))
            else:
                self._records.post(msgspec.structs.replace(entry, state="sent"))
                return
        if how == "idempotent":
            # Where it could not be asked about, it may have arrived.
            unsure = entry.unsure or adapter.channel.delivery != "verifiable"
            self._put(queue, msgspec.structs.replace(entry, next_at=0.0, unsure=unsure))
            return
        lost = msgspec.structs.replace(entry, state=lost_state(entry), detail="the process ended while it was sent")
        self._records.post(lost)
        if lost.state == "unknown":
            self._untold.add(place_of(entry.outgoing.conversation))

    async def _send_due(self, adapter: Adapter, queue: _Queue, group: TaskGroup) -> None:
        """Begins to send what is due, one a conversation and many at once."""
        now, room = self._clock.monotonic(), AT_ONCE - len(queue.busy)
        taken = queue.busy | queue.direct.keys()
        due = [where for where, line in queue.waiting.items() if where not in taken and line[0][0] <= now][:room]
        if not due:
            return
        queue.busy.update(due)
        try:
            entries = [queue.waiting[where][0][1] for where in due]
            entries = [msgspec.structs.replace(each, state="sending", tries=each.tries + 1) for each in entries]
            await self._records.write(*entries)
        except BaseException:  # nothing of it was begun
            queue.busy.difference_update(due)
            raise
        for where, entry in zip(due, entries, strict=True):
            group.start_soon(self._send_one, adapter, queue, where, entry)

    async def _send_one(self, adapter: Adapter, queue: _Queue, where: tuple[str, str], entry: OutboxEntry) -> None:
        line, id = queue.waiting[where], entry.outgoing.id
        try:
            entry, delivery = await self._attempt(adapter, entry)
            line.popleft()
            if entry.state == "queued":
                line.appendleft((self._when(entry), entry))
            await self._tell(entry, delivery)
        except StoreError as error:
            log.warning("channel %s: what waits could not be sent: %s", adapter.channel.name, error)
            line.popleft()
        finally:
            self._freed(queue, where, id)

    def _freed(self, queue: _Queue, where: tuple[str, str], id: str) -> None:
        """Nothing is being sent in a conversation any more; *id* was."""
        line = queue.waiting[where]
        if not line or line[0][1].outgoing.id != id:
            self._known.discard(id)
            queue.left.add(id)
        if not line:
            del queue.waiting[where]
        queue.busy.discard(where)
        queue.kick.set()

    # ---- what goes elsewhere -------------------------------------------------------------------------------------

    async def divert(self, channel: str, instead: Instead) -> None:
        """Has what waits for a channel said elsewhere, in its order and each in one commit, where *instead* tells what.
        Nothing is sent in its conversation meanwhile."""
        if (queue := self._queues.get(channel)) is None:  # the channel ended
            for entry in await self._records.unsent(PAGE, channel=channel):
                await self._announce(await self._move(entry, instead))
            return
        for where in tuple(queue.waiting):
            line = queue.waiting.get(where)
            if not line or where in queue.busy or where in queue.direct:
                continue
            queue.busy.add(where)
            id = line[0][1].outgoing.id
            try:
                for each in tuple(line):
                    if (to := await self._move(each[1], instead)) is not None:
                        line.remove(each)
                        self._known.discard(each[1].outgoing.id)
                        queue.left.add(each[1].outgoing.id)
                        await self._announce(to)
            except BaseException:  # nobody knows whether it was written: what is left is read from disk
                self._known.difference_update(each.outgoing.id for _, each in line)
                line.clear()
                queue.look = True
                raise
            finally:
                self._freed(queue, where, id)

    async def _move(self, entry: OutboxEntry, instead: Instead) -> OutboxEntry | None:
        if (to := await instead(entry)) is not None:
            with anyio.CancelScope(shield=True):  # what is on disk by then must not be sent from memory
                await self._records.write(_moved(entry, to), to)
        return to

    async def _announce(self, to: OutboxEntry | None) -> None:
        if to is not None:
            try:
                hit("outbox.moved")
                await self._later(to)
            except GituError as error:  # it is on disk, and found at the next look
                log.warning("nobody could be told that message %s waits: %s", to.outgoing.id, error)

    # ---- what nobody knows about ---------------------------------------------------------------------------------

    async def look_for_unknown(self) -> None:
        """Finds on disk whom to tell that nobody knows whether something reached them."""
        self._untold = {place_of(each.outgoing.conversation) for each in await self._lost()}

    async def _lost(self) -> list[OutboxEntry]:
        return [each for each in await self._records.undelivered() if each.state == "unknown" and not each.told]

    async def notices(self, person: str, conversation: Conversation, here: bool) -> list[OutboxEntry]:
        """What has to be told in a conversation before anything else, and in no other one, as others may read there:
        records to be committed, the last one to be said."""
        place = place_of(conversation)
        if place not in self._untold:
            return []
        self._untold.discard(place)
        lost = [each for each in await self._lost() if place_of(each.outgoing.conversation) == place]
        if not lost:
            return []
        said = " ".join(f"“{_short(each.outgoing.text)}”" for each in lost)
        text = f"I do not know whether this reached you: {said} Say /resend to get it again."
        id = f"{lost[-1].outgoing.id}{NOTICE}"
        label = join_all(each.outgoing.label for each in lost)
        outgoing = Outgoing(id, id, conversation, (Text(text),), cause=lost[-1].outgoing.cause, label=label)
        told = [msgspec.structs.replace(each, told=True) for each in lost]
        return [*told, self.entry(outgoing, person, lost[-1].session, here)]

    async def again(self, adapter: Adapter | None, entry: OutboxEntry) -> None:
        """Sends once more what was not delivered, or perhaps not, because a person says so."""
        id = f"{entry.outgoing.id}.again"
        outgoing = msgspec.structs.replace(entry.outgoing, id=id, key=id, replaces="")
        fresh = self.entry(outgoing, entry.person, entry.session, adapter is not None)
        await self.once(adapter, fresh)
        await self._records.write(msgspec.structs.replace(entry, state="dropped", told=True, detail=id))

    async def once(self, adapter: Adapter | None, entry: OutboxEntry) -> None:
        """Says something, unless something was to be said under its id before."""
        try:
            if await self._records.enlist(entry):
                hit("notify.after")
                await self.deliver(adapter, entry)
        finally:
            self.forget(entry)


def to_say(entries: Sequence[Record]) -> list[OutboxEntry]:
    """Those of committed records that are to be said now."""
    return [each for each in entries if isinstance(each, OutboxEntry) and each.state in ("queued", "sending")]


async def _nowhere(entry: OutboxEntry) -> None:
    """There is no other channel."""


def _moved(entry: OutboxEntry, to: OutboxEntry) -> OutboxEntry:
    """An entry that is said as *to* instead."""
    return msgspec.structs.replace(entry, state="dropped", detail=f"said on {to.outgoing.conversation.channel} instead")


def _short(text: str) -> str:
    return text if len(text) <= 200 else f"{text[:200]}…"
