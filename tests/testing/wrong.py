"""A channel that breaks a law of its contract, for the harness to catch, and a death at a moment without a point."""

from __future__ import annotations

import os
import signal
from typing import Any

from gitu_core.contracts import Inbox
from gitu_core.model import Message, Receipt
from gitu_core.testing import CountingAdapter, World, declare, hit


def points(world: World) -> None:
    """Declares where `hasty` can die."""
    declare("wrong.acked", "the person was told that the message is safe, and it is not")


class Hasty(CountingAdapter):
    """Tells people that their message is safe before it is (against law A2)."""

    async def receive(self, inbox: Inbox) -> None:
        """Hands over what people say."""
        await super().receive(_Early(self.world, inbox))


class _Early:
    def __init__(self, world: World, inbox: Inbox) -> None:
        self._world, self._inbox = world, inbox

    async def accept(self, message: Message) -> Receipt:
        """Tells first and commits afterwards."""
        self._world.note("acked", message.key)
        hit("wrong.acked")
        return await self._inbox.accept(message)

    async def finished(self, id: str) -> None:
        """Waits."""
        await self._inbox.finished(id)


def hasty(world: World) -> CountingAdapter:
    """The channel."""
    return Hasty(world)


def dies_as_it_shows(world: World) -> None:
    """Lets the process die in the very moment in which people see the first thing that it sends."""
    note = world.note

    def noted(kind: str, key: str = "", **fields: Any) -> None:
        note(kind, key, **fields)
        if kind == "sent" and len(world.events("sent")) == 1:
            os.kill(os.getpid(), signal.SIGKILL)

    world.note = noted  # type: ignore[method-assign]
