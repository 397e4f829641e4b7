"""Keeps the channels running: one task an adapter, started again with back-off when its channel is not ready."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import anyio
from anyio.abc import TaskGroup

from gitu_core.contracts import Adapter, Health
from gitu_core.contracts.ports import Clock
from gitu_core.errors import AuthFailed, ConfigError, GituError, NotReady, StoreError
from gitu_core.gateway.gateway import Gateway
from gitu_core.gateway.holding import held
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

    def __init__(self, gateway: Gateway, clock: Clock) -> None:
        self._gateway = gateway
        self._clock = clock
        self._held: set[str] = set()
        self._holding = ExitStack()
        self.health: dict[str, Health] = {}

    async def run_all(self, adapters: Sequence[Adapter], home: Path) -> None:
        """Runs channels until all of them ended. First it sends what waits for them, then it takes up what an earlier
        run left. `NotReady` if another process runs one of them on this *home*, or did and is not closed yet."""
        self._hold(adapters, home)
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

    def _hold(self, adapters: Sequence[Adapter], home: Path) -> None:
        for adapter in adapters:
            if adapter.channel.name in self._gateway.adapters:
                raise NotReady(f"the channel {adapter.channel.name!r} runs already", hint="use it as it is")
        with ExitStack() as holding:
            for name in {adapter.channel.name for adapter in adapters} - self._held:
                holding.enter_context(held(home, name))
            self._held.update(adapter.channel.name for adapter in adapters)
            self._holding.push(holding.pop_all())

    def close(self) -> None:
        """Lets other processes run the channels. Call it when no turn runs any more: a channel that ended may have
        left some behind, which nobody else may take up meanwhile."""
        self._held.clear()
        self._holding.close()

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
        await self.run(sending.adapter)
        sending.scope.cancel()

    async def _send_queued(self, sending: _Sending) -> None:
        """Sends what waits for a channel, until nothing does or the channel ended."""
        wait = 1.0
        with sending.scope:
            while True:
                try:
                    if await self._gateway.outbox.send_queued(sending.adapter):
                        return
                except StoreError as error:
                    log.warning("channel %s: what waits could not be sent: %s", sending.adapter.channel.name, error)
                finally:
                    sending.begun.set()
                await self._clock.sleep(wait)
                wait = min(wait * 2, LONGEST_WAIT)

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
