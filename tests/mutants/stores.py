"""A right memory store, and stores that each break one law."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import AsyncIterator, Sequence

import anyio.lowlevel
import msgspec

from gitu_core.errors import InputError
from gitu_core.model import UNLABELLED, Claim, Hit, MemoryQuery

log = logging.getLogger("gitu.plugins.toy")


class RightStore:
    """Keeps claims in a dict."""

    name = "toy"

    def __init__(self) -> None:
        self.claims: dict[str, Claim] = {}

    async def put(self, claims: Sequence[Claim]) -> None:
        """All or none."""
        await anyio.lowlevel.checkpoint()
        for claim in claims:
            self.keep(claim)
        await anyio.lowlevel.checkpoint()

    def keep(self, claim: Claim) -> None:
        """Keeps one."""
        self.claims[claim.id] = claim

    async def get(self, ids: Sequence[str]) -> Sequence[Claim]:
        """As they are."""
        return [self.claims[id] for id in ids if id in self.claims]

    async def search(self, query: MemoryQuery) -> Sequence[Hit]:
        """By words in common; the newest first without a text."""
        if query.limit < 0:
            raise self.refused(query)
        at = self.now(query)
        fit = [each for each in self.claims.values() if self.of(each, query.person) and self.valid(each, at)]
        fit = [each for each in fit if not query.kinds or each.kind in query.kinds]
        if not query.text:
            fit.sort(key=self.order, reverse=True)
            return [Hit(each, 0.0) for each in fit[: query.limit]]
        hits = [Hit(each, self.score(each.text, query.text)) for each in fit]
        return sorted((hit for hit in hits if hit.score), key=lambda hit: -hit.score)[: query.limit]

    def refused(self, query: MemoryQuery) -> InputError:
        """What is said of a query that makes no sense."""
        return InputError("a limit is not negative")

    def now(self, query: MemoryQuery) -> float:
        """The time that counts."""
        return query.at if query.at is not None else time.time()

    def of(self, claim: Claim, person: str) -> bool:
        """Whose it is."""
        return claim.person == person

    def valid(self, claim: Claim, at: float) -> bool:
        """Whether it holds."""
        return claim.expires_at is None or claim.expires_at > at

    def order(self, claim: Claim) -> float:
        """What a list is sorted by."""
        return claim.created_at

    def score(self, text: str, asked: str) -> float:
        """How well it fits."""
        common = set(text.split()) & set(asked.split())
        return len(common) + 100.0 * (text == asked)

    async def delete(self, ids: Sequence[str]) -> int:
        """For good."""
        return sum(self.claims.pop(id, None) is not None for id in ids)

    async def export(self, person: str) -> AsyncIterator[Claim]:
        """The oldest first."""
        for claim in sorted(self.claims.values(), key=lambda each: each.created_at):
            if self.exports(claim, person):
                yield claim

    def exports(self, claim: Claim, person: str) -> bool:
        """Whether it belongs into an export."""
        return claim.person == person


class ForgetsLabels(RightStore):
    """What a page said is later as good as one's own words."""

    def keep(self, claim: Claim) -> None:
        super().keep(msgspec.structs.replace(claim, label=UNLABELLED))


class DropsWhatItDoesNotKnow(RightStore):
    """Fields of a newer version are lost."""

    def keep(self, claim: Claim) -> None:
        super().keep(msgspec.structs.replace(claim, extra={}))


class PutsOneByOne(RightStore):
    """Cancelled in between, half of it is there."""

    async def put(self, claims: Sequence[Claim]) -> None:
        for claim in claims:
            await anyio.lowlevel.checkpoint()
            self.keep(claim)


class KeepsTheFirst(RightStore):
    """What is there is never replaced."""

    def keep(self, claim: Claim) -> None:
        self.claims.setdefault(claim.id, claim)


class SearchesEverybody(RightStore):
    """A person finds what others said."""

    def of(self, claim: Claim, person: str) -> bool:
        return True


class TrustsItsOwnClock(RightStore):
    """What is expired is decided by this machine's time."""

    def now(self, query: MemoryQuery) -> float:
        return time.time()


class ListsTheOldestFirst(RightStore):
    """A list begins at the wrong end."""

    def order(self, claim: Claim) -> float:
        return -claim.created_at


class FindsOnlyWords(RightStore):
    """A text without letters cannot be found."""

    def score(self, text: str, asked: str) -> float:
        words = set(re.findall(r"\w+", asked.lower()))
        return float(len(words & set(re.findall(r"\w+", text.lower()))))


class HidesInsteadOfDeleting(RightStore):
    """An export still gives what was deleted."""

    def __init__(self) -> None:
        super().__init__()
        self.hidden: dict[str, Claim] = {}

    async def delete(self, ids: Sequence[str]) -> int:
        self.hidden.update({id: self.claims[id] for id in ids if id in self.claims})
        return await super().delete(ids)

    async def export(self, person: str) -> AsyncIterator[Claim]:
        async for each in super().export(person):
            yield each
        for each in self.hidden.values():
            if each.person == person:
                yield each


class CountsWhatWasAskedFor(RightStore):
    """It says that it deleted what was never there."""

    async def delete(self, ids: Sequence[str]) -> int:
        await super().delete(ids)
        return len(ids)


class ExportsByBeginning(RightStore):
    """``ann`` also gets what belongs to ``anna``."""

    def exports(self, claim: Claim, person: str) -> bool:
        return claim.person.startswith(person)


class LogsWhatItKeeps(RightStore):
    """For debugging."""

    def keep(self, claim: Claim) -> None:
        log.debug("kept %s", claim.text)
        super().keep(claim)


class QuotesTheQuery(RightStore):
    """An error repeats what was asked for."""

    def refused(self, query: MemoryQuery) -> InputError:
        return InputError(f"cannot search for {query.text!r} with a limit of {query.limit}")


class ExportsAHundred(RightStore):
    """A person has at most a hundred claims, it thinks."""

    async def export(self, person: str) -> AsyncIterator[Claim]:
        count = 0
        async for each in super().export(person):
            count += 1
            if count <= 100:
                yield each


class IgnoresTheLimit(RightStore):
    """It gives all that fits."""

    async def search(self, query: MemoryQuery) -> Sequence[Hit]:
        return await super().search(msgspec.structs.replace(query, limit=1_000) if query.limit >= 0 else query)
