"""Says things on channels, in order: split to the channel's limit, again where nobody saw it, never blindly.

What is said is on disk before it is sent, as ``sending``. After a crash such an entry is sent again where the channel
drops a key it has seen (``idempotent``), asked about where it can be asked (``verifiable``), and else ``unknown``: its
person is told at the next contact.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import anyio
import msgspec

from gitu_core.contracts import Adapter
from gitu_core.contracts.ports import Clock, Hooks, OutboxEntry, Record, Records
from gitu_core.errors import GituError, StoreError
from gitu_core.failpoints import hit
from gitu_core.gateway.jobs import Job
from gitu_core.gateway.live import Live
from gitu_core.gateway.pieces import pieces
from gitu_core.isolation import is_cancellation
from gitu_core.model import Conversation, Delivery, Outgoing, Text

log = logging.getLogger("gitu.gateway")

FIRST_WAIT, LONGEST_WAIT = 0.5, 60.0
"""Seconds before the second try and between later ones, at most, unless the channel says how long to wait."""

SHORT = 1.0
"""Seconds that a turn's lane waits for a second try; what takes longer is tried again beside it."""

GIVE_UP = 86_400.0
"""Seconds after which what nobody took is given up; a person can have it sent all the same."""


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
        self._waiting: dict[str, dict[tuple[str, str], deque[OutboxEntry]]] = {}
        self._known: set[str] = set()  # what waits or is being sent here, by id
        self._kicks: dict[str, anyio.Event] = {}
        self._untold: set[str] = set()

    # ---- what is to be said -------------------------------------------------------------------------------------

    def entry(self, outgoing: Outgoing, person: str, session: str, here: bool) -> OutboxEntry:
        """An entry to be committed and then handed to `deliver`: on its way at once where its channel is *here* and
        nothing waits in its conversation, else queued."""
        where = outgoing.conversation
        behind = (where.id, where.thread) in self._waiting.get(where.channel, ())
        now = self._clock.now()
        if here and not behind:
            self._known.add(outgoing.id)
            return OutboxEntry(outgoing, person, session, "sending", 1, at=now)
        return OutboxEntry(outgoing, person, session, at=now)

    def forget(self, entry: OutboxEntry) -> None:
        """The entry was not needed."""
        self._known.discard(entry.outgoing.id)

    async def deliver(self, adapter: Adapter | None, entry: OutboxEntry) -> OutboxEntry:
        """Sends an entry that is on disk, records what became of it, and queues what has to be tried again; gives the
        entry as it stands then."""
        if entry.state == "queued" or adapter is None:
            await self._later(entry)
            return entry
        self._known.add(entry.outgoing.id)
        hit("outbox.before")
        await self._hold()
        entry, delivery = await self._sent(adapter, entry)
        hit("outbox.after")
        self._records.post(entry)
        hit("outbox.marked")
        self._known.discard(entry.outgoing.id)
        if entry.state == "queued":
            await self._later(entry)
        elif entry.state == "unknown":
            self._untold.add(entry.person)
        if self._hooks.wants("gitu_delivered"):
            await self._hooks.observe("gitu_delivered", outgoing=entry.outgoing, delivery=delivery)
        return entry

    async def live(self, adapter: Adapter | None, job: Job) -> Live | None:
        """What shows a job's answer while it grows; None where its channel cannot, shows it by itself, or has something
        else to send first, and where a plugin looks at what goes out: that is for whole answers."""
        if adapter is None or not adapter.channel.edits or adapter.channel.streams:
            return None
        where = job.entry.message.conversation
        looked_at = self._hooks.wants("gitu_filter_outgoing") or self._hooks.wants("gitu_guard_outgoing")
        if looked_at or (where.id, where.thread) in self._waiting.get(where.channel, ()):
            return None
        live = Live(adapter, job, self._records, self._clock, self._hold)
        if job.again:
            await live.resume()
        job.watches.append(live.add)
        return live

    async def tell(self, adapter: Adapter, outgoing: Outgoing) -> None:
        """Says something and keeps no record of it."""
        for piece in pieces(outgoing, adapter.channel.max_text):
            await self._send(adapter, piece)

    async def _later(self, entry: OutboxEntry) -> None:
        """Leaves an entry to the queue of its channel, here or wherever the channel runs."""
        channel = entry.outgoing.conversation.channel
        if channel in self._kicks:
            self._queue(entry)
        else:
            await self._notice(f"@channel:{channel}")

    def _queue(self, entry: OutboxEntry) -> None:
        where = entry.outgoing.conversation
        self._known.add(entry.outgoing.id)
        self._waiting.setdefault(where.channel, {}).setdefault((where.id, where.thread), deque()).append(entry)
        self.kick(where.channel)

    async def _sent(self, adapter: Adapter, entry: OutboxEntry) -> tuple[OutboxEntry, Delivery]:
        """Sends the pieces that are left; gives the entry as it stands then."""
        parts = pieces(entry.outgoing, adapter.channel.max_text)
        ids, delivery, first = list(entry.ids), Delivery("sent"), entry.done
        for number in range(first, len(parts)):
            if number > first and (adapter.channel.delivery == "blind" or entry.outgoing.replaces):
                # Which piece was on its way is all that can be known after a crash.
                await self._records.write(msgspec.structs.replace(entry, done=number, ids=tuple(ids)))
            delivery = await self._send(adapter, parts[number])
            ids.extend(delivery.ids)
            entry = msgspec.structs.replace(entry, done=number + (delivery.state == "sent"), ids=tuple(ids))
            if delivery.state != "sent":
                break
        return self._judged(adapter, entry, delivery), delivery

    def _judged(self, adapter: Adapter, entry: OutboxEntry, delivery: Delivery) -> OutboxEntry:
        state: Any = delivery.state
        now, again = self._clock.now(), 0.0
        change = entry.outgoing.replaces and not entry.done
        if change and state == "not_sent" and delivery.final:
            # What was to be changed is gone: it is said anew.
            anew = msgspec.structs.replace(entry.outgoing, replaces="")
            return msgspec.structs.replace(entry, outgoing=anew, state="queued", next_at=now, detail=delivery.detail)
        if state == "not_sent" or (state == "unknown" and (change or adapter.channel.delivery == "idempotent")):
            wait = delivery.retry_after
            wait = min(FIRST_WAIT * 2**entry.tries, LONGEST_WAIT) if wait is None else wait
            dead = delivery.final or now + wait - (entry.at or now) > GIVE_UP
            state, again = ("dead", 0.0) if dead else ("queued", now + wait)
        return msgspec.structs.replace(entry, state=state, next_at=again, detail=delivery.detail)

    async def _send(self, adapter: Adapter, outgoing: Outgoing) -> Delivery:
        waited = 0.0
        while True:
            try:
                delivery = await adapter.send(outgoing)
                if delivery.state == "unknown" and adapter.channel.delivery == "verifiable":
                    delivery = await adapter.verify(outgoing)
            except GituError as error:
                # `send` broke law A4. Nobody can tell how far it came.
                return Delivery("unknown", detail=str(error))
            except BaseException as error:  # an adapter is somebody else's code; the same holds for whatever it raises
                if is_cancellation(error):
                    raise
                log.exception("adapter %s raised in send", adapter.channel.name)
                return Delivery("unknown", detail=f"{type(error).__name__} in send")
            wait = FIRST_WAIT if delivery.retry_after is None else delivery.retry_after
            if delivery.state != "not_sent" or delivery.final or waited + wait > SHORT:
                return delivery
            waited += max(wait, 0.01)
            await self._clock.sleep(wait)

    # ---- what waits ---------------------------------------------------------------------------------------------

    def kick(self, channel: str) -> None:
        """There may be something to send on a channel."""
        event = self._kicks.get(channel)
        if event is not None:
            event.set()

    async def run(self, adapter: Adapter, begun: anyio.Event) -> None:
        """Sends what waits for a channel, until cancelled; *begun* is set when all of it was tried once. Nobody else
        sends on the channel meanwhile."""
        channel, wait = adapter.channel.name, FIRST_WAIT
        self._kicks[channel] = anyio.Event()
        try:
            while True:
                try:
                    await self._settle(adapter)
                    await self._send_due(adapter)
                    wait, pause = FIRST_WAIT, self._due(channel)
                except StoreError as error:
                    log.warning("channel %s: what waits could not be sent: %s", channel, error)
                    wait = pause = min(wait * 2, LONGEST_WAIT)
                begun.set()
                with anyio.move_on_after(pause):
                    await self._kicks[channel].wait()
                self._kicks[channel] = anyio.Event()
        finally:
            begun.set()
            del self._kicks[channel]
            for queue in self._waiting.pop(channel, {}).values():
                self._known.difference_update(each.outgoing.id for each in queue)

    def _due(self, channel: str) -> float:
        """Seconds until something is to be sent; an hour where nothing waits."""
        heads = [queue[0].next_at for queue in self._waiting.get(channel, {}).values()]
        return max(0.01, min(heads) - self._clock.now()) if heads else 3_600.0

    async def _settle(self, adapter: Adapter) -> None:
        """Finds on disk what others queued, and what was on its way when a process ended."""
        for state in ("sending", "queued"):
            after = ""
            while page := await self._records.unsent(state=state, after=after, channel=adapter.channel.name):
                after = page[-1].outgoing.id
                for entry in page:
                    await self._found(adapter, entry)

    async def _found(self, adapter: Adapter, entry: OutboxEntry) -> None:
        if entry.outgoing.id in self._known:
            return
        # While the page was read it may have been sent here: then it is not as the page says.
        now = await self._records.outgoing(entry.outgoing.id)
        if now is None or now.state != entry.state or now.outgoing.id in self._known:
            return
        if now.state == "sending":
            await self._recover(adapter, now)
        else:
            self._queue(now)

    async def _recover(self, adapter: Adapter, entry: OutboxEntry) -> None:
        """An entry that was on its way when a process ended."""
        # To change a message twice does no harm.
        how = "idempotent" if entry.outgoing.replaces and not entry.done else adapter.channel.delivery
        if how == "verifiable":
            for piece in pieces(entry.outgoing, adapter.channel.max_text)[entry.done :]:
                found = await adapter.verify(piece)
                if found.state != "sent":
                    how = "blind" if found.state == "unknown" else "idempotent"
                    break
                entry = msgspec.structs.replace(entry, done=entry.done + 1, ids=(*entry.ids, *found.ids))
            else:
                self._records.post(msgspec.structs.replace(entry, state="sent"))
                return
        if how == "idempotent":
            await self.deliver(adapter, entry)
            return
        self._untold.add(entry.person)
        self._records.post(
            msgspec.structs.replace(entry, state="unknown", detail="the process ended while it was sent")
        )

    async def _send_due(self, adapter: Adapter) -> None:
        queues = self._waiting.get(adapter.channel.name, {})
        for where in list(queues):
            while (queue := queues.get(where)) and queue[0].next_at <= self._clock.now():
                entry = msgspec.structs.replace(queue[0], state="sending", tries=queue[0].tries + 1)
                await self._records.write(entry)
                queue.popleft()
                if not queue:
                    del queues[where]
                await self.deliver(adapter, entry)

    # ---- what nobody knows about ---------------------------------------------------------------------------------

    async def look_for_unknown(self) -> None:
        """Finds on disk whom to tell that nobody knows whether something reached them."""
        entries = await self._records.undelivered()
        self._untold = {entry.person for entry in entries if entry.state == "unknown" and not entry.told}

    async def notices(self, person: str, conversation: Conversation, here: bool) -> list[OutboxEntry]:
        """What a person has to be told before anything else: records to be committed, the last one to be said."""
        if person not in self._untold:
            return []
        self._untold.discard(person)
        lost = [each for each in await self._records.undelivered(person) if each.state == "unknown" and not each.told]
        if not lost:
            return []
        said = " ".join(f"“{_short(each.outgoing.text)}”" for each in lost)
        text = f"I do not know whether this reached you: {said} Say /resend to get it again."
        id = f"{lost[-1].outgoing.id}.unknown"
        outgoing = Outgoing(id, id, conversation, (Text(text),), cause=lost[-1].outgoing.cause)
        told = [msgspec.structs.replace(each, told=True) for each in lost]
        return [*told, self.entry(outgoing, person, lost[-1].session, here)]

    async def again(self, adapter: Adapter | None, entry: OutboxEntry) -> None:
        """Sends once more what was not delivered, or perhaps not, because a person says so."""
        id = f"{entry.outgoing.id}.again"
        outgoing = msgspec.structs.replace(entry.outgoing, id=id, key=id, replaces="")
        fresh = self.entry(outgoing, entry.person, entry.session, adapter is not None)
        await self._records.write(msgspec.structs.replace(entry, state="dropped", told=True, detail=id), fresh)
        await self.deliver(adapter, fresh)


def to_say(entries: Sequence[Record]) -> list[OutboxEntry]:
    """Those of committed records that are to be said now."""
    return [each for each in entries if isinstance(each, OutboxEntry) and each.state in ("queued", "sending")]


def _short(text: str) -> str:
    return text if len(text) <= 200 else f"{text[:200]}…"
