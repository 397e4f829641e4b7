"""The port `Ledger`, and how the worst case of a call is set aside: as rows, which every worker sees.

How full an envelope is stands in a row of its own, which is counted where it is missing: what was spent from the
ledger, what is set aside from the rows of calls that run. All is looked at and written in one transaction, one worker
at a time, so that no two calls share the same money. A worker that ends leaves its rows behind: whoever takes over pays
them.
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
        found: dict[str, tuple[int, int]] = {}
        for key, cost, tokens in await self._read(self._script_of("holds", self.tenant)):
            known = found.get(key, (0, 0))
            found[key] = known[0] + cost, known[1] + tokens
        return [(key, *each) for key, each in sorted(found.items())]

    async def recount(self, ended: float = float("inf")) -> None:
        """Forgets the envelopes that *ended* before a time, or all: those that are met again are counted anew from the
        ledger."""
        await self._script(self._script_of("envelopes_drop", self.tenant, ended))

    def _usage(self, since: float, until: float, person: str) -> Script:
        who = (self.tenant, person) if person else (self.tenant,)
        return (yield "used_by" if person else "used", (*who, float(since), float(until)))

    def _hold(self, slot: Slot, cost: int, tokens: int) -> ScriptOf[Standing]:
        """Sets so much aside in one envelope; gives how full it was before. Counted where nobody did yet."""
        while not (rows := (yield "envelope_hold", (cost, tokens, self.tenant, slot.key))):
            counted = (Used(*row) for row in (yield from self._usage(slot.since, slot.until, slot.person)))
            mine = [used for used in counted if slot.counts(used)]
            total = sum(used.cost for used in mine), sum(used.tokens for used in mine)
            held = [row for row in (yield "holds", (self.tenant,)) if row[0] == slot.key]
            aside = sum(row[1] for row in held), sum(row[2] for row in held)
            yield "envelope_add", (self.tenant, slot.key, slot.person, slot.until, *total, *aside)
        spent, used, held_cost, held_tokens = rows[0]
        return Standing(spent, used, held_cost - cost, held_tokens - tokens)

    def _held(self, hold: Hold) -> ScriptOf[list[Standing]]:
        """Sets a call aside in all of its envelopes, or in none; gives how full they were, up to the one that cannot
        bear it."""
        bill, worst, standings = hold.bill, hold.bill.worst, list[Standing]()
        person, session, plugin, job, model, owner = bill.used[:6]
        amounts = worst.cost, worst.input_tokens + worst.output_tokens
        for slot in hold.slots:
            standings.append((yield from self._hold(slot, *amounts)))
            if not slot.bears(standings[-1], worst):
                for each in hold.slots[: len(standings)]:
                    yield from self._hold(each, -amounts[0], -amounts[1])
                # It stands there as one that cost nothing: a crash before its turn knows must not charge it.
                refused = (self.tenant, bill.id, person, session, bill.turn, plugin, model, owner, 0, 0, 0, 0)
                yield "usage_add", (*refused, float(bill.at), job)
                return standings
        who = (person, session, bill.turn, plugin, job, model, owner)
        given = (worst.input_tokens, worst.output_tokens, worst.cost, float(bill.at))
        for slot in hold.slots:
            if not (
                yield "hold_add", (self.tenant, self._me(), bill.id, slot.key, *who, *given)
            ):  # it is there already
                yield from self._hold(slot, -amounts[0], -amounts[1])
        return standings

    def _charge(self, worker: str) -> Script:
        """Pays all that a worker which ended had set aside: nobody knows what its calls came to."""
        for (id,) in (yield "holds_of", (self.tenant, worker)):
            for row in self._settling([Settled(id)], worker):
                yield row.statement, row.params

    def _me(self) -> str:
        return self.engine.fence.worker if self.engine.fence else ""

    def _settling(self, records: Iterable[Record], worker: str) -> Iterator[Row]:
        """The rows that end what a worker had set aside, for those of *records* that say so."""
        for each in records:
            if isinstance(each, Settled):
                used, one = each.usage, (self.tenant, worker, each.id)
                if self.engine.dialect == "postgresql":
                    yield Row("budget_gate", (self.tenant,))
                if used is None:
                    yield from (Row("envelope_charge", one), Row("usage_charge", one))
                else:
                    yield Row("envelope_spend", (used.cost, used.input_tokens + used.output_tokens, *one))
                yield Row("hold_drop", one)
