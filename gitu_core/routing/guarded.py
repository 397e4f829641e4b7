"""Watches over one stream: its time, its end, its failures and its cost."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator

import anyio
import msgspec

from gitu_core.errors import GituError, NotReady, StreamBroken
from gitu_core.model import Finish, ModelEvent, ModelInfo
from gitu_core.model.prices import cost_of

EVENT_TIMEOUT = 120.0
"""Seconds that may pass between two events of a stream."""


async def guarded(
    stream: AsyncIterator[ModelEvent], info: ModelInfo, model: str, first: float, between: float = EVENT_TIMEOUT
) -> AsyncGenerator[ModelEvent]:
    """The events of *stream* up to its `Finish`, with the cost filled in. *first* and *between* are in
    seconds.

    Everything that goes wrong is a typed failure: `NotReady` before the first event, `StreamBroken`
    afterwards.
    """
    begun = False
    step = stream.__anext__
    try:
        while True:
            try:
                with anyio.fail_after(between if begun else first):
                    event = await step()
            except StopAsyncIteration:
                raise StreamBroken(f"{model} ended its answer without saying so", model=model) from None
            except GituError:
                raise
            except Exception as error:  # whatever a provider raises, the turn needs to know what to do next
                raise _typed(error, model, begun) from error
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
            with anyio.move_on_after(5, shield=True):
                await close()


def _typed(error: Exception, model: str, begun: bool) -> GituError:
    """The typed failure for what a provider should not have raised. Its text is not repeated: it may hold
    anything."""
    what = "took too long" if isinstance(error, TimeoutError) else f"failed with {type(error).__name__}"
    if begun:
        return StreamBroken(f"{model} {what} inside its answer", model=model)
    return NotReady(f"{model} {what} before its answer began", model=model)
