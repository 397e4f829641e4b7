"""How often something may be tried."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable

from gitu_core.errors import RateLimited
from gitu_web.limits import network_of

REMEMBERED = 4_096
"""Of how many addresses it is known how often they tried."""


class Tries:
    """At most *most* tries of one in *seconds*, and ten times as many of everybody together."""

    def __init__(self, most: int, seconds: float, now: Callable[[], float], what: str) -> None:
        self._most, self._seconds, self._now, self._what = most, seconds, now, what
        self._by: OrderedDict[str, deque[float]] = OrderedDict()
        self._all: deque[float] = deque()

    def take(self, who: str) -> None:
        """One more try of somebody, or of a network. `RateLimited` where there were too many."""
        now, who = self._now(), network_of(who)
        mine = self._by.setdefault(who, deque())
        self._by.move_to_end(who)
        if len(self._by) > REMEMBERED:
            self._by.popitem(last=False)
        for tries, most in ((mine, self._most), (self._all, self._most * 10)):
            while tries and tries[0] <= now - self._seconds:
                tries.popleft()
            if len(tries) >= most:
                wait = tries[0] + self._seconds - now
                raise RateLimited(f"there were too many {self._what}", hint="wait, then try again", retry_after=wait)
        mine.append(now)
        self._all.append(now)

    def give_back(self, who: str) -> None:
        """The last try does not count."""
        for tries in (self._by.get(network_of(who)), self._all):
            if tries:
                tries.pop()
