"""A running assistant in this process, on a world, with a model that can be held and a channel that can be down."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio

from gitu_core import Gitu, GituError
from gitu_core.clock import SystemClock
from gitu_core.errors import StoreError
from gitu_core.model import Delivery, ModelEvent, ModelRequest, Outgoing
from gitu_core.store import Store
from gitu_core.testing.counting import CountingAdapter, CountingModel, CountingTool, OutsidePage, answer_to
from gitu_core.testing.crash_child import Outside
from gitu_core.testing.invariants import Evidence, breaches, open_messages
from gitu_core.testing.world import World

BACK = 20.0
"""Seconds within which everything works again when the cause is gone."""


class HeldModel(CountingModel):
    """Waits with every answer to a message that says ``held`` until it is let go."""

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self.go = anyio.Event()

    async def stream(self, request: ModelRequest) -> AsyncIterator[ModelEvent]:
        """Answers, sometimes late."""
        async for event in super().stream(request):
            if any("held" in message.text for message in request.messages[-1:]):
                await self.go.wait()
            yield event


class WeakAdapter(CountingAdapter):
    """A channel that is sometimes down: nobody sees what is sent then."""

    down = False

    async def send(self, outgoing: Outgoing) -> Delivery:
        """Shows it to people, unless the channel is down."""
        return Delivery("not_sent", detail="the channel is down") if self.down else await super().send(outgoing)


class JumpingClock(SystemClock):
    """A clock that somebody sets."""

    offset = 0.0

    def now(self) -> float:
        """Seconds since 1970, as this clock shows them."""
        return super().now() + self.offset


class Service:
    """A running assistant and the people around it."""

    def __init__(self, place: Path, home: Path | None = None, database: str = "") -> None:
        self.world = World(place / "world")
        self.home, self.database = home or place / "home", database
        self.model, self.adapter = HeldModel(self.world), WeakAdapter(self.world)
        self.clock = JumpingClock()
        self.gitu: Gitu

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Gitu]:
        """Runs the assistant and its channel."""
        outside = Outside(self.world, self.adapter)
        self.gitu = Gitu(
            model=self.model, tools=(CountingTool(self.world), OutsidePage()), plugins=(outside,), home=self.home,
            database=self.database or None, clock=self.clock,
        )  # fmt: skip
        failure: Exception | None = None
        async with self.gitu, anyio.create_task_group() as group:
            group.start_soon(self.gitu.serve, self.adapter.channel.name)
            group.start_soon(outside.tell)
            try:
                yield self.gitu
            except TimeoutError as error:
                failure = error  # raised below, where it does not come out as a group of exceptions
            group.cancel_scope.cancel()
        if failure is not None:
            raise failure

    async def answered(self, *texts: str, within: float = BACK) -> None:
        """Waits until people saw the answer to each of *texts*."""
        await until(lambda: all(self.has_answer(text) for text in texts), within, f"answers to {', '.join(texts)}")

    def has_answer(self, text: str) -> bool:
        """True if people saw the answer to *text*."""
        return any(each.text.startswith(answer_to(text)) for each in self.world.events("sent"))

    async def say(self, *texts: str, within: float = BACK) -> None:
        """A person says each of *texts* and waits for the answer."""
        for text in texts:
            self.world.say(text)
            await self.answered(text, within=within)

    async def breaches(self) -> dict[str, list[str]]:
        """What is broken, once the assistant is closed."""
        async with Store(url=self.database or None, home=self.home) as store:
            evidence = Evidence(
                self.world, [], "idempotent", await store.check(),
                [f"message {id} is left in the inbox" for id, _ in await open_messages(store)],
            )  # fmt: skip
            return breaches(evidence)


async def until(true: Callable[[], object], seconds: float, what: str) -> None:
    """Waits until *true* gives something true. `TimeoutError` names *what* did not come about."""
    with anyio.move_on_after(seconds):
        while not true():  # noqa: ASYNC110 - the world is a file: nobody tells of its changes
            await anyio.sleep(0.01)
        return
    raise TimeoutError(f"within {seconds:g} s this did not come about: {what}")


async def refused(gitu: Gitu, key: str, word: str) -> list[str]:
    """Sends a message that cannot be stored now; says what is wrong with how it was refused."""
    try:
        with anyio.fail_after(BACK):
            await gitu.send("plain direct", user="dan", key=key)
    except StoreError as error:
        told = f"{error}".lower()
        wrong = [] if error.hint else [f"the error has no hint: {error}"]
        return wrong if word in told else [*wrong, f"the error does not say what is wrong ({word}): {error}"]
    except (GituError, OSError, TimeoutError) as error:
        return [f"{type(error).__name__} instead of a StoreError: {error}"]
    return ["a message was taken although nothing can be written"]


def merged(*found: dict[str, list[str]]) -> dict[str, list[str]]:
    """Breaches of several kinds together, the empty ones left out."""
    names = dict.fromkeys(name for each in found for name in each)
    joined: dict[str, Any] = {name: [line for each in found for line in each.get(name, [])] for name in names}
    return {name: lines for name, lines in joined.items() if lines}
