"""Hands timers back to their plugins when they are due: each to one worker, whatever happens to processes and clocks.

When a timer is due is asked of the wall clock, again at every look; looks are at most a second apart by a clock that
never jumps. What was handed over is gone from the disk only when its plugin is done with it, so that it comes again
after a crash.
"""

from __future__ import annotations

import logging
from collections import Counter

import anyio
from anyio.abc import TaskGroup

from gitu_core.contracts.ports import Clock, Registry
from gitu_core.contracts.scope import CURRENT_CALL
from gitu_core.contracts.timers import HOOK, Timer, TimerStore
from gitu_core.errors import LeaseLost, NotReady, PluginError, StoreError
from gitu_core.failpoints import hit
from gitu_core.model import CallInfo, plugin, user

log = logging.getLogger("gitu.timers")

LOOK = 1.0
"""Seconds between two looks, at most."""

PAUSE = 0.05
"""Seconds between two looks while there is much to do."""

AT_ONCE = 32
"""How many timers of one plugin a process has in hand at once, about."""


class Timers:
    """Takes timers from the *store* and hands them over through the *registry*. One that was claimed *patience* seconds
    ago (less than a lease) and is not handed over yet is left alone: another worker may have it by now."""

    def __init__(self, store: TimerStore, registry: Registry, clock: Clock, patience: float) -> None:
        self._store, self._registry, self._clock, self._patience = store, registry, clock, patience
        self._running: dict[tuple[str, str], anyio.CancelScope] = {}
        self._room = AT_ONCE

    async def run(self) -> None:
        """Looks until cancelled."""
        async with anyio.create_task_group() as group:
            wait = LOOK
            while True:
                await self._clock.sleep(wait)
                try:
                    wait = await self._look(group)
                except StoreError as error:
                    log.warning("timers could not be looked at: %s", error)
                    wait = LOOK

    async def _look(self, group: TaskGroup) -> float:
        """Takes what is due; gives how many seconds the next look can wait."""
        hands, began = Counter(owner for owner, _ in self._running), self._clock.monotonic()
        owners = [owner for owner in self._registry.having(HOOK) if hands[owner] < self._room]
        if not owners:
            return LOOK
        timers, due = await self._store.take_timers(owners, self._room, frozenset(self._running))
        for timer in timers:
            scope = self._running[timer.owner, timer.key] = anyio.CancelScope()
            group.start_soon(self._handle, timer, scope, began)
        wait = PAUSE if timers else due - self._clock.now()
        return wait if 0 < wait < LOOK else LOOK

    async def _handle(self, timer: Timer, scope: anyio.CancelScope, began: float) -> None:
        with scope:
            hit("timer.claimed")
            again = await self._fired(timer, began)
            hit("timer.fired")
            while not await self._ended(timer, again):
                await self._clock.sleep(LOOK)
        del self._running[timer.owner, timer.key]

    async def _fired(self, timer: Timer, began: float) -> float | None:
        """Hands a timer over on behalf of whom it was set for; gives when to do so again, if it is to be."""
        who, key = user(timer.person) if timer.person else plugin(timer.owner), f"{timer.key}.{timer.due_at}"
        info = CallInfo(timer.key, key, principal=who, label=timer.label, chain=timer.chain)
        CURRENT_CALL.set(info)  # in this task only
        try:
            if self._clock.monotonic() - began > self._patience:
                raise NotReady("this process stood still")
            await self._registry.call(timer.owner, HOOK, key=timer.key, data=timer.data, attempt=timer.attempt)
        except (NotReady, PluginError, StoreError) as error:
            log.warning("the timer %r of %s comes again later: %s", timer.key, timer.owner, error)
            return self._clock.now() + max(2.0 ** min(timer.attempt, 8), getattr(error, "retry_after", None) or 0.0)
        except Exception:  # whatever it was, it is no reason to do the same again
            log.exception("the timer %r of %s failed", timer.key, timer.owner)
        return None

    async def _ended(self, timer: Timer, again: float | None) -> bool:
        """Writes down what became of a timer; False if the store has to be asked once more."""
        try:
            await self._store.finish_timer(timer, again)
        except StoreError as error:
            log.warning("the end of the timer %r of %s could not be written: %s", timer.key, timer.owner, error)
            return isinstance(error, LeaseLost)
        return True

    async def close(self, grace: float) -> None:
        """Takes nothing more; waits at most *grace* seconds for what runs, then cuts it off."""
        self._room = 0
        await self.drop(grace)

    async def drop(self, grace: float = 0.0) -> None:
        """Waits at most *grace* seconds for what runs, then cuts it off: another worker has it, or will have it."""
        end = anyio.current_time() + grace
        while self._running:
            for scope in self._running.values() if anyio.current_time() >= end else ():
                scope.cancel()
            await anyio.sleep(PAUSE)
