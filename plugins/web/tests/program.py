"""Ana's program in processes that die: what it brought is called as in every turn, and it remembers what it did."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec

from gitu_core.contracts import Host, Kv, Message
from gitu_core.testing import CountingAdapter, CountingModel
from gitu_core.testing.counting import NEWS
from gitu_core.testing.faults import hit
from gitu_core.testing.world import Happening, World
from gitu_web.functions import Brought, Carrier, Functions, spec_of
from gitu_web.visitor import CHANNEL

DEVICE = "program"
PAY = msgspec.convert({
    "type": "function", "x-gitu": {"effects": ["spend"], "roles": {"item": "recipient"}},
    "function": {"name": "pay", "description": "Pays for an item.", "parameters": {
        "type": "object", "properties": {"item": {"type": "string"}}, "required": ["item"]}},
}, Brought)  # fmt: skip


class Bringing(CountingAdapter):
    """A channel on which every message brings the program's function."""

    def message(self, said: Happening) -> Message:
        """What a person said."""
        return msgspec.structs.replace(super().message(said), tools=(spec_of(PAY, DEVICE),))


class Carries:
    """The plugin that carries its calls out; and beside it the program, which looks for them for as long as it runs."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._working: asyncio.Task[None] | None = None

    def gitu_tools(self, host: Host) -> list[Any]:
        """What hands the calls over."""
        return [Carrier(host)]

    async def gitu_start(self, host: Host) -> None:
        """The program begins."""
        self._working = asyncio.create_task(self._work(host.kv))

    async def gitu_stop(self, host: Host) -> None:
        """The program ends."""
        if self._working is not None:
            self._working.cancel()

    async def _work(self, kv: Kv) -> None:
        functions = Functions(kv)
        while True:
            for person in self._world.people:
                for call in await functions.open(person):
                    item = str(call.arguments["item"])
                    if not self._world.happened(call.id):
                        hit("world.effect.before")
                        self._world.note("effect", call.id, text=item)
                        hit("world.effect.after")
                    await functions.done(person, DEVICE, {call.id: f"ok: pay {item}"})
            await asyncio.sleep(NEWS)


def adapter(world: World) -> CountingAdapter:
    """For `crash_test`."""
    return Bringing(world, CHANNEL)


def model(world: World) -> CountingModel:
    """For `crash_test`: it calls the function by its whole name."""
    return CountingModel(world, effect=spec_of(PAY, DEVICE).name)


def tools(world: World) -> list[Any]:
    """For `crash_test`: the program brings its own."""
    return []


def plugins(world: World) -> list[Any]:
    """For `crash_test`."""
    return [Carries(world)]
