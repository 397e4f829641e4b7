"""Calls that cost something, and the envelopes that they draw on. Like `ports`: for rooms of the host only."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, Protocol

from gitu_core.model.base import Value
from gitu_core.model.chat import Usage
from gitu_core.model.message import Conversation
from gitu_core.model.turn import TurnInfo

if TYPE_CHECKING:
    from gitu_core.contracts.ports import Record


class Settled(Value, frozen=True):
    """What was set aside under this id is free again, because the call was paid for: with `usage`, or, without one,
    with all that was set aside. Written together with the call's own `UsageEntry`; a second time it changes nothing."""

    id: str
    usage: Usage | None = None


class Standing(NamedTuple):
    """How full an envelope is: what was spent, and what is set aside for calls that run; cost in nano-dollars."""

    cost: int = 0
    tokens: int = 0
    held_cost: int = 0
    held_tokens: int = 0


class Used(NamedTuple):
    """Usage by whom and what for, as it stands in the ledger."""

    person: str
    session: str
    plugin: str
    job: str
    model: str
    owner: str
    cost: int = 0
    tokens: int = 0


class Bill(Value, frozen=True, gc=True):
    """A call that will cost something: for whom, what for, on whose key, and the most it may use. `id` is that of its
    `UsageEntry`, `at` when it is made (UTC), `priced` False where nobody knows the cost. Its user is told in
    `conversation` about budgets. A call of a tool or of speech has a bill as one of a model has."""

    id: str
    used: Used
    worst: Usage
    at: float
    turn: str = ""
    priced: bool = True
    conversation: Conversation | None = None


class Slot(Value, frozen=True, gc=True):
    """An envelope as one call meets it: a `part` of a `budget`, under `key` in its period, from `since` to `until`
    (UTC), in which `counts` tells what was spent from it; only usage of `person` can be, where given. Limits: None =
    none."""

    budget: str
    part: tuple[str, ...]
    key: str
    since: float
    until: float
    cost: int | None
    tokens: int | None
    counts: Callable[[Used], bool]
    person: str = ""

    def bears(self, standing: Standing, worst: Usage) -> bool:
        """True if a call that may use *worst* still fits. One that costs nothing always does, as far as money goes."""
        cost = standing.cost + standing.held_cost + worst.cost
        tokens = standing.tokens + standing.held_tokens + worst.input_tokens + worst.output_tokens
        fits = self.cost is None or not worst.cost or cost <= self.cost
        return fits and (self.tokens is None or tokens <= self.tokens)


class Hold(Value, frozen=True, gc=True):
    """The worst case of a call, to be set aside in every one of the envelopes `slots`, or in none."""

    bill: Bill
    slots: tuple[Slot, ...]


@dataclass(eq=False)
class Ticket:
    """A call that is paid for before it is made: `own` stands for what its turn sets aside, `hold` for what has to be
    written before it counts, `at` when it was made; `standings` is how full its envelopes were then; `noted` what the
    audit keeps of one that was refused, to be written with the step that ends it."""

    own: str = ""
    hold: Hold | None = None
    at: float | None = None
    standings: Sequence[Standing] = ()
    noted: Sequence[Record] = ()
    settled: bool = False


class Ledger(Protocol):
    """What was used, and what is set aside in envelopes."""

    async def used(self, since: float, until: float, person: str = "") -> Sequence[Used]:
        """All usage of that time, of one person where given."""

    async def held(self) -> Sequence[tuple[str, int, int]]:
        """What is set aside in each envelope (its key): cost and tokens."""

    async def recount(self, ended: float = float("inf")) -> None:
        """Forgets the envelopes that *ended* before a time, or all: those that are met again are counted anew from the
        ledger."""


class Budget(Protocol):
    """Pays for calls before they are made. Amounts are nano-dollars. Only setting aside may take time; the rest is told
    and is never cut off by a cancellation."""

    async def reserve(self, turn: TurnInfo, bill: Bill) -> Ticket:
        """Sets the worst case aside. What has to be written for that is the ticket's `hold`; what came of it is for
        `admit`. `LimitReached` if it cannot be borne."""

    def admit(self, ticket: Ticket, standings: Sequence[Standing]) -> None:
        """The hold was written. `LimitReached` if an envelope could not bear it."""

    def settle(self, ticket: Ticket, usage: Usage) -> Sequence[Record]:
        """Replaces the reservation by what it really cost; gives what is to be written together with that, also for one
        that was refused."""

    def release(self, ticket: Ticket) -> None:
        """Gives the reservation back: nothing was used. Does nothing to one that was settled."""

    def resume(self, turn: TurnInfo, spent: int, lost: str = "") -> Sequence[Record]:
        """A turn goes on that has *spent* something already, its worst case for the call *lost* (its bill's id)
        included; gives what is to be written with that."""

    def close(self, turn: str) -> int:
        """Forgets a turn that ended; gives what it spent."""
