"""The world outside of a process under test: it survives the process and counts what really happened.

A `World` is a file that is only ever appended to, one line an event, each written at once, so that a process that is
killed leaves whole lines and any number of processes may write. Its fakes (`counting`) note there what people said,
what a channel delivered, what a remote side did and which models were asked; the harness (`crash`) reads it. Times are
seconds of this machine's monotonic clock, the same in every process.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

import msgspec

PERSON = "ana"
"""Who speaks unless somebody else is named; their chat has the same name."""


class Happening(msgspec.Struct, frozen=True, omit_defaults=True):
    """One event.

    ``said`` and ``acked`` (a person's message, and that its channel was told it is safe), ``sent`` and ``verified``
    (an outgoing message), ``effect`` and ``checked`` (the remote side), ``model.begun`` and ``model.finished``,
    ``trigger`` and ``notified`` (something to say of one's own accord), ``alarm``, ``arming``, ``armed`` and ``rang``
    (a timer: wanted, about to be set, set, handed over), ``started``, ``ready``, ``stalled`` and ``ended`` (a process
    under test), ``hit`` (a failpoint was reached). `waited` tells of some how many seconds their process had stood in
    line for a processor, where the system knows; `replaces` which message another one takes the place of; `reactions`
    what people say as soon as they see it: `World` gives those as events of their own, right behind it.
    """

    kind: str
    key: str = ""
    at: float = 0.0
    pid: int = 0
    user: str = ""
    text: str = ""
    id: str = ""
    cause: str = ""
    ask: str = ""
    choice: str = ""
    number: int = 0
    waited: float = 0.0
    replaces: str = ""
    reactions: tuple[Happening, ...] = ()


PROGRESS = frozenset(
    {"acked", "sent", "verified", "effect", "checked", "model.begun", "model.finished", "notified", "armed", "rang"}
)
"""What shows that a process works on something."""

_decode = msgspec.json.Decoder(Happening).decode
_encode = msgspec.json.Encoder().encode


class World:
    """The world in *folder*, made where there is none."""

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self._file = os.open(self.folder / "world.jsonl", os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        self._read = 0
        self._events: list[Happening] = []
        self._by_kind: dict[str, list[Happening]] = {}
        self._keys: dict[str, set[str]] = {}

    def close(self) -> None:
        """Closes its file; the world goes on."""
        os.close(self._file)

    # ---- writing and reading -----------------------------------------------------------------------------------

    def note(self, kind: str, key: str = "", **fields: Any) -> None:
        """Something happened."""
        waited = _waited() if kind in PROGRESS or kind == "ready" else 0.0
        event = Happening(kind, key, time.monotonic(), os.getpid(), waited=waited, **fields)
        # The first line feed keeps whatever another process left unfinished from spoiling this line.
        os.write(self._file, b"\n" + _encode(event) + b"\n")

    def events(self, kind: str = "") -> Sequence[Happening]:
        """What happened so far, in order; of one *kind* where given."""
        self._refresh()
        return self._by_kind.get(kind, ()) if kind else self._events

    def _refresh(self) -> None:
        while data := os.pread(self._file, 1 << 20, self._read):
            whole = data.rfind(b"\n") + 1
            for line in data[:whole].split(b"\n"):
                if line:
                    self._take(line)
            self._read += whole
            if not whole:
                return

    def _take(self, line: bytes) -> None:
        try:
            event = _decode(line)
        except msgspec.DecodeError:  # torn by a death in the middle of a write
            return
        self._add(event)
        for each in event.reactions:
            if each.key not in self._keys.get(each.kind, ()):  # once, however often they see it
                self._add(msgspec.structs.replace(each, at=event.at, pid=event.pid))

    def _add(self, event: Happening) -> None:
        self._events.append(event)
        self._by_kind.setdefault(event.kind, []).append(event)
        self._keys.setdefault(event.kind, set()).add(event.key)

    def _has(self, kind: str, key: str) -> bool:
        self._refresh()
        return key in self._keys.get(kind, ())

    @property
    def size(self) -> int:
        """How many events there are."""
        return len(self.events())

    # ---- people ------------------------------------------------------------------------------------------------

    def say(self, text: str, user: str = PERSON, key: str = "") -> str:
        """*user* says something in their own chat; gives the key of the message."""
        key = key or f"m{len(self.events('said')) + 1}"
        self.note("said", key, user=user, text=text)
        return key

    def unacknowledged(self) -> list[Happening]:
        """What was said and not taken, in order: a channel hands it over until it is told that it is safe."""
        return self._left("said", "acked")

    def trigger(self, text: str, user: str = PERSON, key: str = "") -> str:
        """Something happened of which the assistant has to tell *user* of its own accord; gives its key."""
        key = key or f"t{len(self.events('trigger')) + 1}"
        self.note("trigger", key, user=user, text=text)
        return key

    def untold(self) -> list[Happening]:
        """Triggers that nobody took over, in order."""
        return self._left("trigger", "notified")

    def alarm(self, text: str, user: str = PERSON, key: str = "") -> str:
        """A timer is wanted, which tells *user* something when it is due; gives its key."""
        key = key or f"a{len(self.events('alarm')) + 1}"
        self.note("alarm", key, user=user, text=text)
        return key

    def unarmed(self) -> list[Happening]:
        """Timers that nobody set, in order."""
        return self._left("alarm", "armed")

    def silent(self) -> list[Happening]:
        """Timers that did not ring, in order."""
        return self._left("alarm", "rang")

    def _left(self, kind: str, taken: str) -> list[Happening]:
        events, keys = self.events(kind), self._keys.get(taken, set())
        return [each for each in events if each.key not in keys] if len(events) > len(keys) else []

    @property
    def people(self) -> list[str]:
        """Everybody who said something or was to be told something."""
        return list(dict.fromkeys(each.user for kind in ("said", "trigger", "alarm") for each in self.events(kind)))

    # ---- channels and remote sides -----------------------------------------------------------------------------

    def seen(self, delivery: Literal["idempotent", "verifiable", "blind"]) -> list[Happening]:
        """What people saw, in order: on an *idempotent* channel the same key shows once, on others each time. A message
        that was changed stands there as it is now."""
        seen: dict[str, Happening] = {}
        known: set[str] = set()
        for number, each in enumerate(self.events("sent")):
            if delivery != "idempotent" or each.key not in known:
                known.add(each.key)
                # What another one changed is told apart by what the channel calls it.
                seen[each.replaces or (shown_as(each.key) if shown_as(each.key) not in seen else f"{number}")] = each
        return list(seen.values())

    def delivered(self, key: str) -> bool:
        """True if people saw something with this key."""
        return self._has("sent", key)

    def happened(self, key: str) -> bool:
        """True if the remote side did what was asked of it under this key."""
        return self._has("effect", key)

    def effects(self) -> dict[str, int]:
        """How often each thing was done, by idempotency key."""
        counts: dict[str, int] = {}
        for each in self.events("effect"):
            counts[each.key] = counts.get(each.key, 0) + 1
        return counts

    def runs(self) -> Iterator[tuple[int, list[Happening]]]:
        """The events of each process under test, in the order the processes started."""
        for started in self.events("started"):
            yield started.pid, [each for each in self.events() if each.pid == started.pid]


def chosen(ask: str, choice: str, user: str = PERSON) -> Happening:
    """*user* answers a question: a reaction to what asked it."""
    return Happening("said", f"answer-{ask}", user=user, ask=ask, choice=choice)


def shown_as(key: str) -> str:
    """What a channel calls the message that it was handed under *key*."""
    return f"out-{key}"


def _waited() -> float:
    """Seconds that this process stood in line for a processor; 0 where the system does not tell."""
    try:
        with open("/proc/self/schedstat", "rb") as file:
            return int(file.read().split()[1]) / 1e9
    except (OSError, IndexError, ValueError):
        return 0.0
