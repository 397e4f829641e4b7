"""The serving half of a peer: runs the other side's calls against the objects that this side exported."""

from __future__ import annotations

import inspect
import logging
import math
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any

import anyio
from anyio import CancelScope, get_cancelled_exc_class

from gitu_core.border.faults import FAULT, Fault, pack
from gitu_core.border.frames import SERVING, Call, Credit, End, Failed, Item, Result, raw
from gitu_core.border.outbox import Outbox
from gitu_core.border.plans import Method
from gitu_core.border.proxies import Objects
from gitu_core.errors import BorderError, Cancelled, GituError, NotReady

log = logging.getLogger("gitu.border")

_DETAILS_LIMIT = 64 << 10


@dataclass(eq=False, slots=True)
class _Running:
    """A call that is being served."""

    credit: int
    scope: CancelScope = field(default_factory=CancelScope)
    more: anyio.Event = field(default_factory=anyio.Event)


class Server:
    """Serves calls. *limit* is in bytes a value, *grace* in seconds for a stopped generator to clean up,
    *max_calls* the calls that may run at once."""

    def __init__(self, objects: Objects, outbox: Outbox, *, limit: int, grace: float, max_calls: int) -> None:
        self._objects, self._outbox, self._limit, self._grace = objects, outbox, limit, grace
        self._max_calls = max_calls
        self._running: dict[int, _Running] = {}

    def __len__(self) -> int:
        return len(self._running)

    def receive(self, frame: Call, start: Callable[..., Any]) -> None:
        """Starts a call in a task of its own. A number that is in use is the other side's fault:
        `BorderError`."""
        if frame.id in self._running:
            raise BorderError(f"call {frame.id} is running already", hint="number every call anew")
        if len(self._running) >= self._max_calls:
            busy = NotReady(f"{self._max_calls} calls are running already", hint="wait until some have ended")
            self._outbox.post(Failed(frame.id, pack(busy)))
            return
        running = self._running[frame.id] = _Running(frame.credit)
        start(self._serve, frame, running)

    def cancel(self, id: int) -> None:
        """Stops a call that still runs."""
        if running := self._running.get(id):
            running.scope.cancel()

    def credit(self, frame: Credit) -> None:
        """Lets a stream go on."""
        if running := self._running.get(frame.id):
            running.credit += max(0, frame.count)
            running.more.set()

    async def _serve(self, frame: Call, running: _Running) -> None:
        error: BaseException = Cancelled("the call was cancelled")
        SERVING.set((self._objects, frame.id))  # in this task only
        try:
            with running.scope:
                answer = await self._answer(frame, running)
                await self._outbox.room()
                self._outbox.post(answer)
                return
        except get_cancelled_exc_class() as raised:
            # Either everything is being closed, or the implementation raised it without anybody having
            # cancelled.
            if anyio.current_effective_deadline() == -math.inf:
                raise
            error = Cancelled("the other side gave up by itself", raised=type(raised).__name__)
        except (Exception, SystemExit) as raised:  # what it raises is an answer, never our end
            error = raised
            if not isinstance(raised, GituError):  # only its message crosses
                log.info("a call of %s failed", frame.method, exc_info=raised)
        finally:
            self._running.pop(frame.id, None)
        self._outbox.post(Failed(frame.id, self._fault(error)))

    async def _answer(self, frame: Call, running: _Running) -> Result | End:
        target, plan = self._objects.find(frame.ref)
        method = plan.methods.get(frame.method)
        if method is None:
            raise BorderError(f"contract {plan.name} has no method {frame.method[:200]!r}", hint="see its module")
        if method.streams != bool(frame.credit):
            raise BorderError(f"{plan.name}.{method.name} was called the wrong way", hint="use the same version")
        function = getattr(target, method.name, None)
        if function is None:
            what = f"{type(target).__name__} has no method {method.name}, which contract {plan.name} asks for"
            raise BorderError(what, hint="write it")
        arguments = method.unpack(method.args_codec.decode(frame.args), self._objects.accept)
        value = function(**arguments)
        if inspect.isawaitable(value):  # an implementation may be `def` or `async def`
            value = await value
        if method.streams:
            await self._send_all(frame.id, method, value, running)
            return End(frame.id)
        return Result(frame.id, self._payload(method, value))

    async def _send_all(self, id: int, method: Method, items: AsyncIterator[Any], running: _Running) -> None:
        try:
            while True:
                while running.credit <= 0:
                    running.more = anyio.Event()
                    await running.more.wait()
                try:
                    item = await anext(items)
                except StopAsyncIteration:
                    return
                running.credit -= 1
                await self._outbox.room()
                self._outbox.post(Item(id, self._payload(method, item)))
        finally:
            if (close := getattr(items, "aclose", None)) is not None:
                # A generator's own clean-up may wait, also when the stream was cancelled.
                with anyio.move_on_after(self._grace, shield=True):
                    await close()

    def _payload(self, method: Method, value: Any) -> Any:
        if method.result.out is not None:
            value = method.result.out(value, self._objects.give)
        return raw(method.result_codec, value, self._limit)

    @staticmethod
    def _fault(error: BaseException) -> Fault:
        fault = pack(error)
        try:
            FAULT.encode(fault, _DETAILS_LIMIT)
        except GituError:
            return Fault(fault.kinds, fault.message, fault.hint)
        return fault
