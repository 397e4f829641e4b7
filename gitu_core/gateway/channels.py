"""Keeps the channels running: one task an adapter, started again with back-off when its channel is not ready, and one
that asks it how it is and finds other ways for what it does not take."""

from __future__ import annotations

import logging
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal

import anyio
import msgspec
from anyio.abc import TaskGroup

from gitu_core.contracts import Adapter, Health
from gitu_core.contracts.ports import Clock, Workers
from gitu_core.errors import AuthFailed, ConfigError, GituError, NotReady
from gitu_core.gateway.fallback import Fallback
from gitu_core.gateway.gateway import Gateway
from gitu_core.gateway.inbox import AdapterInbox
from gitu_core.gateway.pulse import EVERY, Board, Pulse
from gitu_core.isolation import is_cancellation

log = logging.getLogger("gitu.gateway")

LONGEST_WAIT = 60.0
"""Seconds between two tries of a channel that is not ready, at most."""

WITHIN = 1.0
"""Seconds within which a channel has to say how it is."""

HEAD_START = 1.0
"""Seconds that what waits to be sent gets before new turns begin, at most."""


@dataclass
class _Sending:
    """A channel, and the task that sends what waits for it; `begun` is set when it tried once."""

    adapter: Adapter
    scope: anyio.CancelScope = field(default_factory=anyio.CancelScope)
    begun: anyio.Event = field(default_factory=anyio.Event)


class Channels:
    """Runs adapters and knows how they are. *draw* gives numbers from 0 to 1 that spread tries in time."""

    def __init__(
        self, gateway: Gateway, workers: Workers, clock: Clock, board: Board, fallback: Fallback,
        draw: Callable[[], float] = random.random,
    ) -> None:  # fmt: skip
        self._gateway = gateway
        self._workers = workers
        self._clock = clock
        self.board, self._fallback, self.draw = board, fallback, draw
        self._scopes: dict[str, anyio.CancelScope] = {}
        gateway.outbox.instead = fallback.instead

    @property
    def health(self) -> dict[str, Health]:
        """How the channels are that run here, or ran."""
        return {name: pulse.health for name, pulse in self.board.pulses.items()}

    async def run_all(self, adapters: Sequence[Adapter]) -> None:
        """Runs channels until all of them ended. First it sends what waits for them, then it takes up what an earlier
        run left. `NotReady` if another process runs one of them, or did and is not closed yet."""
        for adapter in adapters:
            await self._hold(adapter.channel.name)
            await self.board.begin(adapter.channel.name)
        failure: GituError | None = None
        for adapter in adapters:
            self._gateway.adapters[adapter.channel.name] = adapter
        try:
            async with anyio.create_task_group() as group:
                try:
                    await self._begin(adapters, group)
                except GituError as error:  # raised below, where it does not come out as a group of exceptions
                    failure = error
                    group.cancel_scope.cancel()
        finally:
            for adapter in adapters:
                self._gateway.leave(adapter, ended=False)
        if failure is not None:
            raise failure

    async def _hold(self, name: str) -> None:
        """Keeps a channel for this process, until it leaves the store: a channel that ended may have left turns behind,
        which nobody else may take up meanwhile."""
        if name in self._gateway.adapters:
            raise NotReady(f"the channel {name!r} runs already", hint="use it as it is")
        if not await self._workers.claim(f"channel:{name}"):
            owner = await self._workers.owner(f"channel:{name}")
            raise NotReady(f"the channel {name!r} is run by {owner.about if owner else 'another worker'} already",
                           hint="use it there, or end that process")  # fmt: skip

    async def hold_again(self) -> None:
        """After the lease was lost: keeps the channels that nobody else runs now, and ends the others."""
        for name in tuple(self._gateway.adapters):
            if not await self._workers.claim(f"channel:{name}"):
                log.error("channel %s: another process runs it now", name)
                if name in self._scopes:
                    self._scopes[name].cancel()
            self._gateway.outbox.kick(name)

    async def _begin(self, adapters: Sequence[Adapter], group: TaskGroup) -> None:
        sending = [_Sending(adapter) for adapter in adapters]
        for each in sending:
            group.start_soon(self._send_queued, each)
        with anyio.move_on_after(HEAD_START):
            for each in sending:
                await each.begun.wait()
        await self._gateway.take_up([adapter.channel.name for adapter in adapters])
        care, running = anyio.CancelScope(), list(sending)
        group.start_soon(self._look_after_all, adapters, care)
        for each in sending:
            group.start_soon(self._run_one, each, running, care)

    async def _run_one(self, sending: _Sending, running: list[_Sending], care: anyio.CancelScope) -> None:
        name = sending.adapter.channel.name
        with anyio.CancelScope() as scope:
            self._scopes[name] = scope
            await self.run(sending.adapter)
        del self._scopes[name]
        pulse = self.board.pulses[name]
        pulse.runs = False
        sending.scope.cancel()
        await self._noted(pulse)
        running.remove(sending)
        if not running:
            care.cancel()

    # ---- how they are -----------------------------------------------------------------------------

    async def _look_after_all(self, adapters: Sequence[Adapter], scope: anyio.CancelScope) -> None:
        with scope:
            async with anyio.create_task_group() as group:
                for each in adapters:
                    group.start_soon(self._look_after, each)

    async def _look_after(self, adapter: Adapter) -> None:
        """Asks a channel how it is, again and again, and finds other ways where it is down; also when it ended, as long
        as nobody else runs it."""
        pulse = self.board.pulses[adapter.channel.name]
        while True:
            await self._clock.sleep(EVERY)
            if pulse.runs:
                await self._ask(adapter, pulse)
            await self._noted(pulse)
            try:
                if pulse.runs or await self._workers.claim(f"channel:{pulse.name}"):
                    await self._fallback.look(pulse)
            except GituError as error:
                log.warning("channel %s: what waits for it could not be looked at: %s", pulse.name, error)

    async def _ask(self, adapter: Adapter, pulse: Pulse) -> None:
        async def late() -> None:
            await self._clock.sleep(WITHIN)
            pulse.says(Health("failed", f"it did not say within {WITHIN:g} s how it is", "see the log"))
            group.cancel_scope.cancel()

        async with anyio.create_task_group() as group:
            group.start_soon(late)
            health = await self._answer(adapter)
            if not group.cancel_scope.cancel_called:
                pulse.says(health)
                group.cancel_scope.cancel()

    async def _answer(self, adapter: Adapter) -> Health:
        try:
            # Checked as what comes from a wire is: its fields are read here from now on.
            return msgspec.convert(msgspec.to_builtins(await adapter.health()), Health)
        except BaseException as error:  # somebody else's code: what it raises is its channel's trouble only
            if is_cancellation(error):
                raise
            return _trouble("failed", error)

    async def _noted(self, pulse: Pulse) -> None:
        try:
            await self.board.save(pulse)
        except GituError as error:
            log.warning("channel %s: how it is could not be kept: %s", pulse.name, error)

    async def _send_queued(self, sending: _Sending) -> None:
        """Sends what waits for a channel, until the channel ended."""
        with sending.scope:
            await self._gateway.outbox.run(sending.adapter, sending.begun)

    async def run(self, adapter: Adapter) -> None:
        """Receives from one channel until it ends, is cancelled, or fails in a way that only a person can mend."""
        name, wait, ended = adapter.channel.name, 1.0, False
        pulse = self.board.pulses[name]
        try:
            while True:
                pulse.receives()
                began = self._clock.monotonic()
                try:
                    await adapter.receive(AdapterInbox(self._gateway, name))
                    ended = True
                    return
                except BaseException as error:  # an adapter is somebody else's code: its defect is its channel's only
                    if is_cancellation(error):
                        raise
                    ended = isinstance(error, AuthFailed | ConfigError)
                    log.error("channel %s: %s", name, error, exc_info=None if isinstance(error, GituError) else error)
                    pulse.receives(_trouble("failed" if ended else "degraded", error))
                    if ended:
                        return
                wait = 1.0 if self._clock.monotonic() - began > LONGEST_WAIT else min(wait * 2, LONGEST_WAIT)
                await self._clock.sleep(
                    wait * (0.5 + self.draw() / 2)
                )  # not all at once where many wait for one server
        finally:
            self._gateway.leave(adapter, ended)


def _trouble(state: Literal["degraded", "failed"], error: BaseException) -> Health:
    words = str(error) if isinstance(error, GituError) else f"{type(error).__name__} was raised"
    return Health(state, words, getattr(error, "hint", "") or "see the log")
