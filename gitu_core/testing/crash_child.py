"""The process under test: an assistant on a home and a world, until everything is done with.

    python -m gitu_core.testing.crash_child CASE        CASE is a `Case` as JSON

It reads ``GITU_FAILPOINT`` (see `faults`). It ends with 0 when all that happened in the world was dealt with, with 3
when that does not come about.
"""

from __future__ import annotations

import asyncio
import faulthandler
import logging
import os
import signal
import sys
import time
from collections.abc import Callable
from importlib import import_module
from typing import Any, Literal, cast

import anyio
import msgspec

from gitu_core.app import Gitu
from gitu_core.config import Envelope, Settings
from gitu_core.contracts import Host
from gitu_core.errors import GituError, NotReady
from gitu_core.gateway import live as live_answers
from gitu_core.model import Conversation, Text
from gitu_core.runtime import consent
from gitu_core.store import Store
from gitu_core.testing.counting import NEWS, CountingAdapter, CountingModel, CountingTool, OutsidePage
from gitu_core.testing.faults import from_environment, hit
from gitu_core.testing.invariants import open_messages
from gitu_core.testing.world import World

log = logging.getLogger("gitu.testing")

STALLED = 3
"""The exit status of a process that did not come to rest."""

DUE = 0.2
"""Seconds after which a timer is due."""

OWNER = "local-plugin-0"
"""The name of the plugin `Outside` in the process under test."""

FAR = 1e12
"""A time that comes after everything."""

CALM = 3
"""How often in a row nothing must be left to do before that counts."""


class Case(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a process under test is made of.

    *adapter*, *model* (one object), *tools* and *plugins* (a list) are ``package:function`` taking the `World`; empty
    for those of `counting`. A page by an outsider can always be read. With *contact* somebody speaks to the assistant
    once more at the end. With *stay* it runs until the world says ``stop``; a *worker* also does what the channels of
    other processes brought. *patience* is after how many seconds without any event it gives up. With *edits* the
    channel lets messages be changed; *then* is said after the first answer. With *open_for* nobody answers questions,
    and they are open for that many seconds. With *budget* each user may use so many tokens a day, and is told of the
    first of them.
    *before* is a ``package:function`` that is called before everything else, *config* a ``gitu.toml``.
    """

    world: str
    home: str
    database: str = ""
    delivery: Literal["idempotent", "verifiable", "blind"] = "idempotent"
    adapter: str = ""
    model: str = ""
    tools: str = ""
    plugins: str = ""
    before: str = ""
    config: str = ""
    contact: bool = False
    stay: bool = False
    worker: bool = False
    patience: float = 3.0
    edits: bool = False
    then: str = ""
    open_for: float = 0.0
    budget: int = 0


class Outside:
    """The plugin that brings the channel, that has things to say of its own accord, and that sets timers."""

    def __init__(self, world: World, adapter: Any) -> None:
        self._world, self._adapter = world, adapter
        self._host: Host | None = None

    def gitu_adapters(self, host: Host) -> list[Any]:
        """The channel."""
        self._host = host
        return [self._adapter]

    async def gitu_timer(self, host: Host, key: str, data: dict[str, Any], attempt: int) -> None:
        """A timer is due: tells its person."""
        hit("world.timer.before")
        self._world.note("rang", key, number=attempt)
        await host.notify.send(self._where(data["user"]), (Text(data["text"]),), f"alarm-{key}")
        hit("world.timer.after")

    def _where(self, user: str) -> Conversation:
        return Conversation(self._adapter.channel.name, user)

    async def tell(self) -> None:
        """Hands over what triggers ask for and sets the timers that are wanted, each until the host took it."""
        while True:
            host = self._host
            if host is not None:
                await self._tell_all(host)
                await self._arm_all(host)
            await anyio.sleep(NEWS)

    async def _arm_all(self, host: Host) -> None:
        for alarm in self._world.unarmed():
            self._world.note("arming", alarm.key)
            try:
                await host.schedule.at(time.time() + DUE, alarm.key, {"user": alarm.user, "text": alarm.text})
            except GituError as error:
                log.info("not set yet: %s", error)
                return
            self._world.note("armed", alarm.key)

    async def _tell_all(self, host: Host) -> None:
        for trigger in self._world.untold():
            try:
                await host.notify.send(self._where(trigger.user), (Text(trigger.text),), trigger.key)
            except GituError as error:
                log.info("not told yet: %s", error)
                return
            self._world.note("notified", trigger.key)


def loaded(name: str) -> Callable[..., Any]:
    """The function that ``package:function`` names."""
    module, _, function = name.partition(":")
    found: Callable[..., Any] = getattr(import_module(module), function)
    return found


def say_where(*signal: object) -> None:
    """Prints what every task waits for: the harness asks a process that does not end."""
    for task in asyncio.all_tasks(_LOOP[0]) if _LOOP else ():
        task.print_stack(file=sys.stderr)
    faulthandler.dump_traceback(file=sys.stderr)


_LOOP: list[asyncio.AbstractEventLoop] = []


async def live(case: Case, world: World) -> bool:
    """One life of the process; True if it came to rest."""
    _LOOP[:] = [asyncio.get_running_loop()]
    answers = "" if case.open_for else "yes"
    own = CountingAdapter(world, delivery=case.delivery, answers=answers, edits=case.edits, then=case.then)
    adapter = loaded(case.adapter)(world) if case.adapter else own
    tools = loaded(case.tools)(world) if case.tools else [CountingTool(world, verifiable=case.delivery != "blind")]
    outside = Outside(world, adapter)
    daily = Envelope(per=("user",), period="day", tokens=case.budget, warn=(1e-12,))
    config = case.config or (Settings(budgets={"daily": daily}) if case.budget else None)
    gitu = Gitu(
        model=loaded(case.model)(world) if case.model else CountingModel(world), tools=(*tools, OutsidePage()),
        plugins=(outside, *(loaded(case.plugins)(world) if case.plugins else ())),
        home=case.home, database=case.database or None, config=config,
    )  # fmt: skip
    async with gitu, anyio.create_task_group() as group:
        gitu.house.keeper.everything = case.worker
        group.start_soon(_serve, gitu, adapter.channel.name)
        group.start_soon(outside.tell)
        world.note("ready")
        rested = await _rest(gitu, world, case)
        if rested and case.contact:
            for user in world.people:
                world.say(f"plain contact {world.size}", user, key=f"contact-{world.size}")
            rested = await _rest(gitu, world, case)
        if not rested:
            say_where()
        group.cancel_scope.cancel()
    return rested


async def _serve(gitu: Gitu, channel: str) -> None:
    """Runs the channel as soon as nobody else does."""
    while True:
        try:
            await gitu.serve(channel)
        except NotReady as error:
            log.info("the channel is not ours yet: %s", error)
        await anyio.sleep(0.2)


async def _rest(gitu: Gitu, world: World, case: Case) -> bool:
    """Waits until nothing is left to do; False when nothing happens any more although something is left."""
    calm, size, since = 0, world.size, anyio.current_time()
    while calm < CALM:
        await anyio.sleep(NEWS)
        calm = calm + 1 if await _idle(gitu, world, case) else 0
        if world.size != size:
            size, since = world.size, anyio.current_time()
        elif not calm and not case.stay and anyio.current_time() - since > case.patience:
            return False
    return True


async def _idle(gitu: Gitu, world: World, case: Case) -> bool:
    if world.unacknowledged() or world.untold() or world.unarmed() or (case.stay and not world.events("stop")):
        return False
    store = cast(Store, gitu.house.store)
    try:
        left: Any = await open_messages(store) or await store.unsent(1) or await store.unsent(1, "sending")
        left = left or (world.events("alarm") and await rows_in(store, "timers_of", OWNER))
        left = left or (case.budget and await store.held())  # who leaves in good order pays it without a word
        left = left or (case.open_for and await rows_in(store, "approvals_due", FAR, 1))
    except GituError as error:
        log.info("the store does not answer: %s", error)
        return False
    return not left


async def rows_in(store: Store, statement: str, *params: object) -> list[Any]:
    """What is in the database, without a method of the store: nobody else asks for it."""
    return list(await store._read(store._script_of(statement, store.tenant, *params)))


def main(text: str) -> int:
    """Runs the case that *text* describes."""
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    case = msgspec.json.decode(text, type=Case)
    world = World(case.world)
    if case.edits:
        live_answers.EVERY = NEWS  # nobody waits for a second here
    if case.open_for:
        consent.OPEN_FOR = case.open_for
    if case.before:
        loaded(case.before)(world)
    from_environment(lambda name, number: world.note("hit", name, number=number))
    if sys.platform != "win32":
        signal.signal(signal.SIGUSR1, say_where)
    world.note("started")
    rested = anyio.run(live, case, world)
    world.note("ended" if rested else "stalled")
    return 0 if rested else STALLED


if __name__ == "__main__":
    status = main(sys.argv[1])
    # Everything is closed: taking the interpreter apart would only cost time.
    logging.shutdown()
    os._exit(status)
