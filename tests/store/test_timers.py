"""Timers on disk: what comes back, what is refused, whose they are."""

from __future__ import annotations

from typing import Any

import pytest

from gitu_core.contracts.timers import Timer
from gitu_core.errors import InputError, LeaseLost
from gitu_core.model import Label, private_to
from gitu_core.store import Store

pytestmark = pytest.mark.anyio

LATE = 4e9
KEYS = [
    "", " ", "a", "A", "a/", "a/1", "a\n", "é", "e\u0301", "\uffff", "😀", "\U0010ffff", "%", "_", "'; --", "x" * 500,
    "null", "\x01", "\u202e",
]  # fmt: skip


async def test_a_timer_comes_back_as_it_was_set(store: Store) -> None:
    await store.join("w")
    label = Label(origins=frozenset(("user:ana", "outside:mail:x")), readers=frozenset(("user:ana",)))
    data = {"n": [1, 2.5, None, True, {"deep": "\x00é😀"}], "": {}, "big": 2**70, "whole": 1.0}
    await store.put_timer(Timer("p", "k", 5.5, data, "ana", label))
    ((found,), due) = await store.take_timers(["p"], 9, ())
    assert (found.data, found.person, found.label) == (data, "ana", label)
    assert (found.owner, found.key, found.due_at, found.attempt, due) == ("p", "k", 5.5, 1, 5.5)
    assert await store.check() == []


async def test_any_text_is_a_key_and_no_two_are_mixed_up(store: Store) -> None:
    await store.join("w")
    for n, key in enumerate(KEYS):
        await store.put_timer(Timer("p", key, 1.0 + n, {"n": n}))
        await store.put_timer(Timer("q", key, LATE, {}))
    taken, due = await store.take_timers(["p", "q"], 999, ())
    assert [(each.key, each.data["n"]) for each in taken] == [(key, n) for n, key in enumerate(KEYS)]
    assert due == 1.0
    assert [await store.finish_timer(each) for each in taken] == [True] * len(KEYS)
    assert [await store.delete_timer("p", key) for key in KEYS] == [False] * len(KEYS)
    assert [await store.delete_timer("q", key) for key in KEYS] == [True] * len(KEYS)


@pytest.mark.parametrize("key", ["nul\x00", "\ud800"])
async def test_a_key_that_no_engine_can_store_is_refused(store: Store, key: str) -> None:
    with pytest.raises(InputError):
        await store.put_timer(Timer("p", key, LATE, {}))
    with pytest.raises(InputError):
        await store.delete_timer("p", key)


def deep(depth: int) -> Any:
    """A list in a list in a list."""
    value: Any = []
    for _ in range(depth):
        value = [value]
    return value


@pytest.mark.parametrize(
    "data",
    [
        {"x": float("nan")}, {"x": float("-inf")}, {"x": (1, 2)}, {"x": {1, 2}}, {1: "x"}, {"x": b"bytes"},
        {"x": object()}, {"x": "\ud800"}, {"\ud800": 1}, {"x": Label()}, {"x": deep(100_000)},
        None, [], "text", 5,
    ],
    ids=lambda data: type(next(iter(data.values()), None)).__name__ if isinstance(data, dict) else repr(data),
)  # fmt: skip
async def test_data_that_would_not_come_back_as_it_is_is_refused(store: Store, data: Any) -> None:
    await store.join("w")
    with pytest.raises(InputError):
        await store.put_timer(Timer("p", "k", 1.0, data))
    assert await store.take_timers(["p"], 9, ()) == ([], float("inf"))


@pytest.mark.parametrize("when", [float("nan"), float("inf"), float("-inf")])
async def test_a_time_that_never_comes_is_refused(store: Store, when: float) -> None:
    with pytest.raises(InputError):
        await store.put_timer(Timer("p", "k", when, {}))


@pytest.mark.parametrize("when", [-1e12, 0, 1, 1e15])
async def test_any_finite_time_is_kept(store: Store, when: float) -> None:
    await store.join("w")
    await store.put_timer(Timer("p", "k", when, {}))
    assert (await store.take_timers(["p"], 0, ()))[1] == when


async def test_a_timer_that_is_set_anew_is_whose_it_is_now(store: Store) -> None:
    await store.join("w")
    await store.put_timer(Timer("p", "k", 1.0, {"who": "ana"}, "ana", private_to("ana")))
    ((old,), _) = await store.take_timers(["p"], 9, ())
    await store.put_timer(Timer("p", "k", 2.0, {"who": "bo"}, "bo", private_to("bo")))
    assert not await store.finish_timer(old), "the new one stays"
    assert not await store.finish_timer(old, LATE)
    ((new,), due) = await store.take_timers(["p"], 9, ())
    assert (new.person, new.data, new.attempt, due) == ("bo", {"who": "bo"}, 1, 2.0)
    assert await store.check() == []


async def test_one_that_comes_again_keeps_count(store: Store) -> None:
    await store.join("w")
    await store.put_timer(Timer("p", "k", 1.0, {}))
    for attempt in (1, 2, 3):
        ((found,), _) = await store.take_timers(["p"], 9, ())
        assert (found.attempt, found.due_at) == (attempt, 1.0 if attempt == 1 else 1.0 + attempt)
        assert await store.take_timers(["p"], 9, ()) == ([], float("inf"))
        assert await store.finish_timer(found, again=2.0 + attempt)
    assert not await store.finish_timer(found), "it was armed already"
    assert (await store.take_timers(["q"], 9, ()))[0] == []


async def test_what_is_busy_and_what_is_another_ones_is_left_alone(store: Store) -> None:
    await store.join("w")
    for n in range(10):
        await store.put_timer(Timer("p", f"{n}", float(n), {}))
    busy = frozenset(("p", f"{n}") for n in range(4))
    taken, _ = await store.take_timers(["q", "p"], 6, busy)
    assert [each.key for each in taken] == ["4", "5", "6"], "three for each of two plugins"
    assert [each.key for each in (await store.take_timers(["p"], 1, busy))[0]] == ["7"]


async def test_only_a_worker_claims(store: Store) -> None:
    await store.put_timer(Timer("p", "k", 1.0, {}))
    with pytest.raises(LeaseLost):
        await store.take_timers(["p"], 9, ())


async def test_tenants_do_not_see_each_others_timers(opened: Any) -> None:
    one, two = await opened(tenant="one"), await opened(tenant="two")
    for store in (one, two):
        await store.join("w")
    await one.put_timer(Timer("p", "k", 1.0, {}))
    assert await two.take_timers(["p"], 9, ()) == ([], float("inf"))
    assert not await two.delete_timer("p", "k")
    assert len((await one.take_timers(["p"], 9, ()))[0]) == 1
