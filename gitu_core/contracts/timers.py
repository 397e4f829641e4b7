"""Timers as the store keeps them for the room that fires them. Like `ports`: for rooms of the host only."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, Protocol

from gitu_core.model import UNLABELLED, Label, Value

HOOK = "gitu_timer"
"""The hook of a plugin that its timers are handed to."""


class Timer(Value, frozen=True):
    """Something to be handed back to a plugin, its `owner`, at `due_at` (seconds since 1970, UTC).

    `person` and `label` are those of the call that set it. `attempt` counts how often it was handed over; `worker` is
    the one that has it in hand. `chain` counts the timers that set each other, one soon after the other, up to it.
    """

    owner: str
    key: str
    due_at: float
    data: dict[str, Any]
    person: str = ""
    label: Label = UNLABELLED
    attempt: int = 0
    worker: str = ""
    chain: int = 0


class TimerStore(Protocol):
    """Timers on disk. One that is due is claimed by one worker, and is armed again when that worker dies."""

    async def put_timer(self, timer: Timer) -> None:
        """Arms a timer, in place of the one with the same owner and key. `InputError` if it is not plain JSON."""

    async def delete_timer(self, owner: str, key: str) -> bool:
        """Removes a timer; tells whether there was one."""

    async def take_timers(self, owners: Sequence[str], limit: int, busy: Collection[Any]) -> tuple[list[Timer], float]:
        """Claims timers of these owners that are due, about *limit*, but none whose (owner, key) is *busy*; and tells
        when the first one was due, or is."""

    async def finish_timer(self, timer: Timer, again: float | None = None) -> bool:
        """Ends a claim: the timer is done, or armed *again* for that time. False, and nothing happens, if it was armed
        anew or removed meanwhile. `LeaseLost` if another worker took over."""
