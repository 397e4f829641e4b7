"""Keeps the channels running: one task an adapter, started again with back-off when its channel is not ready."""

from __future__ import annotations

import logging

from gitu_core.contracts import Adapter, Health
from gitu_core.contracts.ports import Clock
from gitu_core.errors import AuthFailed, ConfigError, GituError
from gitu_core.gateway.gateway import AdapterInbox, Gateway
from gitu_core.isolation import is_cancellation

log = logging.getLogger("gitu.gateway")

LONGEST_WAIT = 60.0
"""Seconds between two tries of a channel that is not ready, at most."""


class Channels:
    """Runs adapters and knows how they are."""

    def __init__(self, gateway: Gateway, clock: Clock) -> None:
        self._gateway = gateway
        self._clock = clock
        self.health: dict[str, Health] = {}

    async def run(self, adapter: Adapter) -> None:
        """Receives from one channel until it ends, is cancelled, or fails in a way that only a person can mend."""
        name, wait = adapter.channel.name, 1.0
        self._gateway.adapters[name] = adapter
        try:
            while True:
                self.health[name] = Health("ok")
                began = self._clock.monotonic()
                try:
                    await adapter.receive(AdapterInbox(self._gateway, name))
                    return
                except (AuthFailed, ConfigError) as error:
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
            self._gateway.adapters.pop(name, None)

    def _failed(self, name: str, state: str, error: BaseException) -> None:
        hint = getattr(error, "hint", "") or "see the log"
        self.health[name] = Health(state, str(error), hint)  # type: ignore[arg-type]
        log.error("channel %s: %s", name, error)
