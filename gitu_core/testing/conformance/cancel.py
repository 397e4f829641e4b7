"""Cancellation at every await: the same work again and again, cancelled each time one suspension later."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Generator
from dataclasses import dataclass
from functools import partial
from itertools import count
from typing import Any

import anyio

MOST = 300
"""How many suspensions of one piece of work are tried at most."""


@dataclass
class Cut:
    """A piece of work that was cancelled at its *nth* suspension. `reached` is False where it ended before that."""

    nth: int
    reached: bool = False
    ended: bool = False
    value: Any = None
    error: Exception | None = None


class _Counted:
    """Awaits *work* and cancels *scope* as soon as it is suspended for the nth time."""

    def __init__(self, work: Awaitable[Any], cut: Cut, scope: anyio.CancelScope) -> None:
        self._work, self._cut, self._scope = work, cut, scope

    def __await__(self) -> Generator[Any, Any, Any]:
        steps: Any = self._work.__await__()
        seen, thrown = 0, None
        while True:
            try:
                waits = steps.send(None) if thrown is None else steps.throw(thrown)
            except StopIteration as done:
                return done.value
            seen, thrown = seen + 1, None
            if seen == self._cut.nth:
                self._cut.reached = True
                self._scope.cancel()
            try:
                yield waits
            except BaseException as error:  # noqa: BLE001 - the cancellation itself is what is handed on
                thrown = error


async def cancel_at(nth: int, work: Callable[[], Awaitable[Any]], within: float | None = None) -> Cut:
    """Does *work* and cancels it when it is suspended for the *nth* time, or after *within* seconds. Gives what it
    returned or raised, where it `ended` by itself."""
    cut = Cut(nth)
    with anyio.CancelScope() as scope, anyio.move_on_after(within):
        try:
            cut.value = await _Counted(work(), cut, scope)
            cut.ended = True
        except Exception as error:  # noqa: BLE001 - whatever it raised is for the caller to judge
            cut.ended, cut.error = True, error
    return cut


async def cuts(
    work: Callable[[int], Awaitable[Any]], within: float | None = None, most: int = MOST
) -> AsyncIterator[Cut]:
    """The same *work*, cancelled at its first suspension, at its second, and so on until it ends by itself; the last
    one was not cancelled. *work* is handed the number."""
    for nth in count(1):
        cut = await cancel_at(nth, partial(work, nth), within)
        yield cut
        if not cut.reached or nth >= most:
            return
