"""The calling half of a peer: calls that wait for their answer, and streams that are being read."""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextvars import Context, copy_context
from dataclasses import dataclass, field
from typing import Any

import anyio
import msgspec

from gitu_core.border.faults import unpack
from gitu_core.border.frames import SERVING, Call, Cancel, Credit, End, Failed, Item, Result, raw
from gitu_core.border.outbox import Outbox, Ticket
from gitu_core.border.plans import Args, Kwargs, Method
from gitu_core.border.proxies import Objects
from gitu_core.errors import BorderError, Cancelled, GituError, NotReady, Unknown


@dataclass(eq=False, slots=True, kw_only=True)
class _Waiting(Ticket):
    """A call without its answer yet. `changed` is set when there is something to look at."""

    id: int
    limit: int
    context: Context = field(default_factory=copy_context)
    changed: anyio.Event = field(default_factory=anyio.Event)
    done: bool = False
    value: msgspec.Raw | None = None
    error: GituError | None = None
    items: deque[msgspec.Raw] = field(default_factory=deque)

    def end(self, error: GituError | None = None) -> None:
        """The answer is complete."""
        if not self.done:
            self.done, self.error = True, error
            self.changed.set()


class Caller:
    """Calls objects of the other side.

    *limit* is in bytes a value, *window* the items that a stream may run ahead, *grace* the seconds that a
    cancelled call is given to end on the other side.
    """

    def __init__(self, outbox: Outbox, *, limit: int, window: int, grace: float) -> None:
        self.objects = Objects(self)
        self.lost: GituError | None = None
        self.stuck: Callable[[], None] = lambda: None
        """Called when a cancelled call has not ended within the grace."""
        self._outbox, self._limit = outbox, limit
        self._window = max(1, window)
        self._grace = grace
        self._ids = itertools.count(1)
        self._open: dict[int, _Waiting] = {}

    def __len__(self) -> int:
        return len(self._open)

    async def call(self, ref: int, method: Method, args: Args, kwargs: Kwargs) -> Any:
        """One call and its value. `NotReady`: it never left; `Unknown`: it left and no answer can come any
        more."""
        refs: list[int] = []
        waiting = await self._begin(ref, method, args, kwargs, refs, credit=0)
        try:
            if not waiting.done:
                await waiting.changed.wait()
            if waiting.error is not None:
                raise waiting.error
            if waiting.value is None:
                raise BorderError(f"{method.name} ended like a stream", hint="run the same version on both sides")
            # Read while what was lent is still known: the answer may be one of those objects.
            return self._value(method, waiting.value)
        finally:
            await self._finish(waiting, refs)

    async def stream(self, ref: int, method: Method, args: Args, kwargs: Kwargs) -> AsyncIterator[Any]:
        """Items as they come. Closing the iterator early stops the other side's generator."""
        refs: list[int] = []
        waiting = await self._begin(ref, method, args, kwargs, refs, credit=self._window)
        taken = 0
        try:
            while True:
                while waiting.items:
                    item = waiting.items.popleft()
                    taken += 1
                    if taken * 2 >= self._window and not waiting.done:
                        self._outbox.post(Credit(waiting.id, taken))
                        taken = 0
                    yield self._value(method, item)
                if waiting.done:
                    break
                waiting.changed = anyio.Event()
                await waiting.changed.wait()
        finally:
            await self._finish(waiting, refs)
        if waiting.error is not None:
            raise waiting.error

    def receive(self, frame: Result | Failed | Item | End) -> bool:
        """Takes an answer. What answers no open call came too late and is dropped: False."""
        waiting = self._open.get(frame.id)
        if waiting is None or waiting.done:
            return False
        if isinstance(frame, Item):
            if len(waiting.items) >= waiting.limit:
                self._outbox.post(Cancel(frame.id))
                waiting.end(BorderError("the other side sent more items than it may", hint="isolate that plugin"))
            else:
                waiting.items.append(frame.value)
                waiting.changed.set()
        elif isinstance(frame, Failed):
            waiting.end(unpack(frame.fault))
        else:
            waiting.value = frame.value if isinstance(frame, Result) else None
            waiting.end()
        return True

    def context(self, id: int) -> Context | None:
        """What the task that made an open call knew: whatever the other side asks for that call, it asks in this."""
        waiting = self._open.get(id)
        return waiting.context.copy() if waiting is not None else None

    def close(self, reason: GituError) -> None:
        """The connection is gone: calls that left are `Unknown`, calls that did not are `NotReady`."""
        self.lost = reason
        for waiting in list(self._open.values()):
            lost = Unknown(f"the connection was lost before the answer came: {reason.message}",
                           hint="find out what happened before trying again")  # fmt: skip
            waiting.end(lost if waiting.sent else self._not_ready(reason))
        self.objects.clear()

    async def _begin(
        self, ref: int, method: Method, args: Args, kwargs: Kwargs, refs: list[int], credit: int
    ) -> _Waiting:
        try:
            packed = method.pack(args, kwargs, lambda value, plan: self.objects.lend(value, plan, refs))
            payload = raw(method.args_codec, packed, self._limit)
            await self._outbox.room()
            if self.lost is not None:
                raise self._not_ready(self.lost)
        except BaseException:  # whatever went wrong, nothing was sent, so nothing stays lent
            self.objects.drop(refs)
            raise
        waiting = _Waiting(id=next(self._ids), limit=credit)
        self._open[waiting.id] = waiting
        where, cause = SERVING.get()
        cause = cause if where is self.objects else 0
        self._outbox.post(Call(waiting.id, ref, method.name, payload, credit, cause), waiting)
        return waiting

    async def _finish(self, waiting: _Waiting, refs: list[int]) -> None:
        """Ends a call in every case. One that still runs is cancelled, and waited for like a local one
        would be."""
        try:
            if not waiting.done:
                waiting.withdrawn = True
                if waiting.sent:
                    self._outbox.post(Cancel(waiting.id))
                    with anyio.move_on_after(self._grace, shield=True):
                        while not waiting.done:
                            waiting.items.clear()
                            waiting.changed = anyio.Event()
                            await waiting.changed.wait()
                    if not waiting.done:
                        self.stuck()
        finally:
            waiting.end(Cancelled("the call was cancelled"))
            self._open.pop(waiting.id, None)
            self.objects.drop(refs)

    def _value(self, method: Method, data: msgspec.Raw) -> Any:
        value = method.result_codec.decode(data)
        return method.result.into(value, self.objects.accept) if method.result.into else value

    @staticmethod
    def _not_ready(reason: GituError) -> NotReady:
        return NotReady(f"nothing was sent: {reason.message}", hint="try again when the other side is back")
