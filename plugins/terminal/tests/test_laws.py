"""The channel keeps the laws of the contract, in plain mode: lines through a pipe, answers into a file."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator

import pytest

from gitu_core import Account, Ask, Conversation
from gitu_core.testing.conformance import AdapterLaws
from gitu_terminal.adapter import NAME, Terminal
from gitu_terminal.plain import PlainFront
from gitu_terminal.talk import Talk


class Paper(io.StringIO):
    """What a person reads. It may be torn off before something is written, or just after it."""

    torn = ""

    def write(self, text: str) -> int:
        """Writes, as long as it is there."""
        if self.torn == "down":
            raise BrokenPipeError("nobody reads")
        count = super().write(text)
        if self.torn == "lost":
            raise BrokenPipeError("nobody reads on")
        return count


class Person:
    """Somebody who types lines and reads what comes."""

    failures = ("lost", "down")

    def __init__(self) -> None:
        reading, self._writing = os.pipe()
        self.keys, self.paper = os.fdopen(reading, "rb"), Paper()
        self.talk = Talk(Conversation(NAME, "default"), Account(NAME, "ana"))

    def shown(self) -> list[str]:
        """All that was written."""
        return [self.paper.getvalue()]

    def say(self, text: str, name: str) -> None:
        """Types a line."""
        os.write(self._writing, f"{text}\n".encode())

    def choose(self, ask: Ask, choice: str) -> None:
        """Types a choice; with several questions open, behind the number of the one that is meant."""
        open_ones = list(self.talk.asks)
        number = f"{open_ones.index(ask.id) + 1} " if len(open_ones) > 1 else ""
        self.say(f"{number}{choice}", "")

    def fail(self, how: str) -> None:
        """Tears the paper off."""
        self.paper.torn = how

    def leave(self) -> None:
        """Ends the input."""
        os.close(self._writing)
        self.keys.close()


class TestPlainTerminal(AdapterLaws):
    """A terminal hands nothing over twice and is never told what is safe, so A2 and the first half of A3 do not apply;
    that the person leaves ends `receive`, which is how a chat ends."""

    @pytest.fixture
    def remote(self) -> Iterator[Person]:
        person = Person()
        yield person
        person.leave()

    @pytest.fixture
    def adapter(self, remote: Person) -> Terminal:
        return Terminal(front=PlainFront(remote.talk, remote.keys, remote.paper))
