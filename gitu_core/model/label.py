"""Labels: who influenced a value and who may see it.

Joining two labels is the union of their origins and the intersection of their readers, so that a label only ever gets
less trusted and less widely readable. The join is associative, commutative and idempotent; `Label()` is its identity.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import lru_cache, reduce

from gitu_core.model.base import Value

__all__ = [
    "SYSTEM", "UNLABELLED", "Label", "by_system", "from_outside", "join_all", "outside", "plugin", "private_to", "user",
]  # fmt: skip

SYSTEM = "system"
"""The origin of what Gitu itself, its operator and its configuration say."""


def user(person: str) -> str:
    """The principal that stands for a person."""
    return f"user:{person}"


def outside(source: str) -> str:
    """The origin of everything that no principal wrote: ``outside:web:example.org``, ``outside:mail:a@b.c``."""
    return f"outside:{source}"


def plugin(name: str) -> str:
    """The principal that stands for a plugin acting of itself."""
    return f"plugin:{name}"


def group(channel: str, conversation: str) -> str:
    """The reader that stands for whoever is in a group."""
    return f"group:{channel}:{conversation}"


class Label(Value, frozen=True):
    """`origins`: every principal or outside source that influenced it. `readers`: who may see it; None = anyone."""

    origins: frozenset[str] = frozenset()
    readers: frozenset[str] | None = None

    def __hash__(self) -> int:
        return hash((self.origins, self.readers))

    def join(self, other: Label) -> Label:
        """The label of a value that was made from both."""
        if self is other or (other.readers is None and other.origins <= self.origins and not other.extra):
            return self
        if self is UNLABELLED:
            return other
        one, two = self.readers, other.readers
        readers = one if two is None else two if one is None or one == two else one & two
        return Label(origins=_union(self.origins, other.origins), readers=readers, extra={**other.extra, **self.extra})

    def trusted_for(self, principal: str, delegates: Iterable[str] = ()) -> bool:
        """True iff every origin is the system, *principal*, or someone *principal* delegated to."""
        return self.origins <= {SYSTEM, principal, *delegates}

    def readable_by(self, principal: str) -> bool:
        """True iff *principal* may see the value."""
        return self.readers is None or principal in self.readers


_union: Callable[[frozenset[str], frozenset[str]], frozenset[str]] = lru_cache(1_000)(frozenset.union)

UNLABELLED = Label()
"""Influenced by nobody, readable by anyone: the identity of the join."""


@lru_cache
def by_system() -> Label:
    """The label of the system's own words."""
    return Label(origins=frozenset((SYSTEM,)))


@lru_cache(1_000)
def private_to(person: str) -> Label:
    """The label of what a person says in private: only that person may see it."""
    who = frozenset((user(person),))
    return Label(origins=who, readers=who)


def from_outside(source: str, readers: frozenset[str] | None = None) -> Label:
    """The label of what an outside source says."""
    return Label(origins=frozenset((outside(source),)), readers=readers)


def join_all(labels: Iterable[Label]) -> Label:
    """The join of any number of labels."""
    return reduce(Label.join, {id(label): label for label in labels}.values(), UNLABELLED)
