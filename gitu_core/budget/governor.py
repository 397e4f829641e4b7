"""The port `Budget`: every call is set aside with its worst case, in its turn and in every envelope, before it is made.

What a turn sets aside for itself stands in memory: it ends with the process. What envelopes hold is on disk (see
`store.budgets`), written on the way on which the intent to make the call goes there anyway.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from hashlib import blake2b

from msgspec.structs import replace

from gitu_core.budget.envelope import TurnBudget
from gitu_core.budget.envelopes import Envelopes, amounts, anew, fraction
from gitu_core.contracts.audit import AuditEntry
from gitu_core.contracts.budgets import Bill, Hold, Settled, Slot, Standing, Ticket
from gitu_core.contracts.ports import Record
from gitu_core.errors import LimitReached
from gitu_core.model import Conversation, TurnInfo, Usage

log = logging.getLogger("gitu.budget")

REMEMBERED = 10_000
"""How many warnings are remembered. One that was forgotten has an id that was said already, so that nobody hears it."""

Tell = Callable[[str, str, str, Conversation | None], None]
"""Tells a person something, once under one id: id, text, person, and where, if anywhere."""


class Governor:
    """Pays for calls. *limit_of* gives the cost limit of a turn, *post* writes a record that nobody waits for."""

    def __init__(
        self, limit_of: Callable[[TurnInfo], int | None], envelopes: Envelopes, post: Callable[[Record], None],
        tell: Tell,
    ) -> None:  # fmt: skip
        self._turns = TurnBudget(limit_of)
        self._envelopes, self._post, self._say = envelopes, post, tell
        self._told: set[str] = set()

    async def reserve(self, turn: TurnInfo, bill: Bill) -> Ticket:
        """Sets the worst case aside. What has to be written for that is the ticket's `hold`; what came of it is for
        `admit`. `LimitReached` if it cannot be borne."""
        slots = self._envelopes.slots(bill) if self._envelopes.rules else ()
        unknown = next((slot for slot in slots if slot.cost is not None and not bill.priced), None)
        if unknown is not None:
            message = f"the budget {self._envelopes.title(unknown, bill)} is in money and nobody knows what this costs"
            hint = "give the model's prices in the provider's configuration, or choose another model"
            then = self._envelopes.rules[unknown.budget].envelope.on_exhausted
            raise LimitReached(message, hint=hint, limit="budget", then=then)
        own = await self._turns.reserve(turn, bill.worst.cost if bill.priced else None)
        return Ticket(own, Hold(bill, slots) if slots else None, bill.at)

    def admit(self, ticket: Ticket, standings: Sequence[Standing]) -> None:
        """The hold was written. `LimitReached` if an envelope could not bear it."""
        if ticket.hold is None:
            return
        ticket.standings, bill, last = standings, ticket.hold.bill, ticket.hold.slots[len(standings) - 1]
        if not last.bears(standings[-1], bill.worst):
            ticket.settled = True  # nothing is set aside
            self._turns.release(ticket.own)
            error = self._used_up(last, standings[-1], bill)
            ticket.noted = (audited(f"{bill.id}.budget", last, error.details["then"], bill, error.message),)
            raise error

    def settle(self, ticket: Ticket, usage: Usage) -> Sequence[Record]:
        """Replaces the reservation by what it really cost; gives what is to be written together with that, also for one
        that was refused."""
        self._turns.settle(ticket.own, usage)
        if ticket.hold is None or ticket.settled:
            noted, ticket.noted = ticket.noted, ()
            return noted
        ticket.settled = True
        return (Settled(ticket.hold.bill.id, usage), *self._warn(ticket.hold, ticket.standings, usage))

    def release(self, ticket: Ticket) -> None:
        """Gives the reservation back: nothing was used. Does nothing to one that was settled."""
        self._turns.release(ticket.own)
        for record in self.settle(ticket, Usage()):
            self._post(record)

    def resume(self, turn: TurnInfo, spent: int, lost: str = "") -> Sequence[Record]:
        """A turn goes on that has *spent* something already, its worst case for the call *lost* (its bill's id)
        included; gives what is to be written with that."""
        self._turns.resume(turn, spent)
        return (Settled(lost),) if lost and self._envelopes.rules else ()

    def close(self, turn: str) -> int:
        """Forgets a turn that ended; gives what it spent."""
        return self._turns.close(turn)

    # ---- what is said ---------------------------------------------------------------------------

    def _warn(self, hold: Hold, standings: Sequence[Standing], usage: Usage) -> list[Record]:
        """Tells what part of its envelopes is used once a call used *usage*, where that is a part to be told; gives
        what the audit keeps of it."""
        noted = list[Record]()
        for slot, standing in zip(hold.slots, standings, strict=False):
            now = Standing(standing.cost + usage.cost, standing.tokens + usage.input_tokens + usage.output_tokens)
            used, warn = fraction(now, slot.cost, slot.tokens), self._envelopes.rules[slot.budget].envelope.warn
            if warn and used >= min(warn):
                passed, title = max(part for part in warn if part <= used), self._envelopes.title(slot, hold.bill)
                spent = amounts(now.cost, now.tokens, slot.cost, slot.tokens) + anew(self._envelopes.when(slot.until))
                text = f"{passed:.0%} of the budget {title} is used: {spent}."
                if id := self._tell(slot, f"{passed:g}", text, hold.bill):
                    noted.append(audited(id, slot, "warning", hold.bill, text))
        return noted

    def _used_up(self, slot: Slot, standing: Standing, bill: Bill) -> LimitReached:
        rule, title = self._envelopes.rules[slot.budget], self._envelopes.title(slot, bill)
        until = self._envelopes.when(slot.until)
        spent = amounts(standing.cost, standing.tokens, slot.cost, slot.tokens)
        aside = amounts(standing.held_cost, standing.held_tokens, slot.cost, slot.tokens, of=False)
        aside = f", {aside} is set aside" if standing.held_cost or standing.held_tokens else ""
        tokens = bill.worst.input_tokens + bill.worst.output_tokens
        more = amounts(bill.worst.cost, tokens, slot.cost, slot.tokens, of=False)
        message = f"the budget {title} cannot bear the next call: {spent} is used{aside}, and it may take {more}"
        hint = f"{f'wait until {until}, ' if until else ''}ask for less, or raise budgets.{rule.name}"
        # Another model would need as many tokens.
        then = rule.envelope.on_exhausted if slot.bears(standing, replace(bill.worst, cost=0)) else "stop"
        if bill.conversation is None or then == "cheaper":  # else the answer says so
            what = "cheaper models are asked" if then == "cheaper" else "what costs more has to wait"
            self._tell(slot, "end", f"The budget {title} is used up: {spent}{anew(until)}; until then {what}.", bill)
        left = None if slot.cost is None else max(0, slot.cost - standing.cost - standing.held_cost)
        return LimitReached(message, hint=hint, limit="budget", budget=title, until=until, left=left, then=then)

    def _tell(self, slot: Slot, what: str, text: str, bill: Bill) -> str:
        """Tells a person something about an envelope, once; gives the id under which it was told, if it was."""
        id = f"gitu.budget.{blake2b(slot.key.encode(), digest_size=12).hexdigest()}.{what}"
        if id in self._told:
            return ""
        if len(self._told) >= REMEMBERED:
            self._told.clear()
        self._told.add(id)
        log.warning("%s %s", slot.key, text)
        self._say(id, text, bill.used.person, bill.conversation)
        return id


def audited(id: str, slot: Slot, outcome: str, bill: Bill, reason: str) -> AuditEntry:
    """What the audit keeps of an envelope at a call. What was recorded under its id before is not recorded again."""
    used, facts = bill.used, {"reason": reason, "model": bill.used.model, "owner": bill.used.owner}
    return AuditEntry("budget", slot.budget, outcome, used.person, used.session, bill.turn, facts, bill.at, id)
