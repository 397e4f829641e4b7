"""How each channel is, and since when. It is kept on disk as well, so that other processes can tell.

What counts is the worse of two things: what the channel says of itself, and how receiving from it goes. A channel that
works for less than `CALM` between two troubles is in one outage all the time.
"""

from __future__ import annotations

import logging
from datetime import UTC, datetime

import msgspec

from gitu_core.contracts import Health
from gitu_core.contracts.host import Entry
from gitu_core.contracts.ports import Clock, PluginState, Workers
from gitu_core.errors import Damaged
from gitu_core.model import Value
from gitu_core.secrecy import hidden

log = logging.getLogger("gitu.gateway")

EVERY = 5.0
"""Seconds between two times that a channel is asked how it is."""

CALM = 60.0
"""Seconds for which a channel has to work before an outage is over."""

LONGEST = 500
"""Characters of what a channel says of itself."""

WORSE = {"ok": 0, "starting": 1, "degraded": 2, "failed": 3}
"""The states of a channel; what is above 1 is an outage."""


class Seen(Value, frozen=True):
    """How a channel was when that changed last; times are seconds since 1970, UTC. `outage` is when the last outage
    began, 0 where there was none. `runs` tells whether a process runs it now."""

    state: str = "ok"
    detail: str = ""
    hint: str = ""
    since: float = 0.0
    outage: float = 0.0
    runs: bool = False


class Pulse:
    """How one channel is; *known* is what an earlier run left on disk."""

    def __init__(self, name: str, clock: Clock, known: Seen | None = None) -> None:
        self.name, self._clock = name, clock
        self.health, self.since = Health(), clock.now()
        self._said, self._trouble = Health(), Health()
        self._receives: float | None = None
        self.outage, self._began, self._well = 0.0, 0.0, float("-inf")
        if known is not None and WORSE.get(known.state, 0) > 1 and known.outage:
            # What was down when an earlier run ended, and still is, is down since then.
            self.outage, self._well = known.outage, clock.monotonic()
            self._began = clock.monotonic() - max(0.0, clock.now() - known.outage)
        self.runs, self.told = True, False
        self.saved: Seen | None = None

    @property
    def down(self) -> float:
        """Seconds since the outage began in which it is; 0 where it works."""
        return self._clock.monotonic() - self._began if WORSE[self.health.state] > 1 else 0.0

    @property
    def seen(self) -> Seen:
        """What is kept of it."""
        return Seen(self.health.state, self.health.detail, self.health.hint, self.since, self.outage, self.runs)

    def receives(self, trouble: Health | None = None) -> None:
        """Receiving began, or ended with a *trouble*. What begins after a trouble has to last before it counts."""
        self._receives = self._clock.monotonic() if trouble is None else None
        self._trouble = trouble or self._trouble
        self._judge()

    def says(self, health: Health) -> None:
        """The channel was asked how it is."""
        if self._receives is not None and self._clock.monotonic() - self._receives >= EVERY:
            self._trouble = Health()
        self._said = health
        self._judge()

    def _judge(self) -> None:
        found = max(self._trouble, self._said, key=lambda each: WORSE[each.state])
        found = Health(found.state, hidden(found.detail)[:LONGEST], hidden(found.hint)[:LONGEST])
        was, bad, now = WORSE[self.health.state] > 1, WORSE[found.state] > 1, self._clock.monotonic()
        if found.state != self.health.state:
            self.since = self._clock.now()
        if bad and not was and now - self._well > CALM:
            self.outage, self._began, self.told = self._clock.now(), now, False
        if bad is not was:
            if was:
                self._well = now
            log.log(
                logging.ERROR if bad else logging.WARNING, "channel %s: %s %s", self.name, found.state, found.detail
            )
        self.health = found


class Board:
    """The channels of this process, and what is known of those of others. *owner* is whose entries they are."""

    def __init__(self, state: PluginState, owner: str, workers: Workers, clock: Clock) -> None:
        self._state, self._owner, self._workers, self._clock = state, owner, workers, clock
        self.pulses: dict[str, Pulse] = {}

    async def begin(self, name: str) -> None:
        """A channel begins to run here."""
        self.pulses[name] = Pulse(name, self._clock, await self.seen(name))

    async def save(self, pulse: Pulse) -> None:
        """Keeps how a channel is, where that changed."""
        if (seen := pulse.seen) != pulse.saved:
            await self._state.kv_put(self._owner, Entry(f"channel/{pulse.name}", msgspec.to_builtins(seen)))
            pulse.saved = seen

    async def seen(self, name: str) -> Seen | None:
        """How a channel was when a process ran it last."""
        try:
            entry = await self._state.kv_get(self._owner, f"channel/{name}")
            seen = msgspec.convert(entry.value, Seen) if entry is not None else None
        except (Damaged, msgspec.ValidationError) as error:  # it is written again at the next change
            log.warning("how the channel %s was cannot be read: %s", name, error)
            return None
        runs = await self._workers.owner(f"channel:{name}") is not None
        return msgspec.structs.replace(seen, runs=runs) if seen is not None else None

    async def works(self, name: str) -> bool:
        """True if something can be said on a channel now, as far as anybody knows."""
        if name in self.pulses:
            return self.pulses[name].runs and self.pulses[name].health.state == "ok"
        seen = await self.seen(name)
        return seen is not None and seen.runs and seen.state == "ok"


def clock_time(at: float) -> str:
    """A time as people read it."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M UTC")
