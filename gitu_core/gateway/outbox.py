"""Says things on channels: split to the channel's limit, tried again when nobody saw it, never when nobody knows."""

from __future__ import annotations

import logging
from typing import Any

import msgspec

from gitu_core.contracts import Adapter
from gitu_core.contracts.ports import Clock, Hooks, OutboxEntry, Records
from gitu_core.errors import GituError
from gitu_core.isolation import is_cancellation
from gitu_core.model import Delivery, Outgoing, Text

log = logging.getLogger("gitu.gateway")

TRIES = 5
FIRST_WAIT = 0.5
"""Seconds before the second try; doubles with every further one, unless the channel says how long to wait."""


class Outbox:
    """Delivers outgoing messages through adapters."""

    def __init__(self, records: Records, hooks: Hooks, clock: Clock) -> None:
        self._records = records
        self._hooks = hooks
        self._clock = clock

    async def deliver(self, adapter: Adapter, entry: OutboxEntry, tries: int = TRIES, failed: str = "dead") -> Delivery:
        """Sends an entry that is stored already, and records what became of it; *failed* is its state where nobody saw
        any of it and another try may help."""
        delivery = await self.tell(adapter, entry.outgoing, tries)
        state: Any = delivery.state
        if state == "not_sent":
            state = "dead" if delivery.final or delivery.ids else failed
        self._records.post(msgspec.structs.replace(entry, state=state, ids=delivery.ids, detail=delivery.detail))
        if self._hooks.wants("gitu_delivered"):
            await self._hooks.observe("gitu_delivered", outgoing=entry.outgoing, delivery=delivery)
        return delivery

    async def tell(self, adapter: Adapter, outgoing: Outgoing, tries: int = TRIES) -> Delivery:
        """Sends something and keeps no record of it."""
        ids: list[str] = []
        delivery = Delivery("not_sent")
        for piece in pieces(outgoing, adapter.channel.max_text):
            delivery = await self._send(adapter, piece, tries)
            ids.extend(delivery.ids)
            if delivery.state != "sent":
                break
        return msgspec.structs.replace(delivery, ids=tuple(ids))

    async def send_queued(self, adapter: Adapter) -> bool:
        """Sends what waits for this channel, each once; False if something still waits, because nobody saw it."""
        after = ""
        while page := await self._records.unsent(after=after):
            for entry in page:
                after = entry.outgoing.id
                if entry.outgoing.conversation.channel != adapter.channel.name:
                    continue
                entry = msgspec.structs.replace(entry, state="sending", tries=entry.tries + 1)
                await self._records.write(entry)
                delivery = await self.deliver(adapter, entry, tries=1, failed="queued")
                if delivery.state == "not_sent" and not delivery.final and not delivery.ids:
                    return False
        return True

    async def _send(self, adapter: Adapter, outgoing: Outgoing, tries: int) -> Delivery:
        delivery = Delivery("not_sent")
        for attempt in range(tries):
            try:
                delivery = await adapter.send(outgoing)
            except GituError as error:
                # `send` broke law A4. Nobody can tell how far it came, so that nobody may send it again.
                return Delivery("unknown", detail=str(error))
            except BaseException as error:  # an adapter is somebody else's code; the same holds for whatever it raises
                if is_cancellation(error):
                    raise
                log.exception("adapter %s raised in send", adapter.channel.name)
                return Delivery("unknown", detail=f"{type(error).__name__} in send")
            if delivery.state != "not_sent" or delivery.final:
                return delivery
            if attempt + 1 < tries:
                wait = delivery.retry_after if delivery.retry_after is not None else FIRST_WAIT * 2**attempt
                await self._clock.sleep(wait)
        return delivery


def pieces(outgoing: Outgoing, limit: int) -> list[Outgoing]:
    """*outgoing* in as many messages as the *limit* (characters, 0 = none) asks for, each with its own key."""
    if not limit or all(len(part.text) <= limit for part in outgoing.parts if isinstance(part, Text)):
        return [outgoing]
    parts: list[Any] = []
    for part in outgoing.parts:
        if isinstance(part, Text):
            parts.extend(msgspec.structs.replace(part, text=text) for text in split(part.text, limit))
        else:
            parts.append(part)
    return [
        msgspec.structs.replace(outgoing, parts=(part,), key=f"{outgoing.key}.{number}", id=f"{outgoing.id}.{number}")
        for number, part in enumerate(parts)
    ]


def split(text: str, limit: int) -> list[str]:
    """*text* in pieces of at most *limit* characters, cut at paragraphs, lines or words where that is possible."""
    found = []
    while len(text) > limit:
        cut = max((text.rfind(mark, limit // 2, limit) + len(mark) for mark in ("\n\n", "\n", " ")), default=0)
        cut = cut if cut > limit // 2 else limit
        found.append(text[:cut])
        text = text[cut:]
    return [*found, text] if text else found
