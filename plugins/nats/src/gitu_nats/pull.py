"""Takes wake-ups from the stream: never more than there is room for, and without asking in vain.

One request is open at a time. It stands for a while and brings messages as they come, until it has brought as many as
it asked for or its time is over; then the next one asks for what there is room for. While nothing comes, the server
sends a sign of life. Without one the request is lost, as it is when the node that kept it dies.
"""

from __future__ import annotations

import json
from contextlib import suppress
from typing import TYPE_CHECKING

import anyio
from nats.errors import Error

from gitu_core.errors import NotReady
from gitu_nats.lanes import Held, Lanes
from gitu_nats.settings import CONSUMER, Settings, decode

if TYPE_CHECKING:
    from nats.aio.client import Client
    from nats.aio.msg import Msg

STANDS = 30.0
"""Seconds that a request stands."""

SIGN = 2.0
"""Seconds between two signs of life."""

SILENCE = 5.0
"""Seconds without a sign after which a request is lost."""

PAUSE = 0.25
"""Seconds before the next request where one was refused: nobody keeps the consumer just now, or has a new leader."""

ENOUGH = 4
"""How many requests in a row may be refused, or half as many lost, before the connection is of no more use."""

OVER, SIGN_STATUS = ("404", "408"), "100"
"""How the server says that a request's time is over, and that it still stands."""


class Pull:
    """Hands what comes to *lanes*."""

    def __init__(self, settings: Settings, lanes: Lanes) -> None:
        self._subject = f"$JS.API.CONSUMER.MSG.NEXT.{settings.prefix}.{CONSUMER}"
        self._lanes = lanes
        self._number = 0
        self._left = 0  # how many messages the open request may still bring
        self._ended = ""  # how the server ended it
        self._heard = anyio.Event()
        self._scope: anyio.CancelScope | None = None
        self._stopped = False
        self._ran: anyio.Event | None = None

    async def run(self, client: Client) -> None:
        """Takes messages until stopped or cancelled. Raises `NotReady` when the servers hand out nothing any more."""
        inbox = client.new_inbox()
        subscription = await client.subscribe(f"{inbox}.*", cb=self._received)
        self._ran = anyio.Event()
        try:
            with anyio.CancelScope() as self._scope:
                while not self._stopped:
                    await self._take(client, inbox)
        finally:
            # What is on its way still comes and goes back, so that others have it at once: also what others could have
            # had, and the server gives to us because it does not know yet that we leave.
            with anyio.CancelScope(shield=True), anyio.move_on_after(1), suppress(Error):
                await subscription.drain()  # type: ignore[no-untyped-call]
            self._ran.set()

    async def stop(self) -> None:
        """Takes nothing any more, now and later. What comes until this returns is to be given back."""
        self._stopped = True
        if self._scope is not None:
            self._scope.cancel()
        if self._ran is not None:
            await self._ran.wait()

    async def _take(self, client: Client, inbox: str) -> None:
        failures = 0
        while failures < ENOUGH:
            self._left, self._ended = await self._lanes.room(), ""
            self._number += 1
            request = {"batch": self._left, "expires": int(STANDS * 1e9), "idle_heartbeat": int(SIGN * 1e9)}
            await client.publish(self._subject, json.dumps(request).encode(), f"{inbox}.{self._number}")
            if await self._silent():
                failures += ENOUGH // 2
            elif self._ended and self._ended[:3] not in OVER:
                failures += 1
                await anyio.sleep(PAUSE)
            else:
                failures = 0
        what = f"the servers hand out nothing: {self._ended or 'no sign of life'}"
        raise NotReady(what, hint="see whether the cluster is whole")

    async def _silent(self) -> bool:
        """Waits until the open request is over; true if there was no sign of it for too long."""
        while self._left > 0 and not self._ended:
            self._heard = anyio.Event()
            with anyio.move_on_after(SILENCE) as waiting:
                await self._heard.wait()
            if waiting.cancelled_caught:
                return True
        return False

    async def _received(self, message: Msg) -> None:
        self._heard.set()
        headers = message.headers or {}
        status = headers.get("Status", "")
        if not status:
            self._left -= 1
            await self._hand_over(message)
        elif status != SIGN_STATUS and message.subject.endswith(f".{self._number}"):
            self._ended = f"{status} {headers.get('Description', '').partition(chr(10))[0].strip()}".rstrip()

    async def _hand_over(self, message: Msg) -> None:
        try:
            lane = decode(message.data)
        except UnicodeDecodeError:  # nobody of ours sent it
            await message.term()
            return
        await self._lanes.give(lane, Held(message.reply, message.metadata.num_delivered))
