"""The port `TimerStore`: a timer that is due is claimed by one worker; who takes over from it arms it again."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import msgspec

from gitu_core.contracts.timers import Timer
from gitu_core.errors import InputError
from gitu_core.store.base import readable, replaced
from gitu_core.store.codec import bound, decoded, encoded
from gitu_core.store.keys import Script
from gitu_core.store.plugin_state import clean
from gitu_core.store.workers import WorkersPart
from gitu_core.store.writer import Row


class TimersPart(WorkersPart):
    """Timers, beside the workers that have them in hand."""

    async def put_timer(self, timer: Timer) -> None:
        """Arms a timer, in place of the one with the same owner and key. `InputError` if it is not plain JSON."""
        names, body = (timer.owner, clean(timer.key), timer.person), encoded(timer, Timer)
        if type(timer.data) is not dict or msgspec.json.decode(body)["data"] != timer.data:
            raise InputError("a timer keeps plain JSON", hint="hand in a dict: text as keys, no tuples", field="data")
        params = (self.tenant, *names, float(timer.due_at))
        await self._rows([Row("timer_put", params, timer.person, body, bound("timers", self.tenant, *names))])

    async def delete_timer(self, owner: str, key: str) -> bool:
        """Removes a timer; tells whether there was one."""
        return bool(await self._script(self._script_of("timer_delete", self.tenant, owner, clean(key)), fenced=True))

    async def take_timers(self, owners: Sequence[str], limit: int, busy: Collection[Any]) -> tuple[list[Timer], float]:
        """Claims timers of these owners that are due, about *limit*, but none whose (owner, key) is *busy*; and tells
        when the first one was due, or is."""

        def look() -> Script:
            found = []
            for owner in owners:
                found += yield "timer_next", (self.tenant, owner)
            return min((row[0] for row in found), default=float("inf"))

        def claim() -> Script:
            worker = self._fence().worker  # as it is when this is written: the lease may be another one by then
            share, claimed = max(limit // len(owners), 1), []  # one that has many must not keep the others waiting
            for owner in owners:
                due = yield "timers_due", (self.tenant, owner, self.clock.now(), share + len(busy))
                for row in [row for row in due if tuple(row[:2]) not in busy][:share]:
                    claimed += [row] if (yield "timer_claim", (worker, self.tenant, *row[:2])) else []
            yield from self._keys.load([row[-1] for row in claimed])
            return readable(claimed, lambda row: self._claimed(row, worker), self.engine.lost)

        first: float = await self._read(look)
        return (await self._script(claim, fenced=True) if first <= self.clock.now() else []), first

    async def finish_timer(self, timer: Timer, again: float | None = None) -> bool:
        """Ends a claim: the timer is done, or armed *again* for that time. False, and nothing happens, if it was armed
        anew or removed meanwhile. `LeaseLost` if another worker took over."""
        claim = (self.tenant, timer.owner, timer.key, timer.worker, timer.attempt)
        statement, *params = ("timer_done", *claim) if again is None else ("timer_again", again, *claim)
        return bool(await self._script(self._script_of(str(statement), *params), fenced=True))

    def _claimed(self, row: Any, worker: str) -> Timer:
        owner, key, person, _, _, attempt, due_at, body = row
        what = f"the timer {key!r} of {owner}"
        data = self._keys.opened(body, bound("timers", self.tenant, owner, key, person), what)
        return replaced(decoded(data, Timer, what), due_at=due_at, attempt=attempt + 1, worker=worker)
