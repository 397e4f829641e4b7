"""Hosts that do it wrong, made by replacing one piece in the process under test. Each is a `before` of a case."""

from __future__ import annotations

import time
from typing import Any

import anyio
import msgspec

from gitu_core.testing.world import World


def acknowledges_early(world: World) -> None:
    """The channel is told that a message is safe before it is committed."""
    from gitu_core.gateway.inbox import AdapterInbox
    from gitu_core.model import Message, Receipt

    accept = AdapterInbox.accept

    async def early(self: AdapterInbox, message: Message) -> Receipt:
        async def later() -> None:
            await anyio.sleep(0.05)
            await accept(self, message)

        _in_the_background(later())
        return Receipt("early")

    AdapterInbox.accept = early  # type: ignore[method-assign]


def acts_first(world: World) -> None:
    """An effect is dispatched before it is on disk that it will be."""
    from gitu_core.runtime.turn import Turn

    async def commit(self: Turn, step: Any, *more: Any, hold: Any = None) -> Any:
        self.note(step, *more)
        return ()

    Turn.commit = commit  # type: ignore[method-assign]


def never_asks_for_its_epoch(world: World) -> None:
    """Records are written whoever owns the lane by now."""
    from gitu_core.store import postgres, sqlite
    from gitu_core.store.writer import commit

    def blindly(jobs: Any, keys: Any, fence: Any = None) -> Any:
        return commit(jobs, keys)

    sqlite.commit = postgres.commit = blindly  # type: ignore[assignment]


def sends_blindly_again(world: World) -> None:
    """What was on its way when a process died is sent again, whatever the channel can do."""
    from gitu_core.gateway.outbox import Outbox

    async def recover(self: Any, adapter: Any, queue: Any, entry: Any) -> None:
        self._put(queue, msgspec.structs.replace(entry, next_at=0.0))

    Outbox._recover = recover  # type: ignore[attr-defined]


def hopes_for_the_best(world: World) -> None:
    """What was on its way when a process died counts as delivered."""
    from gitu_core.gateway.outbox import Outbox

    async def recover(self: Any, adapter: Any, queue: Any, entry: Any) -> None:
        self._records.post(msgspec.structs.replace(entry, state="sent"))

    Outbox._recover = recover  # type: ignore[attr-defined]


def marks_before_it_sends(world: World) -> None:
    """What is to be said counts as said before it was handed to the channel."""
    from gitu_core.gateway.outbox import Outbox

    deliver = Outbox.deliver

    async def marked(self: Any, adapter: Any, entry: Any) -> Any:
        await self._records.write(msgspec.structs.replace(entry, state="sent"))
        return await deliver(self, adapter, entry)

    Outbox.deliver = marked  # type: ignore[method-assign]


def forgets_what_models_said(world: World) -> None:
    """A turn that goes on begins with its question again."""
    from gitu_core.runtime import runtime
    from gitu_core.runtime.fold import fold

    def shortened(steps: Any) -> Any:
        steps = list(steps)
        state = fold(steps[:1])
        state.steps = len(steps)
        return state

    runtime.fold = shortened  # type: ignore[attr-defined]


def lies_about_effects(world: World) -> None:
    """The tool says that nothing was done, whatever was."""
    from gitu_core.model import ToolResult
    from gitu_core.testing.counting import NOT_DONE, CountingTool

    async def verify(self: Any, call: Any, context: Any) -> ToolResult:
        return NOT_DONE

    CountingTool.verify = verify  # type: ignore[method-assign]


def crosses_off_first(world: World) -> None:
    """A timer counts as done before its plugin was handed it."""
    from gitu_core.timers import Timers

    fired = Timers._fired

    async def crossed_off(self: Any, timer: Any, began: float) -> Any:
        await self._store.finish_timer(timer)
        return await fired(self, timer, began)

    Timers._fired = crossed_off  # type: ignore[method-assign]


def keeps_what_it_set_aside(world: World) -> None:
    """A call is paid for, and what was set aside for it stays so."""
    from gitu_core.budget import Governor

    Governor.settle = lambda self, ticket, usage: ()  # type: ignore[method-assign]


def sleeps_long(world: World) -> None:
    """A restart takes its time."""
    if world.events("started"):
        time.sleep(2.5)


def scribbles(world: World) -> None:
    """Somebody else writes into the database."""
    import sqlite3

    file = world.folder.parent / "home" / "gitu.db"
    if world.events("started"):
        with sqlite3.connect(file) as connection:
            connection.execute("UPDATE sessions SET body = zeroblob(64)")
        connection.close()


_TASKS: set[Any] = set()


def _in_the_background(work: Any) -> None:
    import asyncio

    task = asyncio.get_running_loop().create_task(work)
    _TASKS.add(task)
    task.add_done_callback(_TASKS.discard)
