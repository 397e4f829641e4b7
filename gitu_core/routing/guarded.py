"""Watches over streams: their time, their end, their failures and their cost."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, TypeVar

import anyio
import msgspec

from gitu_core.errors import GituError, NotReady, StoreError, StreamBroken
from gitu_core.model import Finish, ModelEvent, ModelInfo
from gitu_core.model.prices import cost_of

EVENT_TIMEOUT = 120.0
"""Seconds that may pass between two events of a stream."""

AGAIN = 0.1
"""Seconds after which a wait that went on although it was cancelled is cancelled again."""

T = TypeVar("T")


@dataclass(eq=False, slots=True)
class _Wait:
    task: asyncio.Task[Any]
    until: float
    others: int
    cancels: int = 0


class Watch:
    """Ends waits that last too long. One timer of the event loop serves all of them: nearly none ever does, and a
    scope for every event costs more than reading the event."""

    def __init__(self) -> None:
        self._waits: set[_Wait] = set()
        self._timer: asyncio.TimerHandle | None = None

    async def wait(self, seconds: float, step: Awaitable[T]) -> T:
        """What *step* gives; `TimeoutError` if it was cancelled because that took longer than *seconds*."""
        task = asyncio.current_task()
        assert task is not None
        wait = _Wait(task, task.get_loop().time() + seconds, task.cancelling())
        self._waits.add(wait)
        if self._timer is None or wait.until < self._timer.when():
            self._look(wait.until)
        try:
            return await step
        except asyncio.CancelledError:
            if wait.cancels and task.cancelling() <= wait.others + wait.cancels:
                raise TimeoutError from None
            raise  # somebody else cancelled as well
        finally:
            self._waits.discard(wait)
            for _ in range(wait.cancels):
                task.uncancel()

    def _look(self, when: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_at(when, self._end_late)

    def _end_late(self) -> None:
        self._timer, now = None, asyncio.get_running_loop().time()
        for wait in self._waits:
            if wait.until <= now:
                wait.until, wait.cancels = now + AGAIN, wait.cancels + 1
                wait.task.cancel()
        if self._waits:
            self._look(min(wait.until for wait in self._waits))


async def guarded(
    begin: Callable[[], Awaitable[AsyncIterator[ModelEvent]]],
    info: ModelInfo, model: str, watch: Watch, first: float, between: float,
) -> AsyncGenerator[ModelEvent]:  # fmt: skip
    """The events of the stream that *begin* opens, up to its `Finish`, with the cost filled in. *first* and *between*
    are in seconds.

    Everything that goes wrong is a typed failure: `NotReady` before the first event, `StreamBroken` afterwards.
    """
    begun, stream = False, await begin()
    step = stream.__anext__
    try:
        while True:
            try:
                event = await watch.wait(between if begun else first, step())
            except StopAsyncIteration:
                raise StreamBroken(f"{model} ended its answer without saying so", model=model) from None
            except Exception as error:  # whatever a provider raises, the turn needs to know what to do next
                if isinstance(error, GituError) and not isinstance(error, StoreError):
                    raise
                raise typed(error, model, begun) from error  # a failure of the store is taken for our own
            begun = True
            if isinstance(event, Finish):
                usage = msgspec.structs.replace(event.usage, cost=cost_of(info, event.usage))
                yield msgspec.structs.replace(event, usage=usage, model=event.model or info.id)
                return
            yield event
    finally:
        close = getattr(stream, "aclose", None)
        if close is not None:
            # Closing frees a connection; it must happen even when the turn is being cancelled,
            # and must not hang.
            with anyio.move_on_after(5, shield=True), suppress(Exception):  # what counts is what came before
                await close()


def typed(error: Exception, model: str, begun: bool = False) -> GituError:
    """The typed failure for what a provider should not have raised. Its text is not repeated: it may hold
    anything."""
    what = "took too long" if isinstance(error, TimeoutError) else f"failed with {type(error).__name__}"
    if begun:
        return StreamBroken(f"{model} {what} inside its answer", model=model)
    return NotReady(f"{model} {what} before its answer began", model=model)
