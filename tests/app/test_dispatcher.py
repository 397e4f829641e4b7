"""The dispatcher that the settings name carries the wake-ups, and nothing takes its place where it cannot be had."""

from __future__ import annotations

import anyio
import msgspec
import pytest

from gitu_core import Gitu
from gitu_core.contracts import Handler, Health
from gitu_core.errors import ConfigError
from gitu_core.options import Settings
from gitu_core.testing import RecordingAdapter
from tests.app.around import ECHO, on


class Carrier:
    """A dispatcher that hands on every wake-up at once, and counts."""

    def __init__(self) -> None:
        self.name = "carrier"
        self.woken: list[str] = []
        self.state = Health("degraded", "half of it is down", "wait")
        self._send, self._receive = anyio.create_memory_object_stream[str](100)

    async def run(self, handler: Handler) -> None:
        async with self._receive:
            async for lane in self._receive:
                await handler(lane)

    async def wake(self, lane: str) -> None:
        self.woken.append(lane)
        await self._send.send(lane)

    async def health(self) -> Health:
        return self.state

    async def close(self, grace: float) -> None:
        self._send.close()


class Plugin:
    """A plugin that offers it."""

    def __init__(self, *carriers: Carrier) -> None:
        self._carriers = carriers

    def gitu_dispatchers(self) -> list[Carrier]:
        return list(self._carriers)


def settings(home, name: str) -> Settings:
    """Settings that name a dispatcher."""
    return Settings(home=str(home), dispatcher=name)


async def test_the_named_dispatcher_carries_the_wake_ups_and_says_how_it_is(home):
    carrier, adapter = Carrier(), RecordingAdapter()
    async with on(adapter, ECHO, Plugin(carrier), config=settings(home, "carrier")) as gitu:
        assert (await gitu.send("hi", user="ana")).text == "you said hi"
        assert carrier.woken == [], "the application's own messages are worked on where it waits"
        assert await adapter.talk("hi") == "you said hi"
        assert len(carrier.woken) == 1
        assert "dispatcher carrier: degraded half of it is down" in await gitu.house.status()
        carrier.state = Health()
        assert not [line for line in await gitu.house.status() if "carrier" in line]


@pytest.mark.parametrize("name", ["carrie", "nobody"])
async def test_a_dispatcher_that_is_not_there_is_told_at_the_start(home, name):
    with pytest.raises(ConfigError, match=f"the dispatcher '{name}' cannot be had") as caught:
        async with Gitu(model=ECHO, plugins=[Plugin(Carrier())], config=settings(home, name)):
            pass
    assert caught.value.hint
    assert caught.value.details["field"] == "dispatcher"
    async with Gitu(model=ECHO, config=msgspec.structs.replace(settings(home, name), dispatcher="")) as gitu:
        assert (await gitu.send("hi", user="ana")).text == "you said hi"
