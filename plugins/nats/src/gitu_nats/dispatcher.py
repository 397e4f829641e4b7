"""The dispatcher: wake-ups through a stream, notices past it, and everything by itself while no server is there."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import anyio

from gitu_core.contracts import Handler, Health, Host
from gitu_core.errors import NotReady
from gitu_nats.lanes import Lanes
from gitu_nats.login import login
from gitu_nats.settings import Settings, decode, encode
from gitu_nats.wakes import GONE, Wakes

if TYPE_CHECKING:
    from nats.aio.client import Client
    from nats.aio.msg import Msg

    from gitu_nats.link import Link
    from gitu_nats.pull import Pull

log = logging.getLogger("gitu.plugins.nats")

WAIT = 1.0
"""Seconds that `wake` waits for the stream to keep a wake-up, at most. It is on its way, waited for or not."""

LAST_WORDS = 3.0
"""Seconds that the connection gets to be closed in, at most."""


class NatsDispatcher:
    """Carries wake-ups between machines. What a process wakes while no server can be had it works off itself."""

    name = "nats"

    def __init__(self, host: Host) -> None:
        self._host = host
        self.settings = Settings.of(host.config)
        self._lanes = Lanes(self.settings.max_turns, self._tell)
        self._wakes = Wakes(self.settings, self._not_kept, self._kept)
        self._link: Link | None = None
        self._pull: Pull | None = None
        self._trouble: Health | None = Health("starting", "not connected yet")
        self._decided = anyio.Event()
        self._closed = anyio.Event()
        self._ended = anyio.Event()

    async def run(self, handler: Handler) -> None:
        """Hands woken lanes to *handler* until cancelled or closed. Connects when servers can be had."""
        from gitu_nats.link import Link
        from gitu_nats.pull import Pull
        from gitu_nats.stream import prepare

        async def ready(client: Client) -> None:
            await prepare(client, self.settings)

        self._pull = Pull(self.settings, self._lanes)
        works = (self._wakes.run, self._pull.run, self._listen)
        self._link = link = Link(self.settings, ready, works, self._secrets, self._told)
        self._lanes.handler = handler
        try:
            async with anyio.create_task_group() as self._lanes.group:
                self._lanes.group.start_soon(link.run)
                self._lanes.group.start_soon(self._lanes.keep, self.settings.ack_wait / 3)
                await self._closed.wait()
                self._lanes.group.cancel_scope.cancel()
        finally:
            self._lanes.group = None
            with anyio.CancelScope(shield=True), anyio.move_on_after(LAST_WORDS):
                await link.end()
            self._ended.set()

    async def wake(self, lane: str) -> None:
        """There is work in *lane*, or everybody is to hear a notice (``@…``)."""
        if self._closed.is_set():
            return
        connected = self._link is not None and self._link.up
        if lane.startswith("@"):
            await self._lanes.give(lane)
            if connected:
                await self._tell(self.settings.notices, encode(lane))
        elif connected or self._trouble is None or self._trouble.state == "starting":
            wake = self._wakes.put(lane)
            if connected and self._trouble is None:
                with anyio.move_on_after(WAIT):
                    await wake.done.wait()
        else:
            await self._lanes.give(lane)

    async def health(self) -> Health:
        """How the connection is. Just after the start it waits for a moment until that is known."""
        if self._lanes.group is not None:
            with anyio.move_on_after(0.9):
                await self._decided.wait()
        return self._trouble or Health()

    async def close(self, grace: float) -> None:
        """No new work; waits at most *grace* seconds for what runs, then cancels it and closes the connection. What
        was taken and not begun goes to others."""
        async with anyio.create_task_group() as group:
            group.start_soon(self._lanes.close, grace)
            if self._pull is not None:
                group.start_soon(self._pull.stop)
        self._closed.set()
        if self._lanes.group is not None:
            with anyio.move_on_after(LAST_WORDS + 1):
                await self._ended.wait()

    # ---- the connection -------------------------------------------------------------------------

    async def _secrets(self) -> dict[str, Any]:
        return await login(self._host.secrets, self.settings.user)

    async def _tell(self, subject: str, data: bytes) -> None:
        if self._link is not None:
            await self._link.tell(subject, data)

    async def _listen(self, client: Client) -> None:
        """Hears notices while a connection lasts."""

        async def heard(message: Msg) -> None:
            if (lane := decode(message.data)).startswith("@"):
                await self._lanes.give(lane)

        await client.subscribe(self.settings.notices, cb=heard)
        await anyio.sleep_forever()

    async def _told(self, trouble: Health | None) -> None:
        """The connection was made, or cannot be had: then this process works off by itself what waits to be sent."""
        self._becomes(trouble)
        if trouble is not None:
            for lane in self._wakes.take():
                await self._lanes.give(lane)

    async def _not_kept(self, lane: str, reason: str) -> None:
        """The stream did not take a wake-up: it is worked off here."""
        trouble = NotReady(f"a wake-up was not kept: {reason}", hint="see whether the cluster is whole and has room")
        self._becomes(Health("degraded", trouble.message, trouble.hint))
        if self._link is not None and reason in GONE:
            self._link.renew(trouble)
        await self._lanes.give(lane)

    def _kept(self) -> None:
        if self._trouble is not None:
            self._becomes(None)

    def _becomes(self, trouble: Health | None) -> None:
        """Notes how it is, and logs the beginning and the end of an outage, once each."""
        before, self._trouble = self._trouble, trouble
        self._decided.set()
        if trouble is None and before is not None:
            log.info("connected; wake-ups reach all machines")
        elif trouble is not None and (before is None or before.state == "starting"):
            log.warning("wake-ups reach this process only: %s (next: %s)", trouble.detail, trouble.hint)
