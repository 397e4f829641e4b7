"""The port `Ledger`, and how the worst case of a call is set aside: as rows, which every worker sees.

How full an envelope is stands in a row of its own, which is counted from the ledger where it is missing; what is set
aside in it are the rows of calls that run. Both are looked at and written in one transaction, one worker at a time, so
that no two calls share the same money. A worker that ends leaves its rows behind: whoever takes over pays them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from gitu_core.contracts.budgets import Hold, Settled, Slot, Standing, Used
from gitu_core.contracts.ports import Record
from gitu_core.store.base import Base
from gitu_core.store.keys import Script, ScriptOf
from gitu_core.store.writer import Row


class BudgetsPart(Base):
    """Envelopes, what is set aside in them, and what was used."""

    async def used(self, since: float, until: float, person: str = "") -> Sequence[Used]:
        """All usage of that time, of one person where given."""
        return [Used(*row) for row in await self._read(lambda: self._usage(since, until, person))]

    async def held(self) -> Sequence[tuple[str, int, int]]:
        """What is set aside in each envelope (its key): cost and tokens."""
        return [(row[0], row[1], row[2]) for row in await self._read(self._script_of("held", self.tenant))]

    async def recount(self, ended: float = float("inf")) -> None:
        """Forgets the envelopes that *ended* before a time, or all: those that are met again are counted anew from the
        ledger."""
        await self._script(self._script_of("envelopes_drop", self.tenant, ended))

    def _usage(self, since: float, until: float, person: str) -> Script:
        who = (self.tenant, person) if person else (self.tenant,)
        return (yield "used_by" if person else "used", (*who, float(since), float(until)))

    def _standing(self, slot: Slot) -> ScriptOf[Standing]:
        rows = yield "envelope", (self.tenant, slot.key)
        if not rows:
            counted = (Used(*row) for row in (yield from self._usage(slot.since, slot.until, slot.person)))
            mine = [used for used in counted if slot.counts(used)]
            spent = sum(used.cost for used in mine), sum(used.tokens for used in mine)
            yield "envelope_add", (self.tenant, slot.key, slot.person, slot.until, *spent)
            rows = yield "envelope", (self.tenant, slot.key)
        return Standing(*rows[0])

    def _held(self, hold: Hold) -> ScriptOf[list[Standing]]:
        """Sets a call aside in all of its envelopes, or in none; gives how full they were, up to the one that cannot
        bear it."""
        yield "budget_gate", (self.tenant,)
        bill, worst, standings = hold.bill, hold.bill.worst, list[Standing]()
        person, session, plugin, job, model, owner = bill.used[:6]
        for slot in hold.slots:
            standings.append((yield from self._standing(slot)))
            if not slot.bears(standings[-1], worst):
                # It stands there as one that cost nothing: a crash before its turn knows must not charge it.
                who = (self.tenant, bill.id, person, session, bill.turn, plugin, model, owner)
                yield "usage_add", (*who, 0, 0, 0, 0, float(bill.at), job)
                return standings
        worker = self.engine.fence.worker if self.engine.fence else ""
        who = (worker, person, session, bill.turn, plugin, job, model, owner)
        amounts = (worst.input_tokens, worst.output_tokens, worst.cost, float(bill.at))
        for slot in hold.slots:
            yield "hold_add", (self.tenant, bill.id, slot.key, *who, *amounts)
        return standings

    def _charge(self, worker: str) -> Script:
        """Pays all that a worker which ended had set aside: nobody knows what its calls came to."""
        for (id,) in (yield "holds_of", (self.tenant, worker)):
            for row in settling([Settled(id)], self.tenant):
                yield row.statement, row.params


def settling(records: Iterable[Record], tenant: str) -> Iterator[Row]:
    """The rows that end what was set aside, for those of *records* that say so."""
    for each in records:
        if isinstance(each, Settled):
            used, one = each.usage, (tenant, each.id)
            yield Row("budget_gate", (tenant,))
            if used is None:
                yield from (Row("envelope_charge", one), Row("usage_charge", one))
            else:
                yield Row("envelope_spend", (used.cost, used.input_tokens + used.output_tokens, *one))
            yield Row("hold_drop", one)
