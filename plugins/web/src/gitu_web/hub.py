"""Who is connected right now, and what they are told at once. Losing any of it loses nothing."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from typing import Protocol

from gitu_web.protocol import Told

UNLINKED = 4401, "this device was unlinked"
OUT = 4401, "this user is switched off"
"""The code and the reason that a connection is closed with."""

MOST_GONE = 10_000
"""Devices that were unlinked and are remembered: one may be about to connect."""


class Listener(Protocol):
    """An open connection of a person."""

    device: str

    def ring(self) -> None:
        """There is something new in the mailbox."""

    def tell(self, frame: Told) -> None:
        """Something that is worth showing now, and is not kept."""

    def leave(self, code: int, reason: str) -> None:
        """It has to be closed."""


class Hub:
    """The open connections, by person."""

    def __init__(self) -> None:
        self._open: dict[str, tuple[Listener, ...]] = {}
        self._gone: OrderedDict[str, None] = OrderedDict()

    def join(self, person: str, listener: Listener) -> None:
        """A connection is open from now on."""
        self._open[person] = (*self._open.get(person, ()), listener)
        if listener.device in self._gone:  # while it was on its way in
            listener.leave(*UNLINKED)

    def part(self, person: str, listener: Listener) -> None:
        """It is not."""
        if left := tuple(each for each in self._open.get(person, ()) if each is not listener):
            self._open[person] = left
        else:
            self._open.pop(person, None)

    def of(self, person: str) -> Iterable[Listener]:
        """The connections of a person, as they are now."""
        return self._open.get(person, ())

    def ring(self, person: str) -> None:
        """There is something new for a person."""
        for each in self.of(person):
            each.ring()

    def tell(self, person: str, frame: Told, but: Listener | None = None) -> None:
        """Shows a person something on all connections *but* one."""
        for each in self.of(person):
            if each is not but:
                each.tell(frame)

    def end(self) -> None:
        """The server ends."""
        for person in tuple(self._open):
            for each in self.of(person):
                each.leave(1012, "the server ends; come back with your cursor")

    def unlinked(self, device: str) -> None:
        """A device may not listen any more."""
        self._gone[device] = None
        if len(self._gone) > MOST_GONE:
            self._gone.popitem(last=False)
        for person in tuple(self._open):
            for each in self.of(person):
                if each.device == device:
                    each.leave(*UNLINKED)

    def out(self, person: str) -> None:
        """A person may not listen any more, for now."""
        for each in self.of(person):
            each.leave(*OUT)

    def devices(self) -> set[str]:
        """The devices that are connected."""
        return {each.device for listeners in self._open.values() for each in listeners}

    @property
    def count(self) -> int:
        """How many connections are open."""
        return sum(map(len, self._open.values()))
