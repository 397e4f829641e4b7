"""When timers are handed over, and when not: clocks, restarts, failures, plugins that come and go."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import anyio
import pytest

from gitu_core import failpoints
from gitu_core.contracts.scope import CURRENT_CALL
from gitu_core.errors import NotReady, PluginError, RateLimited, StoreError
from gitu_core.model import CallInfo, Label
from gitu_core.store import Store
from gitu_core.timers.timers import AT_ONCE
from tests.app.around import until
from tests.timers.around import JumpingClock, Plugins, pass_by, rows, running, timer

pytestmark = pytest.mark.anyio


async def test_a_timer_is_handed_over_once_when_it_is_due(store: Store, clock: JumpingClock) -> None:
    plugins, start = Plugins(), clock.now()
    await store.put_timer(timer("tea", start + 3))
    async with running(store, plugins, clock) as timers:
        for _ in range(2):
            await pass_by(clock, timers)
        assert plugins.seen == []
        await pass_by(clock, timers)
        assert plugins.seen == [("shop", "tea", {"key": "tea"}, 1)]
        for _ in range(5):
            await pass_by(clock, timers)
    assert plugins.keys == ["tea"]
    assert await rows(store) == []


async def test_it_is_waited_for_to_the_moment(store: Store, clock: JumpingClock) -> None:
    moments: list[float] = []

    async def note(key: str, data: Any, attempt: int) -> None:
        moments.append(clock.now())

    start = clock.now()
    await store.put_timer(timer("tea", start + 1.25))
    async with running(store, Plugins(handler=note), clock) as timers:
        await pass_by(clock, timers)
        await pass_by(clock, timers, 0.25)
    assert moments == [start + 1.25]


async def test_a_second_look_comes_a_second_later_where_nothing_can_be_done(store: Store, clock: JumpingClock) -> None:
    """Nothing is asked again and again: not while nothing is due, nor while what is due is in hand."""
    hold, looks = anyio.Event(), 0

    async def wait(key: str, data: Any, attempt: int) -> None:
        await store.put_timer(timer("tea", clock.now()))
        await hold.wait()

    plugins = Plugins(handler=wait)
    having = plugins.having

    def count(hook: str) -> list[str]:
        nonlocal looks
        looks += 1
        return having(hook)

    plugins.having = count  # type: ignore[method-assign]
    await store.put_timer(timer("tea", clock.now()))
    async with running(store, plugins, clock):
        for _ in range(200):
            await clock.until_asleep()
            clock.jump(0.05)
        await clock.until_asleep()
        assert 9 <= looks <= 12
        assert plugins.keys == ["tea"], "one key is worked on once at a time"
        hold.set()


async def test_the_same_key_replaces_and_a_cancelled_timer_never_comes(store: Store, clock: JumpingClock) -> None:
    start, plugins = clock.now(), Plugins("shop", "bank")
    await store.put_timer(timer("a", start + 1))
    await store.put_timer(timer("a", start + 3, data={"new": True}))
    await store.put_timer(timer("b", start + 1))
    await store.put_timer(timer("b", start + 1, "bank"))
    assert await store.delete_timer("shop", "b")
    assert not await store.delete_timer("shop", "b")
    async with running(store, plugins, clock) as timers:
        await pass_by(clock, timers, 2)
        assert plugins.seen == [("bank", "b", {"key": "b"}, 1)], "a key is a plugin's own"
        await pass_by(clock, timers)
    assert plugins.seen[1:] == [("shop", "a", {"new": True}, 1)]


async def test_what_was_due_while_nobody_was_there_comes_at_the_start(
    opened: Callable[..., Any], store: Store, clock: JumpingClock
) -> None:
    await store.put_timer(timer("late", clock.now() + 10))
    await store.put_timer(timer("later", clock.now() + 10_000))
    await store.close()
    clock.jump(5_000)
    again, plugins = await opened(clock=clock), Plugins()
    await again.join("second")
    async with running(again, plugins, clock) as timers:
        await pass_by(clock, timers)
        assert plugins.seen == [("shop", "late", {"key": "late"}, 1)]


async def test_a_clock_that_is_set_back_hands_nothing_over_twice(store: Store, clock: JumpingClock) -> None:
    plugins, start = Plugins(), clock.now()
    await store.put_timer(timer("first", start + 10))
    await store.put_timer(timer("second", start + 20))
    async with running(store, plugins, clock) as timers:
        await pass_by(clock, timers, 10)
        clock.wrong = -3600
        for _ in range(15):
            await pass_by(clock, timers)
        assert plugins.keys == ["first"], "the second is not due by the clock as it is now"
        await pass_by(clock, timers, 3600)
    assert plugins.keys == ["first", "second"]


async def test_a_clock_that_is_set_forward_is_noticed_within_a_second(store: Store, clock: JumpingClock) -> None:
    plugins = Plugins()
    await store.put_timer(timer("next week", clock.now() + 7 * 86_400))
    async with running(store, plugins, clock) as timers:
        await pass_by(clock, timers)
        assert plugins.seen == []
        clock.wrong = 8 * 86_400
        await pass_by(clock, timers)
    assert plugins.keys == ["next week"]


async def test_a_plugin_may_set_its_own_timer_again_while_it_works_on_it(store: Store, clock: JumpingClock) -> None:
    async def again(key: str, data: Any, attempt: int) -> None:
        await store.put_timer(timer("beat", clock.now() + 2))

    plugins = Plugins(handler=again)
    await store.put_timer(timer("beat", clock.now() + 1))
    async with running(store, plugins, clock) as timers:
        for _ in range(6):
            await pass_by(clock, timers)
    assert plugins.seen == [("shop", "beat", {"key": "beat"}, 1)] * 3
    assert await rows(store) == [("beat", "armed", 0)]


async def test_a_plugin_may_set_a_timer_that_is_due_at_once_while_it_works_on_it(
    store: Store, clock: JumpingClock
) -> None:
    async def once_more(key: str, data: Any, attempt: int) -> None:
        if data["key"] == "tea":
            await store.put_timer(timer("tea", clock.now(), data={"key": "more"}))

    plugins = Plugins(handler=once_more)
    await store.put_timer(timer("tea", clock.now()))
    async with running(store, plugins, clock) as timers:
        for _ in range(3):
            await pass_by(clock, timers)
    assert [(data, attempt) for _, _, data, attempt in plugins.seen] == [({"key": "tea"}, 1), ({"key": "more"}, 1)]
    assert await rows(store) == []


async def test_a_plugin_may_cancel_its_own_timer_while_it_works_on_it(store: Store, clock: JumpingClock) -> None:
    async def cancel(key: str, data: Any, attempt: int) -> None:
        assert await store.delete_timer("shop", key)
        raise NotReady("later")

    plugins = Plugins(handler=cancel)
    await store.put_timer(timer("tea", clock.now()))
    async with running(store, plugins, clock) as timers:
        await pass_by(clock, timers)
    assert await rows(store) == [], "what was cancelled does not come again, whatever was raised"


async def test_one_that_is_not_ready_comes_again_later_and_later(store: Store, clock: JumpingClock) -> None:
    moments: list[float] = []

    async def later(key: str, data: Any, attempt: int) -> None:
        moments.append(clock.now())
        assert attempt == len(moments)
        if attempt == 3:
            raise RateLimited("in a minute", retry_after=60)
        if attempt < 5:
            raise NotReady("the shop is closed")

    plugins, start = Plugins(handler=later), clock.now()
    await store.put_timer(timer("tea", start + 1))
    async with running(store, plugins, clock) as timers:
        for _ in range(100):
            await pass_by(clock, timers)
    waits = [round(after - before, 3) for before, after in pairwise(moments)]
    assert waits == [2, 4, 60, 16]
    assert await rows(store) == []


@pytest.mark.parametrize("retry_after", [float("nan"), -5, 1e308])
async def test_what_a_plugin_says_about_later_cannot_break_its_timer(
    store: Store, clock: JumpingClock, retry_after: float
) -> None:
    async def later(key: str, data: Any, attempt: int) -> None:
        raise RateLimited("later", retry_after=retry_after)

    await store.put_timer(timer("tea", clock.now()))
    async with running(store, Plugins(handler=later), clock) as timers:
        await pass_by(clock, timers)
    assert await rows(store) == [("tea", "armed", 1)]


@pytest.mark.parametrize("error", [PluginError("it cannot be loaded"), StoreError("the database is locked")])
async def test_a_plugin_that_cannot_be_had_gets_its_timer_later(
    store: Store, clock: JumpingClock, error: Exception
) -> None:
    async def fail(key: str, data: Any, attempt: int) -> None:
        if attempt == 1:
            raise error

    plugins = Plugins(handler=fail)
    await store.put_timer(timer("tea", clock.now()))
    async with running(store, plugins, clock) as timers:
        await pass_by(clock, timers)
        await pass_by(clock, timers, 3)
    assert [attempt for *_, attempt in plugins.seen] == [1, 2]
    assert await rows(store) == []


async def test_one_that_fails_is_done_and_the_others_come_all_the_same(
    store: Store, clock: JumpingClock, caplog: pytest.LogCaptureFixture
) -> None:
    async def fail(key: str, data: Any, attempt: int) -> None:
        if key == "bad":
            raise ZeroDivisionError

    plugins = Plugins(handler=fail)
    for key in ("bad", "good"):
        await store.put_timer(timer(key, clock.now()))
    async with running(store, plugins, clock) as timers:
        for _ in range(3):
            await pass_by(clock, timers)
    assert sorted(plugins.keys) == ["bad", "good"]
    assert "the timer 'bad' of shop failed" in caplog.text
    assert await rows(store) == []


async def test_timers_of_a_plugin_that_is_not_there_stay_until_it_is_back(store: Store, clock: JumpingClock) -> None:
    plugins = Plugins("shop", "bank")
    for n in range(300):
        await store.put_timer(timer(f"{n:03}", clock.now() + n, "gone"))
    await store.put_timer(timer("tea", clock.now() + 400))
    async with running(store, plugins, clock) as timers:
        await pass_by(clock, timers, 500)
        assert plugins.keys == ["tea"], "what nobody takes is in nobody's way"
        assert len(await rows(store, "gone")) == 300
        plugins.names.append("gone")
        for _ in range(30):
            await pass_by(clock, timers)
    assert plugins.keys[1:] == [f"{n:03}" for n in range(300)]
    assert {attempt for *_, attempt in plugins.seen} == {1}


async def test_a_plugin_with_many_timers_does_not_keep_the_others_waiting(store: Store, clock: JumpingClock) -> None:
    plugins = Plugins("shop", "bank")
    for n in range(200):
        await store.put_timer(timer(f"{n}", clock.now() - 10))
    await store.put_timer(timer("mine", clock.now(), "bank"))
    async with running(store, plugins, clock) as timers:
        await pass_by(clock, timers)
        assert "mine" in plugins.keys
        assert len(plugins.seen) < 70


async def test_so_many_at_once_and_no_more(store: Store, clock: JumpingClock) -> None:
    hold, inside, most = anyio.Event(), 0, 0

    async def wait(key: str, data: Any, attempt: int) -> None:
        nonlocal inside, most
        inside += 1
        most = max(most, inside)
        await hold.wait()
        inside -= 1

    plugins = Plugins(handler=wait)
    for n in range(150):
        await store.put_timer(timer(f"{n}", clock.now()))
    async with running(store, plugins, clock) as timers:
        for _ in range(20):
            await clock.until_asleep()
            clock.jump(1.0)
        await clock.until_asleep()
        assert most == AT_ONCE
        hold.set()
        for _ in range(20):
            await pass_by(clock, timers)
    assert (len(plugins.seen), most) == (150, AT_ONCE)


async def test_it_is_worked_on_for_whom_it_was_set_with_the_label_it_had(store: Store, clock: JumpingClock) -> None:
    calls: list[CallInfo | None] = []

    async def note(key: str, data: Any, attempt: int) -> None:
        calls.append(CURRENT_CALL.get())

    label = Label(origins=frozenset(("user:ana", "outside:web:x.example")), readers=frozenset(("user:ana",)))
    await store.put_timer(timer("1", clock.now(), person="ana", label=label))
    await store.put_timer(timer("2", clock.now()))
    async with running(store, Plugins(handler=note), clock) as timers:
        await pass_by(clock, timers)
    found = {each.call: (each.principal, each.label) for each in calls if each is not None}
    assert found == {"1": ("user:ana", label), "2": ("plugin:shop", Label())}
    assert CURRENT_CALL.get() is None


async def test_closing_waits_for_what_runs_and_takes_nothing_more(store: Store, clock: JumpingClock) -> None:
    begun, ended = anyio.Event(), anyio.Event()

    async def work(key: str, data: Any, attempt: int) -> None:
        begun.set()
        await anyio.sleep(0.2)
        ended.set()

    plugins = Plugins(handler=work)
    await store.put_timer(timer("a", clock.now()))
    async with running(store, plugins, clock) as timers:
        await clock.until_asleep()
        clock.jump(1.0)
        await begun.wait()
        await store.put_timer(timer("b", clock.now()))
        await timers.close(5.0)
        assert ended.is_set()
        await pass_by(clock, timers)
    assert plugins.keys == ["a"]
    assert await rows(store) == [("b", "armed", 0)]


async def test_what_closing_cuts_off_comes_again_and_says_so(
    opened: Callable[..., Any], store: Store, clock: JumpingClock
) -> None:
    async def hang(key: str, data: Any, attempt: int) -> None:
        await anyio.sleep_forever()

    await store.put_timer(timer("tea", clock.now()))
    async with running(store, Plugins(handler=hang), clock) as timers:
        await clock.until_asleep()
        clock.jump(1.0)
        await until(lambda: bool(timers._running))
        await timers.close(0.05)
    assert await rows(store) == [("tea", "running", 1)]
    await store.close()
    again, plugins = await opened(clock=clock), Plugins()
    await again.join("second")
    async with running(again, plugins, clock) as timers:
        await pass_by(clock, timers)
    assert plugins.seen == [("shop", "tea", {"key": "tea"}, 2)]


async def test_the_store_is_asked_until_it_takes_the_end_of_a_timer(
    store: Store, clock: JumpingClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    finish, refused = store.finish_timer, 0

    async def refuse(*args: Any) -> bool:
        nonlocal refused
        refused += 1
        if refused < 4:
            raise StoreError("the disk is full")
        return await finish(*args)

    monkeypatch.setattr(store, "finish_timer", refuse)
    plugins = Plugins()
    await store.put_timer(timer("tea", clock.now()))
    async with running(store, plugins, clock) as timers:
        for _ in range(4):
            await clock.until_asleep(1 + (0 < refused < 4))
            clock.jump(1.0)
            await anyio.sleep(0.05)
        await until(lambda: not timers._running)
    assert (plugins.keys, refused) == (["tea"], 4)
    assert await rows(store) == []


async def test_a_store_that_cannot_be_read_is_asked_again_a_second_later(
    store: Store, clock: JumpingClock, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    take, failed = store.take_timers, 0

    async def fail(*args: Any) -> Any:
        nonlocal failed
        failed += 1
        if failed == 1:
            raise StoreError("the server is gone")
        return await take(*args)

    monkeypatch.setattr(store, "take_timers", fail)
    plugins = Plugins()
    await store.put_timer(timer("tea", clock.now()))
    async with running(store, plugins, clock) as timers:
        for _ in range(2):
            await pass_by(clock, timers)
    assert plugins.keys == ["tea"]
    assert "timers could not be looked at: the server is gone" in caplog.text


async def test_one_that_cannot_be_read_is_in_nobodys_way(store: Store, clock: JumpingClock) -> None:
    for key in ("broken", "tea"):
        await store.put_timer(timer(key, clock.now()))
    await store._script(store._script_of("""UPDATE "@timers" SET person = 'eve' WHERE key = 'broken'"""))
    plugins = Plugins()
    async with running(store, plugins, clock) as timers:
        for _ in range(3):
            await pass_by(clock, timers)
    assert plugins.keys == ["tea"]
    assert any("broken" in problem for problem in await store.check())


async def test_the_points_where_a_process_may_die_are_reached_in_order(
    store: Store, clock: JumpingClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    reached: list[str] = []
    monkeypatch.setattr(failpoints, "armed", lambda name: reached.append(name) if "timer" in name else None)

    async def note(key: str, data: Any, attempt: int) -> None:
        reached.append("work")

    await store.put_timer(timer("tea", clock.now()))
    async with running(store, Plugins(handler=note), clock) as timers:
        await pass_by(clock, timers)
    assert reached == ["timer.claimed", "work", "timer.fired"]
