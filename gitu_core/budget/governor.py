"""The port `Budget`: every call is set aside with its worst case, in its turn and in every envelope, before it is made.

What a turn sets aside for itself stands in memory: it ends with the process. What envelopes hold is on disk (see
`store.budgets`), written on the way on which the intent to make the call goes there anyway.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import blake2b

from gitu_core.budget.envelope import TurnBudget
from gitu_core.budget.envelopes import Envelopes, Rule, fraction, money
from gitu_core.contracts.ports import Bill, Hold, Record, Settled, Slot, Standing, Ticket
from gitu_core.errors import LimitReached
from gitu_core.model import Conversation, TurnInfo, Usage

log = logging.getLogger("gitu.budget")

REMEMBERED = 10_000
"""How many warnings are remembered. One that was forgotten has an id that was said already, so that nobody hears it."""


@dataclass(frozen=True)
class Alert:
    """Something that a person has to be told about an envelope, once under this `id`."""

    id: str
    text: str
    person: str
    conversation: Conversation | None


class Governor:
    """Pays for calls. *limit_of* gives the cost limit of a turn, *post* writes a record that nobody waits for, *alert*
    tells a person."""

    def __init__(
        self, limit_of: Callable[[TurnInfo], int | None], envelopes: Envelopes, post: Callable[[Record], None],
        alert: Callable[[Alert], None],
    ) -> None:  # fmt: skip
        self._turns = TurnBudget(limit_of)
        self._envelopes, self._post, self._alert = envelopes, post, alert
        self._told: set[str] = set()

    async def reserve(self, turn: TurnInfo, bill: Bill) -> Ticket:
        """Sets the worst case aside. What has to be written for that is the ticket's `hold`; what came of it is for
        `admit`. `LimitReached` if it cannot be borne."""
        slots = self._envelopes.slots(bill) if self._envelopes.rules else ()
        for slot in slots:
            if slot.cost is not None and not bill.priced:
                message = (
                    f"the budget {self._envelopes.title(slot, bill)} is in money and nobody knows what this call costs"
                )
                hint = "give the model's prices in the provider's configuration, or choose another model"
                raise LimitReached(message, hint=hint, limit="budget", then=self._rule(slot).envelope.on_exhausted)
        own = await self._turns.reserve(turn, bill.worst.cost if bill.priced else None)
        return Ticket(own, Hold(bill, slots) if slots else None)

    def admit(self, ticket: Ticket, standings: Sequence[Standing]) -> None:
        """The hold was written. `LimitReached` if an envelope could not bear it."""
        ticket.standings = standings
        if ticket.hold is None:
            return
        bill, last = ticket.hold.bill, ticket.hold.slots[len(standings) - 1]
        self._warn(ticket, Usage())
        if not last.bears(standings[-1], bill.worst):
            ticket.settled = True  # nothing is set aside
            self._turns.release(ticket.own)
            raise self._used_up(last, standings[-1], bill)

    def settle(self, ticket: Ticket, usage: Usage) -> Sequence[Record]:
        """Replaces the reservation by what it really cost; gives what is to be written together with that."""
        self._turns.settle(ticket.own, usage)
        if ticket.hold is None or ticket.settled:
            return ()
        ticket.settled = True
        self._warn(ticket, usage)
        return (Settled(ticket.hold.bill.id, usage),)

    def release(self, ticket: Ticket) -> None:
        """Gives the reservation back: nothing was used. Does nothing to one that was settled."""
        self._turns.release(ticket.own)
        if ticket.hold is not None and not ticket.settled:
            ticket.settled = True
            self._post(Settled(ticket.hold.bill.id, Usage()))

    def resume(self, turn: TurnInfo, spent: int, lost: str = "") -> Sequence[Record]:
        """A turn goes on that has *spent* something already, its worst case for the call *lost* (its bill's id)
        included; gives what is to be written with that."""
        self._turns.resume(turn, spent)
        return (Settled(lost),) if lost and self._envelopes.rules else ()

    def close(self, turn: str) -> int:
        """Forgets a turn that ended; gives what it spent."""
        return self._turns.close(turn)

    # ---- what is said ---------------------------------------------------------------------------

    def _rule(self, slot: Slot) -> Rule:
        return self._envelopes.rule(slot)

    def _warn(self, ticket: Ticket, usage: Usage) -> None:
        """Tells what part of its envelopes is used once a call used *usage*, where that is a part to be told."""
        assert ticket.hold is not None
        bill = ticket.hold.bill
        for slot, standing in zip(ticket.hold.slots, ticket.standings, strict=False):
            now = Standing(standing.cost + usage.cost, standing.tokens + usage.input_tokens + usage.output_tokens)
            used = fraction(now, slot.cost, slot.tokens)
            passed = max((part for part in self._rule(slot).envelope.warn if part <= used), default=None)
            if passed is not None:
                title, spent = self._envelopes.title(slot, bill), self._amounts(slot, now.cost, now.tokens)
                text = f"{passed:.0%} of the budget {title} is used: {spent}{self._again(slot)}."
                self._tell(slot, f"{passed:g}", text, bill)

    def _used_up(self, slot: Slot, standing: Standing, bill: Bill) -> LimitReached:
        envelope, title = self._rule(slot).envelope, self._envelopes.title(slot, bill)
        spent, held = self._amounts(slot, standing.cost, standing.tokens), standing.held_cost or standing.held_tokens
        aside = f", {self._amounts(slot, standing.held_cost, standing.held_tokens, False)} is set aside" if held else ""
        tokens = bill.worst.input_tokens + bill.worst.output_tokens
        more = self._amounts(slot, bill.worst.cost, tokens, False)
        message = f"the budget {title} cannot bear the next call: {spent} is used{aside}, and it may take {more}"
        until = self._envelopes.when(slot.until)
        wait = f"wait until {until}, " if until else ""
        hint = f"{wait}ask for less, or raise budgets.{self._rule(slot).name}"
        # Another model would need as many tokens.
        then = envelope.on_exhausted if slot.bears(standing, tokens_only(bill.worst)) else "stop"
        if bill.conversation is None or then == "cheaper":  # else the answer says so
            what = "cheaper models are asked" if then == "cheaper" else "what costs more has to wait"
            self._tell(slot, "end", f"The budget {title} is used up: {spent}{self._again(slot)}; until then {what}.",
                       bill)  # fmt: skip
        left = None if slot.cost is None else max(0, slot.cost - standing.cost - standing.held_cost)
        return LimitReached(message, hint=hint, limit="budget", budget=title, until=until, left=left, then=then)

    def _amounts(self, slot: Slot, cost: int, tokens: int, limits: bool = True) -> str:
        parts = []
        if slot.cost is not None:
            parts.append(money(cost) + (f" of {money(slot.cost)}" if limits else ""))
        if slot.tokens is not None:
            parts.append(f"{tokens:,}" + (f" of {slot.tokens:,}" if limits else "") + " tokens")
        return " and ".join(parts)

    def _again(self, slot: Slot) -> str:
        until = self._envelopes.when(slot.until)
        return f"; it begins anew on {until}" if until else ""

    def _tell(self, slot: Slot, what: str, text: str, bill: Bill) -> None:
        id = f"gitu.budget.{blake2b(slot.key.encode(), digest_size=12).hexdigest()}.{what}"
        if id in self._told:
            return
        if len(self._told) >= REMEMBERED:
            self._told.clear()
        self._told.add(id)
        log.warning("%s %s", slot.key, text)
        self._alert(Alert(id, text, bill.used.person, bill.conversation))


def tokens_only(usage: Usage) -> Usage:
    """The same usage, if it cost nothing."""
    return Usage(usage.input_tokens, usage.output_tokens)
