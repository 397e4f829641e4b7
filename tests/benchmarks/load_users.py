"""Many people at once: a channel in memory with simulated users, and the book that is kept of what they see.

Every message says which it is and the model repeats it, so that an answer can be told from any other one's. The model
also says how long it took; what is left of the time from `accept` to `send` is the framework's.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from gitu_core.contracts import Channel, Inbox
from gitu_core.errors import GituError
from gitu_core.model import Account, Conversation, Delivery, Health, Message, Outgoing, Text, TurnEvent

CHANNEL = "load"
_SAID = re.compile(r"echo (\d+-\d+) took=([\d.]+)")


@dataclass
class Book:
    """What was said and what was seen. Times are seconds."""

    asked: dict[str, float] = field(default_factory=dict)
    accepted: dict[str, float] = field(default_factory=dict)
    """How long `accept` took."""

    total: dict[str, float] = field(default_factory=dict)
    own: dict[str, float] = field(default_factory=dict)
    """The whole time without the model's."""

    keys: dict[str, str] = field(default_factory=dict)
    """The message that was answered under a key."""

    errors: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)
    repeated: int = 0
    """How often the same answer was handed over again under its key, which the channel drops."""

    def said(self, key: str) -> None:
        """A user says something."""
        self.asked[key] = time.perf_counter()

    def saw(self, outgoing: Outgoing) -> None:
        """A user sees something."""
        now = time.perf_counter()
        if outgoing.key in self.keys:
            self.repeated += 1
            return
        found = _SAID.fullmatch(outgoing.text)
        key = found[1] if found else ""
        self.keys[outgoing.key] = key
        if found is None or key not in self.asked or outgoing.conversation.id != f"u{key.partition('-')[0]}":
            self.errors.append(f"{outgoing.conversation.id} saw {outgoing.text[:200]!r}")
        elif key in self.total:
            self.doubled.append(key)
        else:
            self.total[key] = now - self.asked[key]
            self.own[key] = self.total[key] - float(found[2])

    @property
    def lost(self) -> list[str]:
        """What was accepted and never answered."""
        return sorted(self.accepted.keys() - self.total.keys())


class Crowd:
    """The channel (the contract `Adapter`): *users* people, each of whom says something every *every* seconds, for
    *seconds* seconds; then it waits at most *patience* seconds for what is still to come, and ends."""

    def __init__(self, users: int, every: float, seconds: float, patience: float) -> None:
        self.channel = Channel(CHANNEL, delivery="idempotent", trusted=True, access="open")
        self.book = Book()
        self.began = asyncio.Event()
        self._silence = asyncio.Event()
        self._users, self._every, self._seconds, self._patience = users, every, seconds, patience

    async def receive(self, inbox: Inbox) -> None:
        """Lets everybody talk, evenly spread over time."""
        start = time.perf_counter()
        self.began.set()
        await asyncio.gather(*(self._person(inbox, number, start) for number in range(self._users)))
        if self.book.lost:
            self._silence.clear()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._silence.wait(), self._patience)
        await asyncio.sleep(1)  # whatever comes twice comes now

    async def _person(self, inbox: Inbox, number: int, start: float) -> None:
        for turn in range(round(self._seconds / self._every)):
            due = start + self._every * (turn + number / self._users)
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            await self._say(inbox, f"{number}-{turn}", f"u{number}")

    async def _say(self, inbox: Inbox, key: str, who: str) -> None:
        message = Message(key, Conversation(CHANNEL, who), Account(CHANNEL, who), (Text(key),))
        self.book.said(key)
        try:
            await inbox.accept(message)
        except GituError as error:
            self.book.errors.append(f"{who} was refused: {type(error).__name__}: {error}")
            return
        self.book.accepted[key] = time.perf_counter() - self.book.asked[key]

    async def send(self, outgoing: Outgoing) -> Delivery:
        """Shows an answer."""
        self.book.saw(outgoing)
        if len(self.book.total) >= len(self.book.accepted):
            self._silence.set()
        return Delivery("sent", ids=(outgoing.key,))

    async def verify(self, outgoing: Outgoing) -> Delivery:
        """Tells whether an answer was shown."""
        return Delivery("sent" if outgoing.key in self.book.keys else "not_sent")

    async def show(self, conversation: Conversation, event: TurnEvent) -> None:
        """Shows nothing while a turn runs."""

    async def health(self) -> Health:
        """Always well."""
        return Health()


def share(values: Sequence[float], part: float) -> float:
    """The value that *part* of the *values* do not exceed; infinite where there are none."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(part * len(ordered)))] if ordered else float("inf")
