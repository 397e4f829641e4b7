"""The envelope of a turn: the worst case of every model call is set aside before the call and settled after it."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count

from gitu_core.errors import LimitReached
from gitu_core.model import NANO, TurnInfo, Usage


class TurnBudget:
    """Holds every turn to the cost limit of its profile. *limit_of* gives it in nano-dollars; None = no limit.

    A turn that a profile runs inside another (its id is ``<outer>.<n>``) draws on the outer turn's envelope too.
    """

    def __init__(self, limit_of: Callable[[TurnInfo], int | None]) -> None:
        self._limit_of = limit_of
        self._limits: dict[str, int | None] = {}
        self._spent: dict[str, int] = {}
        self._reserved: dict[str, tuple[str, int]] = {}
        self._numbers = count(1)

    async def reserve(self, turn: TurnInfo, estimate: int | None) -> str:
        """Sets *estimate* nano-dollars aside; gives a ticket. `LimitReached` if an envelope cannot bear it."""
        self._limits.setdefault(turn.id, self._limit_of(turn))
        for owner in _owners(turn.id):
            limit = self._limits.get(owner)
            if limit is not None:
                self._check(owner, estimate, limit)
        ticket = f"{turn.id}:{next(self._numbers)}"
        self._reserved[ticket] = (turn.id, estimate or 0)
        return ticket

    def _check(self, owner: str, estimate: int | None, limit: int) -> None:
        if estimate is None:
            message = "a cost limit is set and nobody knows what this model costs"
            hint = "give the model's prices in the provider's configuration, or choose another model"
            raise LimitReached(message, hint=hint, limit="cost")
        held = sum(amount for turn, amount in self._reserved.values() if owner in _owners(turn))
        total = self._spent.get(owner, 0) + held + estimate
        if total > limit:
            message = f"the next call may bring this turn to ${total / NANO:.4f}; its limit is ${limit / NANO:.4f}"
            raise LimitReached(message, hint="raise profiles.<name>.limits.cost, or ask for less", limit="cost")

    def settle(self, ticket: str, usage: Usage) -> None:
        """Replaces the reservation by what it really cost. A ticket settles once."""
        turn, _ = self._reserved.pop(ticket, ("", 0))
        for owner in _owners(turn) if turn else ():
            self._spent[owner] = self._spent.get(owner, 0) + usage.cost

    def release(self, ticket: str) -> None:
        """Gives the reservation back: nothing was used."""
        self._reserved.pop(ticket, None)

    def resume(self, turn: TurnInfo, spent: int) -> None:
        """A turn goes on that has *spent* something already."""
        self._limits[turn.id] = self._limit_of(turn)
        more = max(0, spent - self._spent.get(turn.id, 0))
        for owner in _owners(turn.id):
            self._spent[owner] = self._spent.get(owner, 0) + more

    def close(self, turn: str) -> int:
        """Forgets a turn that ended; gives what it spent, in nano-dollars."""
        for ticket in [ticket for ticket, (owner, _) in self._reserved.items() if owner == turn]:
            del self._reserved[ticket]
        self._limits.pop(turn, None)
        return self._spent.pop(turn, 0)


def _owners(turn: str) -> list[str]:
    """The turn and the turns it runs inside of."""
    parts = turn.split(".")
    return [".".join(parts[:length]) for length in range(1, len(parts) + 1)]
