"""Hooks run in order, within their time, and a failure hits nobody but its plugin."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import anyio
import anyio.lowlevel
import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gitu_core import hook
from gitu_core.errors import PluginError
from gitu_core.hookspecs import HOOKS
from gitu_core.model import Account, Conversation, Message, Text
from gitu_core.registry.dispatch import Dispatcher
from gitu_core.registry.faults import FaultBudget
from gitu_core.registry.manager import Manager
from tests.registry.conftest import Make, status

pytestmark = pytest.mark.anyio

MESSAGE = Message(
    key="1", conversation=Conversation(channel="c", id="1"), sender=Account(channel="c", id="u"), parts=(Text("hi"),)
)


def said(message: Message, more: str) -> Message:
    """The message with more words."""
    return msgspec.structs.replace(message, parts=(Text(message.text + more),))


def plugin(**hooks: Any) -> Any:
    """A plugin object with these functions."""
    return type("Plugin", (), {name: staticmethod(function) for name, function in hooks.items()})()


class Strange(BaseException):
    """Neither an Exception nor anything that Python itself raises."""


@given(
    st.dictionaries(st.text("abc", min_size=1, max_size=4), st.tuples(st.integers(-3, 3), st.booleans()), max_size=6),
    st.randoms(),
)
@settings(suppress_health_check=list(HealthCheck), max_examples=40, deadline=None)
def test_hooks_run_by_order_then_by_plugin_id(plan: dict[str, tuple[int, bool]], random: Any) -> None:
    """However plugins come in, and whether they are ``def`` or ``async def``."""
    manager, hooks = Manager(), Dispatcher(lambda *fault: None)
    ids = list(plan)
    random.shuffle(ids)
    for id in ids:
        order, awaits = plan[id]

        async def later(message: Message, id: str = id) -> Message:
            await anyio.lowlevel.checkpoint()
            return said(message, f" {id}")

        def now(message: Message, id: str = id) -> Message:
            return said(message, f" {id}")

        hooks.add(manager.add(plugin(gitu_filter_message=hook(order=order)(later if awaits else now)), id).values())

    async def run() -> str:
        filtered = await hooks.filter("gitu_filter_message", message=MESSAGE)
        return str(filtered.text)

    expected = sorted(plan, key=lambda id: (plan[id][0], id))
    assert asyncio.run(run()).split() == ["hi", *expected]


async def test_an_observer_that_fails_is_counted_and_the_others_hear(make: Make, reports: list[PluginError]) -> None:
    """Observers fail open."""
    heard: list[str] = []

    def bad(turn: object) -> None:
        raise ValueError("oh")

    registry = make(
        local=[("a", plugin(gitu_turn_started=bad)), ("b", plugin(gitu_turn_started=lambda turn: heard.append("b")))]
    )
    await registry.start()
    await registry.hooks.observe("gitu_turn_started", turn=None)
    assert heard == ["b"]
    assert "a gitu_turn_started: raised ValueError: oh (test_dispatch.py:" in str(reports[0])
    assert reports[0].hint
    assert status(registry, "a").faults == 1


@pytest.mark.parametrize(
    ("value", "words"),
    [(3, "returned a int"), ("text", "returned a str"), (Account(channel="c", id="u"), "returned a Account")],
)
async def test_a_filter_that_returns_something_else_changes_nothing(
    make: Make, reports: list[PluginError], value: Any, words: str
) -> None:
    """The wrong value is refused, the next filter gets the right one."""
    registry = make(local=[
        ("a", plugin(gitu_filter_message=lambda message: value)),
        ("b", plugin(gitu_filter_message=lambda message: said(message, "!"))),
        ("c", plugin(gitu_filter_message=lambda message: None)),
    ])  # fmt: skip
    await registry.start()
    assert (await registry.hooks.filter("gitu_filter_message", message=MESSAGE)).text == "hi!"
    assert words in reports[0].message
    assert reports[0].hint == "return a Message or None"


async def test_a_filter_that_raises_changes_nothing(make: Make, reports: list[PluginError]) -> None:
    """The value goes on as it was."""

    async def bad(message: Message) -> Message:
        raise LookupError("gone")

    registry = make(local=[("a", plugin(gitu_filter_message=bad))])
    await registry.start()
    assert await registry.hooks.filter("gitu_filter_message", message=MESSAGE) is MESSAGE
    assert "raised LookupError: gone" in reports[0].message


def raising(error: BaseException) -> Any:
    """A guard that raises."""

    def bad(message: Message) -> str | None:
        raise error

    return bad


async def async_fake_cancel(message: Message) -> str | None:
    """A guard that pretends to have been cancelled."""
    raise asyncio.CancelledError


@pytest.mark.parametrize(
    "guard",
    [raising(ValueError("x")), raising(SystemExit(1)), raising(Strange("y")), raising(GeneratorExit()),
     raising(asyncio.CancelledError()), async_fake_cancel, lambda message: 3, lambda message: True],
)  # fmt: skip
async def test_a_guard_that_fails_refuses_and_names_its_plugin(make: Make, guard: Any) -> None:
    """Guards fail closed, whatever is raised or returned."""
    registry = make(local=[("g", plugin(gitu_guard_message=guard))])
    await registry.start()
    reason = await registry.hooks.guard("gitu_guard_message", message=MESSAGE)
    assert reason is not None
    assert reason.startswith("the plugin g could not check it")
    assert status(registry, "g").faults == 1


async def test_the_first_reason_refuses(make: Make) -> None:
    """Later guards are not asked; an empty reason refuses too; None lets pass."""
    asked: list[str] = []

    def guard(id: str, answer: str | None) -> Any:
        def check(message: Message) -> str | None:
            asked.append(id)
            return answer

        return (id, plugin(gitu_guard_message=check))

    registry = make(local=[guard("a", None), guard("b", "too late"), guard("c", None)])
    await registry.start()
    assert await registry.hooks.guard("gitu_guard_message", message=MESSAGE) == "too late"
    assert asked == ["a", "b"]
    registry = make(local=[guard("a", "")])
    await registry.start()
    assert await registry.hooks.guard("gitu_guard_message", message=MESSAGE) == "the plugin a refused it"


async def test_a_ctrl_c_while_a_plugin_runs_is_no_fault_of_the_plugin(make: Make) -> None:
    """It reaches whoever runs the program."""
    registry = make(local=[("g", plugin(gitu_guard_message=raising(KeyboardInterrupt())))])
    await registry.start()
    with pytest.raises(KeyboardInterrupt):
        await registry.hooks.guard("gitu_guard_message", message=MESSAGE)
    assert status(registry, "g").faults == 0


async def forever(turn: object) -> None:
    """Waits for nothing."""
    await anyio.sleep_forever()


async def stubborn(turn: object) -> None:
    """Turns its cancellation into an error of its own."""
    try:
        await anyio.sleep_forever()
    except BaseException as error:  # its own cancellation
        raise ValueError("no") from error


def blocking(turn: object) -> None:
    """Blocks its thread."""
    time.sleep(0.08)


def future(turn: object) -> Any:
    """A ``def`` that hands back something to await."""
    return forever(turn)


@pytest.mark.parametrize("function", [forever, stubborn, blocking, future])
@pytest.mark.parametrize("thread", [False, True])
async def test_a_hook_that_hangs_counts_three_faults(
    make: Make, reports: list[PluginError], function: Any, thread: bool
) -> None:
    """Waiting, blocking, in the loop or in a thread: it ends at the time limit and is named."""

    def copy(turn: object) -> Any:
        return function(turn)

    limited = hook(timeout=0.03, thread=thread)(copy if function in (blocking, future) else function)
    registry = make(local=[("slow", plugin(gitu_turn_started=limited))])
    await registry.start()
    with anyio.fail_after(2):
        await registry.hooks.observe("gitu_turn_started", turn=None)
    await registry.stop()
    assert status(registry, "slow").faults == 3
    assert "0.03 s" in reports[-1].message
    assert reports[-1].hint


async def test_a_blocked_event_loop_is_reported_while_it_is_blocked(make: Make, reports: list[PluginError]) -> None:
    """Nothing inside the loop could say so; a thread does, before the hook returns."""
    seen: list[int] = []

    @hook(timeout=0.1)
    def block(turn: object) -> None:
        time.sleep(1.2)
        seen.append(len(reports))

    registry = make(local=[("slow", plugin(gitu_turn_started=block))])
    await registry.start()
    await registry.hooks.observe("gitu_turn_started", turn=None)
    await registry.stop()
    assert seen == [1]
    assert "has been blocking the event loop" in reports[0].message
    assert "blocked the event loop for 1.2 s" in reports[1].message


async def test_the_hosts_own_cancellation_passes_through(make: Make, reports: list[PluginError]) -> None:
    """A turn that is cancelled while a hook waits is cancelled; the plugin did nothing wrong."""
    registry = make(local=[("slow", plugin(gitu_turn_started=forever))])
    await registry.start()
    with anyio.move_on_after(0.02) as scope:
        await registry.hooks.observe("gitu_turn_started", turn=None)
    assert scope.cancelled_caught
    task = asyncio.create_task(registry.hooks.observe("gitu_turn_started", turn=None))
    await anyio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert reports == []


async def test_a_plugin_that_fails_too_often_is_quarantined_until_reset(make: Make, reports: list[PluginError]) -> None:
    """The budget is used up, its hooks are called no more, the operator lifts it."""
    calls: list[int] = []

    def bad(turn: object) -> None:
        calls.append(1)
        raise ValueError("oh")

    registry = make(local=[("a", plugin(gitu_turn_started=bad))], fault_limit=3)
    await registry.start()
    for _ in range(5):
        await registry.hooks.observe("gitu_turn_started", turn=None)
    assert len(calls) == 3
    a = status(registry, "a")
    assert a.state == "quarantined"
    assert a.hint == "when the cause is gone, start again; to do without it, run: gitu plugins disable a"
    assert a.reason.startswith("3 faults within 60 s, the last: gitu_turn_started raised ValueError: oh")
    assert not registry.hooks.wants("gitu_turn_started")
    registry.reset("a")
    assert status(registry, "a").state == "enabled"
    await registry.hooks.observe("gitu_turn_started", turn=None)
    assert len(calls) == 4


async def test_a_guard_in_quarantine_refuses_until_somebody_decides(make: Make) -> None:
    """Who can make a guard fail must not get rid of it that way; what nobody guards goes on."""
    registry = make(local=[("g", plugin(gitu_guard_message=raising(ValueError("x"))))], fault_limit=1)
    await registry.start()
    await registry.hooks.guard("gitu_guard_message", message=MESSAGE)
    assert status(registry, "g").state == "quarantined"
    assert registry.hooks.wants("gitu_guard_message")
    reason = await registry.hooks.guard("gitu_guard_message", message=MESSAGE)
    assert reason is not None
    assert "the plugin g guards this and cannot run: 1 faults" in reason
    assert "gitu plugins disable g" in reason
    assert await registry.hooks.guard("gitu_guard_outgoing", outgoing=None) is None
    registry.reset("g")
    reason = await registry.hooks.guard("gitu_guard_message", message=MESSAGE)
    assert reason is not None
    assert reason.startswith("the plugin g could not check it")


async def test_a_hook_may_take_only_the_arguments_that_it_needs(make: Make) -> None:
    """Named in any order."""
    got: list[Any] = []
    listener = plugin(gitu_model_called=lambda seconds, model: got.append((model, seconds)))
    registry = make(local=[("a", listener)])
    await registry.start()
    await registry.hooks.observe("gitu_model_called", turn=None, model="m", usage=None, seconds=1.5)
    assert got == [("m", 1.5)]


async def test_a_plugin_that_leaves_during_a_dispatch_is_called_no_more(make: Make) -> None:
    """Not even by the dispatch that is under way."""
    heard: list[str] = []
    registry = make()
    first = plugin(gitu_turn_started=lambda turn: registry.quarantine("b", "test"))
    registry = make(local=[("a", first), ("b", plugin(gitu_turn_started=lambda turn: heard.append("b")))])
    await registry.start()
    await registry.hooks.observe("gitu_turn_started", turn=None)
    assert heard == []


def test_nobody_listens_and_nothing_is_wanted() -> None:
    """Every hook is known from the start; a misspelled one in the host fails at once."""
    hooks = Dispatcher(lambda *fault: None)
    assert not any(hooks.wants(name) for name in HOOKS)
    with pytest.raises(KeyError):
        asyncio.run(hooks.observe("gitu_turn_begun"))


@given(st.lists(st.tuples(st.floats(0, 30), st.integers(1, 3)), max_size=20))
def test_the_fault_budget_counts_within_its_window(faults: list[tuple[float, int]]) -> None:
    """A plugin is over budget exactly when that many faults lie within the window."""
    now = 0.0
    budget = FaultBudget(5, 60.0, lambda: now)
    told: list[float] = []
    for pause, weight in faults:
        now += pause
        told += [now] * weight
        assert budget.add("p", weight) == (sum(at >= now - 60.0 for at in told) >= 5)
    budget.forgive("p")
    assert budget.recent("p") == 0
