"""Circuit breakers: what failed of late is left alone (open); when its time is over, one request probes it (half-open).

A model with its key opens at the first failure, and so does a key; a provider as a whole when its models, whichever
they are, failed `TRIP` times in a row. The first success closes it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from gitu_core.contracts.ports import Clock
from gitu_core.errors import AuthFailed, ConfigError, GituError, NotReady, StreamBroken, Unknown

FIRST = 1.0
"""The first pause after a failure, in seconds; it doubles with every further one."""

LONGEST = 300.0
"""The longest pause that is not asked for, in seconds."""

REFUSED = 600.0
"""The pause after a credential was refused, in seconds."""

PROBE = 120.0
"""How long a probe may take before another one is let through, in seconds."""


TRIP = 5
"""How many failures in a row, of whichever models, open the breaker of a provider."""

MILD = 2
"""How many failures in a row leave a model worth trying where there is no other."""


@dataclass
class _Pause:
    until: float
    failures: int
    reason: str
    asked: bool
    open: bool = True
    probing_until: float = 0.0


class Cooldown:
    """Breakers by key: a model with its credential, a credential alone, or a provider."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._pauses: dict[str, _Pause] = {}

    def left(self, key: str) -> float:
        """Seconds until *key* may be tried; 0 = now. While somebody probes it, the others wait."""
        if not self._pauses or (pause := self._pauses.get(key)) is None or not pause.open:
            return 0.0
        return max(0.0, max(pause.until, pause.probing_until) - self._clock.monotonic())

    def state(self, key: str) -> Literal["closed", "open", "half-open"]:
        """Whether requests go through, none does, or one at a time to probe it."""
        pause = self._pauses.get(key)
        if pause is None or not pause.open:
            return "closed"
        return "open" if pause.until > self._clock.monotonic() else "half-open"

    def reason(self, key: str) -> str:
        """What it failed with, in words."""
        pause = self._pauses.get(key)
        return pause.reason if pause else ""

    def mild(self, key: str) -> bool:
        """True if *key* may be tried all the same where nothing else is left: it failed seldom, and nobody
        asked for the pause."""
        pause = self._pauses.get(key)
        return pause is None or (not pause.asked and pause.failures <= MILD)

    def begin(self, key: str) -> None:
        """A request to *key* begins; after a pause it is the probe that decides."""
        if self._pauses and (pause := self._pauses.get(key)) is not None:
            now = self._clock.monotonic()
            # A request that was planned before the failure decides nothing.
            if pause.open and pause.until <= now:
                pause.probing_until = now + PROBE

    def success(self, key: str) -> None:
        """It works again."""
        if self._pauses:
            self._pauses.pop(key, None)

    def failure(self, key: str, error: Exception, trip: int = 1) -> None:
        """It failed; the *trip*-th failure in a row opens it. Failures of the request alone, which would fail anywhere,
        pause nothing but end a probe; where it takes several, so do those that only the model or its key has."""
        pause = self._pauses.get(key)
        failures = pause.failures + 1 if pause else 1
        seconds, asked = _pause_for(error, max(1, failures - trip + 1))
        if seconds is None or (asked and trip > 1):
            if pause is not None:
                pause.probing_until = 0.0
            return
        reason = error.code if isinstance(error, GituError) else type(error).__name__
        self._pauses[key] = _Pause(self._clock.monotonic() + seconds, failures, reason, asked, failures >= trip)


def _pause_for(error: Exception, failures: int) -> tuple[float | None, bool]:
    """Seconds to leave alone what failed with *error* for the nth time (None = it is not to blame), and whether the
    other side, or a person, asked for them."""
    if isinstance(error, AuthFailed):
        return REFUSED, True
    if isinstance(error, NotReady) and error.retry_after is not None:
        return error.retry_after, True
    if isinstance(error, NotReady | StreamBroken | Unknown):
        return min(LONGEST, FIRST * 2.0 ** min(failures - 1, 20)), False
    if isinstance(error, ConfigError):
        return LONGEST, True
    # The request's own fault, the budget's, a person's: another request may well succeed.
    return (None if isinstance(error, GituError) else FIRST), False
