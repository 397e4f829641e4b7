"""What a person and the assistant said to each other on this channel, in order, so that no client misses any of it.

Each person has a mailbox. A message in it is named by a cursor ``ERA.NUMBER``; a client that comes back says the last
one that it has and gets what came after it. The era is made with the mailbox: where the mailbox was lost or erased, an
old cursor is noticed. Everything carries its person and label, so that export and erasure reach it.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal, TypeVar
from urllib.parse import quote

import anyio
import msgspec

from gitu_core.contracts import Ask, Entry, Kv, Label, Outgoing, Part, new_id
from gitu_web.hub import Hub
from gitu_web.protocol import Letter

RECENT = 32
"""So many of the newest messages of a mailbox are held in memory, while it is in use."""

OPEN = 2_000
"""Mailboxes that are held in memory; of others, the one that was not used for the longest time is left out."""

DAY = 86_400.0

T = TypeVar("T")


class Kept(msgspec.Struct, frozen=True, omit_defaults=True):
    """A message as it lies in the store."""

    kind: Literal["told", "said"]
    key: str
    at: float
    parts: tuple[Part, ...]
    chat: str = ""
    cause: str = ""
    reply_to: str = ""
    device: str = ""


@dataclass
class Page:
    """Some messages. `cursor` is the last of them, `reset` tells that what comes after the cursor is not all kept,
    `more` that there is more."""

    letters: Sequence[Letter]
    cursor: str
    reset: bool = False
    more: bool = False


@dataclass
class Box:
    """The mailbox of a person, as far as it is held in memory. `low` is the number of the oldest that is kept, `last`
    that of the newest; those that are `pending` were written and not accepted yet."""

    era: str = ""
    low: int = 1
    last: int = 0
    keys: dict[str, int] = field(default_factory=dict)
    recent: list[tuple[int, Letter]] = field(default_factory=list)
    pending: set[int] = field(default_factory=set)

    @cached_property
    def lock(self) -> anyio.Lock:
        """For whoever writes. (Most mailboxes are only looked at.)"""
        return anyio.Lock()

    @property
    def busy(self) -> bool:
        """True while something is written or waits to be accepted."""
        return bool(self.pending) or ("lock" in vars(self) and self.lock.locked())

    def cursor(self, number: int) -> str:
        """The cursor of a message; that before the first one is empty."""
        return f"{self.era}.{number}" if number else ""

    def number(self, cursor: str) -> int | None:
        """The number that a cursor stands for, where it is one of this mailbox."""
        if not cursor:
            return self.low - 1
        era, _, number = cursor.rpartition(".")
        known = era == self.era and number.isascii() and number.isdecimal() and len(number) < 16
        return int(number) if known and int(number) <= self.end else None

    @property
    def end(self) -> int:
        """The number of the newest message that people may see: none that is pending, and none behind such a one, or
        whoever read up to there would miss it."""
        most = min(self.pending, default=self.last + 1)
        for number, _ in reversed(self.recent):
            if number < most:
                return number
        # So much stands behind what is pending, or was refused, that it is not in memory: its number is.
        return max(self.low - 1, max((number for number in self.keys.values() if number < most), default=0))


class Mailboxes:
    """The mailboxes of all people. *kept* messages are kept of each, for at most *days*."""

    def __init__(
        self, kv: Kv, hub: Hub | None = None, *, kept: int = 500, days: float = 90,
        clock: Callable[[], float] = time.time,
    ) -> None:  # fmt: skip
        self._kv, self._kept, self._seconds, self._clock = kv, kept, days * DAY, clock
        self.hub = hub or Hub()
        self._boxes: OrderedDict[str, Box] = OrderedDict()
        self._opening: dict[str, asyncio.Future[Box]] = {}
        self._tasks: set[asyncio.Future[Any]] = set()

    # ---- writing -------------------------------------------------------------------------------------------------

    async def put(self, outgoing: Outgoing) -> str:
        """Adds what the assistant says; gives its cursor. The same key again changes nothing."""
        where, cause = outgoing.conversation, _message(outgoing.cause)
        kept = Kept("told", f"out:{outgoing.key}", self._clock(), outgoing.parts, where.thread, cause,
                    outgoing.reply_to)  # fmt: skip
        return await self._whole(self._put(where.id, kept, outgoing.label))

    async def has(self, person: str, key: str) -> str:
        """The cursor of what the assistant said under a key; empty where there is none."""
        box = await self._box(person)
        return box.cursor(box.keys.get(f"out:{key}", 0))

    async def said(self, person: str, key: str) -> bool:
        """True if the person said something under a key, accepted or on its way."""
        return f"in:{key}" in (await self._box(person)).keys

    async def hold(self, person: str, kept: Kept, label: Label, accept: Callable[[], Awaitable[T]]) -> T:
        """Adds what a person says as *accept* takes it, and gives what that gives. It is written first, so that no
        answer stands before it, and nobody is told of it before it was accepted; what is refused is taken out again."""
        return await self._whole(self._hold(person, kept, label, accept))

    async def _whole(self, work: Coroutine[Any, Any, T]) -> T:
        """Does *work* to its end, whether or not its caller waits for that: half of it would be in the store and not in
        memory."""
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return await asyncio.shield(task)

    async def _put(self, person: str, kept: Kept, label: Label) -> str:
        box = await self._box(person)
        async with box.lock:
            fresh = kept.key not in box.keys
            number = await self._write(box, person, kept, label)
        if fresh:
            await self._announce(box, person)
        return box.cursor(number)

    async def _hold(self, person: str, kept: Kept, label: Label, accept: Callable[[], Awaitable[T]]) -> T:
        box = await self._box(person)
        async with box.lock:
            fresh = kept.key not in box.keys
            number = await self._write(box, person, kept, label, pending=fresh)
        if not fresh:
            return await accept()
        try:
            given = await accept()
        except BaseException:  # whatever it was, it was not accepted; it is raised on
            async with box.lock:
                await self._take_out(box, person, number)
            raise
        box.pending.discard(number)
        await self._announce(box, person)
        return given

    async def _write(self, box: Box, person: str, kept: Kept, label: Label, pending: bool = False) -> int:
        if (known := box.keys.get(kept.key)) is not None:
            return known
        if not box.era:
            await self._kv.put(Entry(_era(person), era := new_id(), person=person))
            box.era = era
        number = box.last + 1
        await self._kv.put(Entry(_key(person, number), msgspec.to_builtins(kept), person=person, label=label))
        box.last = box.keys[kept.key] = number
        if pending:
            box.pending.add(number)
        box.recent.append((number, _letter(box, number, kept)))
        return number

    async def _take_out(self, box: Box, person: str, number: int) -> None:
        await self._kv.delete(_key(person, number))
        box.recent = [each for each in box.recent if each[0] != number]
        box.keys = {key: known for key, known in box.keys.items() if known != number}
        box.pending.discard(number)
        box.last -= box.last == number  # nobody saw it

    async def _announce(self, box: Box, person: str) -> None:
        """Tells who listens, and drops the oldest beyond what is kept."""
        self.hub.ring(person)
        async with box.lock:
            del box.recent[:-RECENT]
            while box.last - box.low >= self._kept:
                await self._kv.delete(_key(person, box.low))
                box.low += 1
            if len(box.keys) > 2 * self._kept:
                box.keys = {key: number for key, number in box.keys.items() if number >= box.low}

    # ---- reading -------------------------------------------------------------------------------------------------

    async def after(self, person: str, cursor: str, limit: int = 100) -> Page:
        """The messages behind a cursor, the oldest first. An empty cursor is that before the first one; with one of
        another mailbox, or of what is not kept any more, it is `reset`."""
        box = await self._box(person)
        number = box.number(cursor)
        reset = number is None or number + 1 < box.low
        start = box.low - 1 if number is None or reset else number
        found = await self._from(box, person, start, limit)
        last = found[-1][0] if found else start
        return Page([letter for _, letter in found], box.cursor(last), reset, last < box.end)

    async def newest(self, person: str, limit: int = 50) -> Page:
        """The last messages, the oldest of them first; there are `more` before them."""
        box = await self._box(person)
        start = max(box.low - 1, box.end - limit)
        found = await self._from(box, person, start, limit)
        return Page([letter for _, letter in found], box.cursor(box.end), more=start >= box.low)

    async def here(self, person: str) -> str:
        """The cursor of the newest message."""
        box = await self._box(person)
        return box.cursor(box.end if box.era else 0)

    async def known(self, person: str, cursor: str) -> tuple[str, bool]:
        """The cursor to go on from, and whether something behind the given one is not kept any more."""
        box = await self._box(person)
        number = box.number(cursor)
        return ("", True) if number is None or number + 1 < box.low else (cursor, False)

    async def before(self, person: str, count: int) -> str:
        """The cursor before the last *count* messages."""
        box = await self._box(person)
        number = max(box.low - 1, box.end - count)
        return box.cursor(number)

    async def answers(self, person: str, cause: str, key: str, chat: str) -> list[Letter]:
        """What the assistant said because of the message that it knows as *cause*, and the person said under *key*.
        Where that answered a question, it goes on with the message that the question came of."""
        box, found, causes = await self._box(person), list[Letter](), {cause}
        start = box.keys.get(f"in:{key}", box.low - 1)
        for number, letter in box.recent:
            if number <= start and letter.chat == chat and any(isinstance(part, Ask) for part in letter.parts):
                causes.add(letter.cause)
        # What others said meanwhile and waits to be accepted does not hold up the answer.
        for number, letter in await self._from(box, person, start, self._kept, box.last):
            if number in box.pending:
                continue
            if letter.chat == chat and letter.kind == "said":
                causes = {cause}  # what is answered from here on, is said to that
            elif letter.cause in causes:
                found.append(letter)
        return found

    async def _from(self, box: Box, person: str, start: int, limit: int, end: int = -1) -> list[tuple[int, Letter]]:
        end = box.end if end < 0 else end
        if start >= end:
            return []
        if box.recent and box.recent[0][0] <= max(start + 1, box.low):
            found = box.recent
        else:
            found = [(number, _letter(box, number, kept)) for number, kept in await self._all(person)]
        return [each for each in found if start < each[0] <= end][:limit]

    async def _all(self, person: str) -> list[tuple[int, Kept]]:
        found = await self._kv.list(_key(person))
        return [(int(each.key.rpartition("/")[2]), msgspec.convert(each.value, Kept)) for each in found]

    async def _box(self, person: str) -> Box:
        """The mailbox of a person."""
        if (box := self._boxes.get(person)) is not None:
            self._boxes.move_to_end(person)
            return box
        if person not in self._opening:
            self._opening[person] = asyncio.ensure_future(self._opened(person))
        return await asyncio.shield(self._opening[person])

    async def _opened(self, person: str) -> Box:
        try:
            box = self._boxes[person] = await self._read(person)
        finally:
            del self._opening[person]
        for name in [name for name, each in self._boxes.items() if not each.busy][:-OPEN]:
            del self._boxes[name]
        return box

    async def _read(self, person: str) -> Box:
        known, kept = await self._kv.get(_era(person)), await self._all(person)
        box = Box(str(known.value) if known is not None else "")
        if kept and not box.era:  # nobody knows any more what they were part of: old cursors do not fit
            box.era = new_id()
            await self._kv.put(Entry(_era(person), box.era, person=person))
        oldest = self._clock() - self._seconds
        first = next((place for place, (_, each) in enumerate(kept) if each.at > oldest), len(kept) - 1)
        for number, _ in kept[: max(0, first)]:  # the newest stays in any case: numbers go on from there
            await self._kv.delete(_key(person, number))
        fresh = kept[max(0, first) :]
        if fresh:
            box.low, box.last = fresh[0][0], fresh[-1][0]
            box.keys = {each.key: number for number, each in fresh}
            box.recent = [(number, _letter(box, number, each)) for number, each in fresh[-RECENT:]]
        return box


def _message(cause: str) -> str:
    """The id of the message that something was said for; a turn is called by its message and a number."""
    message, _, number = cause.rpartition("-")
    return message if message and number.isdecimal() else cause


def _key(person: str, number: int | None = None) -> str:
    return f"box/{quote(person, safe='')}/" + ("" if number is None else f"{number:012d}")


def _era(person: str) -> str:
    return f"era/{quote(person, safe='')}"


def _letter(box: Box, number: int, kept: Kept) -> Letter:
    # What a client said goes by the key that it gave itself.
    key = kept.key.partition(":")[2]
    return Letter(box.cursor(number), kept.kind, key, kept.parts, kept.chat, kept.at, kept.cause, kept.reply_to,
                  kept.device)  # fmt: skip
