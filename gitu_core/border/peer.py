"""One end of a connection. Both ends are alike: each may offer an object and call what the other one
offers."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from contextvars import Context
from functools import partial
from typing import Any

import anyio
import msgspec
from anyio.abc import TaskGroup

from gitu_core.border import frames
from gitu_core.border.calling import Caller
from gitu_core.border.codec import FRAME_LIMIT, codec_for
from gitu_core.border.outbox import Outbox
from gitu_core.border.plans import plan_of
from gitu_core.border.proxies import Proxy
from gitu_core.border.serving import Server
from gitu_core.errors import BorderError, GituError, NotReady

HEADER = 4096
"""What a frame may be longer than the value in it, in bytes."""

PIECE = 64 << 10
"""Bytes that count as much as a call."""

_DROPPED = (anyio.EndOfStream, anyio.ClosedResourceError, anyio.BrokenResourceError, OSError)


class Peer:
    """One end of a connection, open inside ``async with`` (enter and leave it in one task).

        async with Peer(transport, offer=host, protocol=Host) as peer:
            plugin = peer.remote(Plugin)

    *offer* is what the other side gets from `remote`; it lives until the connection closes. *limit* is in
    bytes a value, *window* in items that a stream may run ahead, *grace* in seconds that cancelled work may
    take to end, *patience* in seconds to the other side's first frame. With a *rate* the other side may make so
    many calls a second, or send other frames that answer nothing, and `PIECE` bytes for each of them; what it does not
    read is not added to. *context* makes the context of calls that it makes from that of the call they are made for, if
    there is one; *stuck* is called when work of it does not end. Entering raises `IncompatibleError` where the versions
    do not fit and `NotReady` where nobody answers.
    """

    def __init__(
        self, transport: frames.Transport, *, offer: object = None, protocol: type | None = None,
        limit: int = FRAME_LIMIT, window: int = 32, grace: float = 5.0, patience: float = 30.0, max_calls: int = 10_000,
        rate: float = math.inf, context: Callable[[Context | None], Context | None] = lambda known: known,
        stuck: Callable[[], None] | None = None,
    ) -> None:  # fmt: skip
        self._transport, self._limit, self._patience = transport, limit, patience
        self._rate, self._context, self._tokens, self._filled = rate, context, rate, time.monotonic()
        self._outbox = Outbox(transport)
        self._caller = Caller(self._outbox, limit=limit, window=window, grace=grace)
        self._caller.stuck = stuck or self._caller.stuck
        self._server = Server(self._caller.objects, self._outbox, limit=limit, grace=grace, max_calls=max_calls)
        self._offer = (offer, protocol) if protocol is not None else None
        self._hello: frames.Hello | None = None
        self._greeted = anyio.Event()
        self._stack = AsyncExitStack()
        self.closed = anyio.Event()
        """Set when the connection has ended; `reason` then says why."""
        self.reason: GituError | None = None

    # ---- what holders use ----------------------------------------------------------------------------------

    def remote(self, protocol: type) -> Any:
        """The object that the other side offers. `BorderError` if it offers none, or another contract's."""
        if self._hello is None or self._hello.offer == frames.NOTHING:
            raise BorderError("the other side offers no object", hint="pass offer= and protocol= there")
        # Only contracts in use have to agree: others may change without breaking this connection.
        frames.agree(self._hello, protocol)
        plan = plan_of(protocol)
        crossing = codec_for(plan.crossing).decode(self._hello.offer)
        return self._caller.objects.accept(crossing, plan)

    def release(self, proxy: object) -> None:
        """Tells the other side that an object it returned is no longer needed. Without it, it lives as long
        as the connection."""
        if not isinstance(proxy, Proxy) or proxy.gitu_calls is not self._caller:
            raise BorderError(f"{proxy!r} did not come over this connection", hint="release it where it came from")
        self._outbox.post(frames.Release(proxy.gitu_ref, proxy.gitu_count))

    # ---- opening and closing -------------------------------------------------------------------------------

    async def __aenter__(self) -> Peer:
        try:
            await self.begin()
            await self.meet()
        except BaseException:  # also when cancelled: what was started here must not outlive this call
            await self.__aexit__(*sys.exc_info())
            raise
        return self

    async def begin(self) -> None:
        """Starts to read and write, and greets the other side. Whatever comes of it, leaving ends it."""
        offer = frames.NOTHING
        if self._offer is not None:
            plan = plan_of(self._offer[1])
            crossing = self._caller.objects.keep(self._offer[0], plan)
            offer = frames.raw(codec_for(plan.crossing), crossing, self._limit)
        group = await self._stack.enter_async_context(anyio.create_task_group())
        inner = await group.start(self._run)
        self._stack.callback(inner.cancel_scope.cancel)
        self._outbox.post(frames.greeting(offer))

    async def meet(self) -> None:
        """Waits for the other side's greeting."""
        with anyio.move_on_after(self._patience):
            await self._greeted.wait()
        if self._hello is None:
            silent = f"the other side said nothing for {self._patience} seconds"
            raise self.reason or NotReady(silent, hint="look at its log")

    async def __aexit__(self, kind: type[BaseException] | None, *error: Any) -> None:
        with anyio.move_on_after(1):
            await self._outbox.drained()
        # Errors of the body are not the group's: handing them over would wrap them in an exception group.
        cancelled = kind is not None and issubclass(kind, anyio.get_cancelled_exc_class())
        await self._stack.__aexit__(*((kind, *error) if cancelled else (None, None, None)))

    async def _run(self, *, task_status: anyio.abc.TaskStatus[TaskGroup]) -> None:
        reason: GituError = NotReady("the connection was closed on this side", hint="open a new one")
        try:
            async with anyio.create_task_group() as group:
                task_status.started(group)
                group.start_soon(self._write, group)
                reason = await self._read(group)
                # Calls end with the connection that carried them: nobody waits for them any more.
                self._end(reason)
                group.cancel_scope.cancel()
        finally:
            self._end(reason)
            with anyio.CancelScope(shield=True):
                await self._transport.aclose()

    def _end(self, reason: GituError) -> None:
        if self.reason is None:
            self.reason = reason
            self._outbox.close()
            self._caller.close(reason)
            self._greeted.set()
            self.closed.set()

    # ---- the two loops -------------------------------------------------------------------------------------

    async def _write(self, group: TaskGroup) -> None:
        try:
            await self._outbox.run()
        except _DROPPED:
            self._end(_dropped())
            group.cancel_scope.cancel()

    async def _read(self, group: TaskGroup) -> GituError:
        try:
            while True:
                chunk = await self._transport.receive()
                if self._rate < math.inf:
                    await self._outbox.room()
                self._count(len(chunk) / PIECE)
                if len(chunk) > self._limit + HEADER:
                    raise BorderError(f"a chunk of {len(chunk)} bytes is too large", limit=self._limit)
                for frame in frames.read(chunk):
                    self._receive(frame, group)
        except _DROPPED:
            return _dropped()
        except GituError as error:  # the other side breaks the protocol: nothing it says can be relied on
            return error

    def _receive(self, frame: frames.Frame, group: TaskGroup) -> None:
        if isinstance(frame, frames.Result | frames.Failed | frames.Item | frames.End) and self._hello is not None:
            if not self._caller.receive(frame):
                self._count(1)
            return
        self._count(1)
        if self._hello is None or isinstance(frame, frames.Hello):
            self._greet(frame)
        elif isinstance(frame, frames.Call):
            context = self._context(self._caller.context(frame.cause))
            start: Callable[..., Any] = group.start_soon
            self._server.receive(frame, partial(context.run, start) if context else start)
        elif isinstance(frame, frames.Cancel):
            self._server.cancel(frame.id)
        elif isinstance(frame, frames.Credit):
            self._server.credit(frame)
        elif isinstance(frame, frames.Release):
            self._caller.objects.released(frame.ref, frame.count)

    def _count(self, cost: float) -> None:
        """Ends the connection of somebody who sends more than *rate* allows."""
        if self._rate == math.inf:
            return
        now = time.monotonic()
        self._tokens = min(self._rate, self._tokens + (now - self._filled) * self._rate) - cost
        self._filled = now
        if self._tokens < 0:
            what = f"more than {self._rate:g} calls a second were made, or as much was sent"
            raise BorderError(what, hint="make fewer of them")

    def _greet(self, frame: frames.Frame) -> None:
        if not isinstance(frame, frames.Hello) or self._hello is not None:
            raise BorderError("a connection begins with exactly one hello", hint="only Gitu may write to it")
        frames.agree(frame)
        if self._offer is not None:
            frames.agree(frame, self._offer[1])
        self._hello = msgspec.structs.replace(frame, offer=msgspec.Raw(bytes(frame.offer)))
        self._greeted.set()


def _dropped() -> NotReady:
    return NotReady("the other side closed the connection", hint="start it again")
