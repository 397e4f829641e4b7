"""Sends one entry of the outbox: piece by piece, and judges what became of it."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import Any, Literal

import anyio
import msgspec

from gitu_core.contracts import Adapter
from gitu_core.contracts.ports import Clock, OutboxEntry
from gitu_core.errors import GituError, LeaseLost, StoreError
from gitu_core.gateway.pieces import pieces
from gitu_core.isolation import is_cancellation
from gitu_core.model import Delivery, Outgoing
from gitu_core.secrecy import hidden

log = logging.getLogger("gitu.gateway")

FIRST_WAIT, LONGEST_WAIT = 0.5, 60.0
"""Seconds before the second try and between later ones, at most, unless the channel says how long to wait."""

SHORT = 1.0
"""Seconds that a turn's lane waits for a second try; what takes longer is tried again beside it."""

NOTICE = ".unknown"
"""What the ids of those messages end with that tell of what may have been lost."""

MOVED = ".moved"
"""What the ids of those messages end with that were for another channel."""

SEND_WITHIN = 60.0
"""Seconds within which a channel has to take a message."""

GIVE_UP = 86_400.0
"""Seconds after which what nobody took is given up; a person can have it sent all the same."""

RECHECK = 1.0
"""Seconds after which a channel that cannot be asked is asked again, at least."""


class Sender:
    """Sends. *write* commits how far it came."""

    def __init__(self, clock: Clock, write: Callable[[OutboxEntry], Awaitable[None]]) -> None:
        self._clock = clock
        self._write = write

    async def sent(self, adapter: Adapter, entry: OutboxEntry) -> tuple[OutboxEntry, Delivery]:
        """Sends the pieces that are left; gives the entry as it stands then."""
        parts = pieces(entry.outgoing, adapter.channel)
        ids, delivery, first = list(entry.ids), Delivery("sent"), entry.done
        for number in range(first, len(parts)):
            if number > first and (adapter.channel.delivery == "blind" or entry.outgoing.replaces):
                # Which piece was on its way is all that can be known after a crash.
                try:
                    await self._write(msgspec.structs.replace(entry, done=number, ids=tuple(ids)))
                except LeaseLost:
                    raise
                except StoreError as error:  # it goes on here when the store does
                    delivery = Delivery("not_sent", detail=error.message)
                    break
            delivery = await self.send(adapter, parts[number])
            ids.extend(delivery.ids)
            entry = msgspec.structs.replace(entry, done=number + (delivery.state == "sent"), ids=tuple(ids))
            if delivery.state != "sent":
                break
        return self._judged(adapter, entry, delivery), delivery

    def _judged(self, adapter: Adapter, entry: OutboxEntry, delivery: Delivery) -> OutboxEntry:
        state: Any = delivery.state
        if state == "unknown":
            entry = msgspec.structs.replace(entry, unsure=True)
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
        elif state == "unknown":
            state = lost_state(entry)
        return msgspec.structs.replace(entry, state=state, next_at=again, detail=hidden(delivery.detail))

    async def asked(self, adapter: Adapter, outgoing: Outgoing, send: bool = False) -> Delivery:
        """What became of a message that is sent now, or was sent earlier. Where an adapter raises, or takes too long,
        it broke law A4, and nobody can tell how far it came."""
        detail, name = f"no answer within {SEND_WITHIN:g} s", adapter.channel.name
        try:
            with anyio.move_on_after(SEND_WITHIN):
                delivery = await adapter.send(outgoing) if send else Delivery("unknown")
                if delivery.state == "unknown" and adapter.channel.delivery == "verifiable":
                    delivery = await adapter.verify(outgoing)
                return delivery
        except GituError as error:
            detail = str(error)
        except BaseException as error:  # an adapter is somebody else's code; the same holds for whatever it raises
            if is_cancellation(error):
                raise
            log.exception("adapter %s raised in %s", name, "send" if send else "verify")
            detail = f"{type(error).__name__} in {'send' if send else 'verify'}"
        return Delivery("unknown", detail=detail, retry_after=None if send else RECHECK)

    async def send(self, adapter: Adapter, outgoing: Outgoing) -> Delivery:
        """Sends one message; once more where nobody saw it and the channel can be asked again soon."""
        waited = 0.0
        while True:
            delivery = await self.asked(adapter, outgoing, send=True)
            wait = FIRST_WAIT if delivery.retry_after is None else delivery.retry_after
            if delivery.state != "not_sent" or delivery.final or waited + wait > SHORT:
                return delivery
            waited += max(wait, 0.01)
            await self._clock.sleep(wait)


def lost_state(entry: OutboxEntry) -> Literal["unknown", "dropped"]:
    """The state of what may have arrived or not. Nobody has to be told that about what tells it."""
    return "dropped" if entry.outgoing.id.endswith(NOTICE) else "unknown"
