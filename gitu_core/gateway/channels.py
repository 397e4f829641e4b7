"""Keeps the channels running: one task an adapter, started again with back-off when its channel is not ready."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field

import anyio
from anyio.abc import TaskGroup

from gitu_core.contracts import Adapter, Health
from gitu_core.contracts.ports import Clock, Workers
from gitu_core.errors import AuthFailed, ConfigError, GituError, NotReady
from gitu_core.gateway.gateway import Gateway
from gitu_core.gateway.inbox import AdapterInbox
from gitu_core.isolation import is_cancellation

log = logging.getLogger("gitu.gateway")

LONGEST_WAIT = 60.0
"""Seconds between two tries of a channel that is not ready, at most."""

HEAD_START = 1.0
"""Seconds that what waits to be sent gets before new turns begin, at most."""


@dataclass
class _Sending:
    """A channel, and the task that sends what waits for it; `begun` is set when it tried once."""

    adapter: Adapter
    scope: anyio.CancelScope = field(default_factory=anyio.CancelScope)
    begun: anyio.Event = field(default_factory=anyio.Event)


class Channels:
    """Runs adapters and knows how they are."""

    def __init__(self, gateway: Gateway, workers: Workers, clock: Clock) -> None:
        self._gateway = gateway
        self._workers = workers
        self._clock = clock
        self._scopes: dict[str, anyio.CancelScope] = {}
        self.health: dict[str, Health] = {}

    async def run_all(self, adapters: Sequence[Adapter]) -> None:
        """Runs channels until all of them ended. First it sends what waits for them, then it takes up what an earlier
        run left. `NotReady` if another process runs one of them, or did and is not closed yet."""
        for adapter in adapters:
            await self._hold(adapter.channel.name)
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
        for each in sending:
            group.start_soon(self._run_one, each)

    async def _run_one(self, sending: _Sending) -> None:
        name = sending.adapter.channel.name
        with anyio.CancelScope() as scope:
            self._scopes[name] = scope
            await self.run(sending.adapter)
        del self._scopes[name]
        sending.scope.cancel()

    async def _send_queued(self, sending: _Sending) -> None:
        """Sends what waits for a channel, until the channel ended."""
        with sending.scope:
            await self._gateway.outbox.run(sending.adapter, sending.begun)

    async def run(self, adapter: Adapter) -> None:
        """Receives from one channel until it ends, is cancelled, or fails in a way that only a person can mend."""
        name, wait, ended = adapter.channel.name, 1.0, False
        try:
            while True:
                self.health[name] = Health("ok")
                began = self._clock.monotonic()
                try:
                    await adapter.receive(AdapterInbox(self._gateway, name))
                    ended = True
                    return
                except (AuthFailed, ConfigError) as error:
                    ended = True
                    self._failed(name, "failed", error)
                    return
                except GituError as error:
                    self._failed(name, "degraded", error)
                except BaseException as error:  # an adapter is somebody else's code: its defect is its channel's only
                    if is_cancellation(error):
                        raise
                    log.exception("channel %s raised", name)
                    self._failed(name, "degraded", error)
                wait = 1.0 if self._clock.monotonic() - began > LONGEST_WAIT else min(wait * 2, LONGEST_WAIT)
                await self._clock.sleep(wait)
        finally:
            self._gateway.leave(adapter, ended)

    def _failed(self, name: str, state: str, error: BaseException) -> None:
        hint = getattr(error, "hint", "") or "see the log"
        self.health[name] = Health(state, str(error), hint)  # type: ignore[arg-type]
        log.error("channel %s: %s", name, error)
