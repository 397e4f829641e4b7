"""Another way to a person: what their channel does not take is said on another one of theirs, once, and never doubled.

Only what surely nobody saw is moved: an entry of which any try may have arrived stays where it is. It goes to a private
chat of the same person, on a channel that works and whose senders cannot be forged, and says why it comes there.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable

from msgspec.structs import replace

from gitu_core.contracts.ports import Clock, OutboxEntry, Sessions
from gitu_core.errors import GituError
from gitu_core.gateway.identity import Identity
from gitu_core.gateway.outbox import Outbox
from gitu_core.gateway.pulse import Pulse, clock_time
from gitu_core.gateway.sending import MOVED, NOTICE
from gitu_core.model import Conversation, Outgoing, Text, user
from gitu_core.model.label import by_system

log = logging.getLogger("gitu.gateway")

MOVE_AFTER, TELL_AFTER = 60.0, 300.0
"""Seconds for which a channel is down before what waits for it goes elsewhere, and before people are told of it."""

STUCK = 600.0
"""Seconds after which what was tried and not taken goes elsewhere, also where the channel says that it is well."""

LATELY = 86_400.0
"""Seconds within which somebody used a channel who is told that it is down."""

ASK_AGAIN = 60.0
"""Seconds for which it is remembered that there is no other way to a person."""


class Fallback:
    """Finds other ways. *works* tells whether a channel does, *say* says something of the assistant's own accord."""

    def __init__(
        self, outbox: Outbox, sessions: Sessions, identity: Identity, clock: Clock,
        works: Callable[[str], Awaitable[bool]], say: Callable[[Outgoing], Awaitable[None]],
    ) -> None:  # fmt: skip
        self._outbox, self._sessions, self._identity, self._clock = outbox, sessions, identity, clock
        self._works, self._say = works, say
        self._nowhere: dict[tuple[str, str], float] = {}

    async def look(self, pulse: Pulse) -> None:
        """Moves what has waited for too long for a channel; tells its people once an outage that it is down."""

        async def instead(entry: OutboxEntry) -> OutboxEntry | None:
            if pulse.down > MOVE_AFTER:
                return await self.instead(entry, f"which is down since {clock_time(pulse.outage)}")
            return await self.instead(entry) if entry.tries and self._clock.now() - entry.at > STUCK else None

        await self._outbox.divert(pulse.name, instead)
        if pulse.down > TELL_AFTER and not pulse.told:
            pulse.told = True
            await self._tell(pulse)

    async def instead(self, entry: OutboxEntry, why: str = "which did not take it") -> OutboxEntry | None:
        """What is said elsewhere in the place of an entry that was not sent; None where it has to stay."""
        said, here = entry.outgoing, entry.outgoing.conversation
        stays = entry.unsure or entry.done or here.kind == "group" or said.id.endswith((MOVED, NOTICE))
        if stays or not said.label.readable_by(user(entry.person)):
            return None
        where = await self._place(entry.person, here.channel)
        if where is None:
            return None
        session, id = await self._sessions.session_of(where), f"{said.id}{MOVED}"
        parts = (Text(f"(This was for {here.channel}, {why}.)"), *said.parts)
        outgoing = replace(said, id=id, key=id, conversation=where, parts=parts, reply_to="", replaces="")
        lane = session.id if session is not None else entry.session
        return OutboxEntry(outgoing, entry.person, lane, at=self._clock.now())

    async def _place(self, person: str, channel: str) -> Conversation | None:
        """A private chat of a person on another channel that works, the one that they turned to last."""
        now = self._clock.monotonic()
        if not person or now < self._nowhere.get((person, channel), 0.0):
            return None
        if ways := await self._identity.ways(person, channel):
            for each in await self._sessions.conversations(person):
                if each.kind == "direct" and each.channel in ways and await self._works(each.channel):
                    return each
        if len(self._nowhere) > 10_000:
            self._nowhere.clear()
        self._nowhere[person, channel] = now + ASK_AGAIN
        return None

    async def _tell(self, pulse: Pulse) -> None:
        words = f"{pulse.name} is down since {clock_time(pulse.outage)}. What I have to say there comes here meanwhile."
        for person in await self._identity.lately(pulse.name, self._clock.now() - LATELY):
            id = f"down.{pulse.name}.{pulse.outage:.0f}.{person}"
            try:
                if (where := await self._place(person, pulse.name)) is not None:
                    await self._say(Outgoing(id, id, where, (Text(words),), label=by_system()))
            except GituError as error:  # one who cannot be told is no reason to leave out the others
                log.warning("%s could not be told that %s is down: %s", person, pulse.name, error)
