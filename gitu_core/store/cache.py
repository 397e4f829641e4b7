"""What the store remembers: a small table that drops what was not used for longest, and the recent history of
sessions."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from itertools import dropwhile
from typing import Generic, TypeVar

from gitu_core.contracts.ports import HistoryEntry

K = TypeVar("K")
V = TypeVar("V")


class Lru(Generic[K, V]):
    """Keeps values up to a total weight; the one not used for longest goes first."""

    def __init__(self, limit: int, weight: Callable[[V], int] = lambda _: 1) -> None:
        self._items: OrderedDict[K, V] = OrderedDict()
        self._limit, self._weight, self._total = limit, weight, 0

    def get(self, key: K) -> V | None:
        """The value, now the most recently used; or None."""
        found = self._items.get(key)
        if found is not None:
            self._items.move_to_end(key)
        return found

    def put(self, key: K, value: V) -> None:
        """Keeps or replaces a value."""
        self.drop(key)
        self._items[key] = value
        self._total += self._weight(value)
        while self._total > self._limit and self._items:
            _, gone = self._items.popitem(last=False)
            self._total -= self._weight(gone)

    def drop(self, key: K) -> None:
        """Forgets a value."""
        gone = self._items.pop(key, None)
        if gone is not None:
            self._total -= self._weight(gone)

    def clear(self) -> None:
        """Forgets everything."""
        self._items.clear()
        self._total = 0


@dataclass(slots=True, eq=False)
class Tail:
    """The newest messages of one session, oldest first.

    :param count: how many messages the session has in all, as far as this process knows.
    :param size: bytes of their stored bodies.
    """

    entries: list[HistoryEntry]
    size: int
    count: int | None
    generation: int
    complete: bool

    def weight(self) -> int:
        """Roughly what it takes in memory, in bytes: decoded values take about four times their JSON."""
        return 1024 + 4 * self.size

    def extended(self, entries: list[HistoryEntry], size: int, keep: int) -> Tail:
        """The tail with newer messages; cut to *keep* once it is twice as long."""
        merged = self.entries + entries
        total, complete = self.size + size, self.complete
        if len(merged) > 2 * keep:
            total = total * keep // len(merged)
            merged, complete = merged[-keep:], False
        count = None if self.count is None else self.count + len(entries)
        return Tail(merged, total, count, self.generation, complete)

    def fitting(self, max_tokens: int, max_messages: int) -> list[HistoryEntry] | None:
        """The newest that fit, oldest first, never beginning with the result of a call that is cut off; None
        if it takes older messages than these to know."""
        tokens, first = 0, len(self.entries)
        stop = max(first - max_messages, 0)
        while first > stop:
            tokens += self.entries[first - 1].tokens
            if tokens > max_tokens:
                break
            first -= 1
        if first == 0 and not self.complete and len(self.entries) < max_messages:
            return None
        return list(dropwhile(lambda each: each.message.role == "tool", self.entries[first:]))
