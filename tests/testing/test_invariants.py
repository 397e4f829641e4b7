"""Every invariant holds for a good story and catches each way in which a story can be bad."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from gitu_core.testing.invariants import (
    INVARIANTS,
    Evidence,
    Run,
    breaches,
    damaged,
    doubled,
    late,
    lost,
    paid_again,
    repeated,
    resumed,
)
from gitu_core.testing.world import World


@pytest.fixture
def world(tmp_path: Path) -> World:
    """A world in which Ana said something that costs money, and it was done and answered."""
    world = World(tmp_path)
    world.say("effect one")
    world.note("started")
    world.note("acked", "m1", id="r1")
    world.note("model.begun", "effect one#0")
    world.note("model.finished", "effect one#0")
    world.note("effect", "r1.c1", text="effect one")
    world.note("model.begun", "effect one#1")
    world.note("sent", "r1.answer", user="ana", text="answer to <effect one>: ok: paid", id="r1.answer")
    return world


def life(world: World, status: int = 0, seconds: float = 0.1, **answered: int) -> Run:
    """A life of this process that began *seconds* before its first event."""
    first = world.events("acked")[0]
    return Run(os.getpid(), first.at - first.waited - seconds, status, answered)


def test_a_good_story_breaks_nothing(world: World) -> None:
    assert breaches(Evidence(world, [life(world)])) == {}


def test_what_was_never_taken_answered_told_or_finished_is_lost(world: World) -> None:
    world.say("plain two")
    world.trigger("wake up")
    found = lost(Evidence(world, [life(world, 3)], pending=["message r9 is left in the inbox"]))
    assert found == [
        "message m2 was never taken from its channel",
        "trigger t1 was never taken over",
        "message r9 is left in the inbox",
        "message m2 (plain two) was never answered",
        "trigger t1 was never told",
        "the last process ended with 3: it never came to rest",
    ]


def test_a_turn_that_was_given_up_is_lost(world: World) -> None:
    world.say("plain two")
    world.note("acked", "m2", id="r2")
    world.note("sent", "r2.answer", user="ana", text="I could not finish this.")
    assert lost(Evidence(world, [])) == ["the turn of message m2 was given up: I could not finish this."]


def test_on_a_blind_channel_it_is_enough_to_say_that_nobody_knows(world: World) -> None:
    world.say("plain two")
    world.note("acked", "m2", id="r2")
    world.note("sent", "x", user="bob", text="It is unknown whether this arrived.")
    assert lost(Evidence(world, [], "blind")) == ["message m2 (plain two) was never answered"]
    world.note("sent", "y", user="ana", text="I do not know whether my last answer reached you.")
    assert lost(Evidence(world, [], "blind")) == []
    assert lost(Evidence(world, [], "verifiable")) == ["message m2 (plain two) was never answered"]


def test_what_was_seen_twice_is_found_where_the_channel_does_not_drop_it(world: World) -> None:
    world.trigger("wake up")
    for _ in range(2):
        world.note("sent", "r1.answer", user="ana", text="answer to <effect one>: ok: paid")
        world.note("sent", "q", user="ana", text="May I?", ask="a1")
        world.note("sent", "t", user="ana", text="wake up")
    assert repeated(Evidence(world, [], "idempotent")) == []
    assert repeated(Evidence(world, [], "verifiable")) == [
        "message m1 (effect one) was answered 3 times", "trigger t1 was told 2 times", "question a1 was asked 2 times",
    ]  # fmt: skip


def test_an_effect_that_happened_twice_is_found_under_one_key_and_under_two(world: World) -> None:
    world.note("effect", "r1.c1", text="effect one")
    assert doubled(Evidence(world, [])) == [
        "the effect with the key r1.c1 happened 2 times", "the effect on effect one happened 2 times",
    ]  # fmt: skip


@pytest.mark.parametrize(("claim", "done", "wrong"), [
    ("ok: paid", False, True), ("error: refused", True, True), ("error: refused", False, False),
    ("unknown: nobody knows", True, False), ("unknown: nobody knows", False, False),
])  # fmt: skip
def test_what_people_are_told_about_an_effect_is_true(claim: str, done: bool, wrong: bool, tmp_path: Path) -> None:
    world = World(tmp_path)
    world.say("effect one")
    if done:
        world.note("effect", "k", text="effect one")
    world.note("sent", "a", user="ana", text=f"answer to <effect one>: {claim}")
    assert bool(doubled(Evidence(world, []))) is wrong


def test_a_model_call_is_repeated_only_while_its_answer_is_not_on_disk(world: World) -> None:
    other = 1 if os.getpid() != 1 else 2
    dead = Run(other, 0.0, -9, {"effect one": 1}, world.events("started")[0].at)
    assert paid_again(Evidence(world, [dead, life(world)])) == [
        "model call effect one#0 was made again although its answer was on disk"
    ]
    assert paid_again(Evidence(world, [Run(other, 0.0, -9), life(world)])) == []
    world.note("model.begun", "effect one#1")
    assert paid_again(Evidence(world, [life(world)])) == ["model call effect one#1 was made 2 times in one life"]


def test_a_late_restart_and_a_damaged_database_are_named(world: World) -> None:
    dead = Run(1, 0.0, -9)
    assert late(Evidence(world, [dead, life(world, seconds=1.9)])) == []
    assert late(Evidence(world, [dead, life(world, seconds=2.6)])) == [
        "work went on 2.6 s after the restart, 2 s are allowed"
    ]
    assert late(Evidence(world, [dead, life(world, seconds=2.6)], soon=12.0)) == []
    assert damaged(Evidence(world, [], faults=["the file: bad"])) == ["the file: bad"]
    assert resumed(world, Run(-1, 0.0, 0)) is None


def test_the_invariants_have_six_names() -> None:
    assert [name.split()[0] for name in INVARIANTS] == ["I1", "I2", "I3", "I4", "I5", "I6"]


# ---- timers, and answers that grow -----------------------------------------------------------------------------


def test_a_timer_that_never_rings_is_lost(world: World) -> None:
    world.alarm("tea")
    world.note("arming", "a1")
    world.note("armed", "a1")
    found = lost(Evidence(world, [life(world)], pending=["timer a1 is left"]))
    assert found == ["timer a1 never rang", "timer a1 is left", "alarm a1 was never told"]


@pytest.mark.parametrize(
    ("numbers", "status", "paused", "again"),
    [
        ([1], 0, False, []),
        ([1, 1], -9, False, ["timer a1 was set 1 times and rang 2 times"]),
        ([1, 2], 0, False, ["timer a1 rang again although nothing had cut it off"]),
        ([1, 2], -9, False, []),
        ([1, 2], 0, True, []),
    ],
)
def test_a_timer_rings_again_only_where_something_cut_it_off(
    world: World, numbers: list[int], status: int, paused: bool, again: list[str]
) -> None:
    world.alarm("tea")
    world.note("arming", "a1")
    for number in numbers:
        world.note("rang", "a1", number=number)
    world.note("sent", "alarm-a1", user="ana", text="tea")
    assert repeated(Evidence(world, [life(world, status)], paused=[os.getpid()] if paused else [])) == again


def test_a_message_that_was_changed_is_seen_as_it_is_now(world: World) -> None:
    world.say("grow two")
    world.note("sent", "live.1", user="ana", text="answer to <grow …")
    world.note("sent", "live.2", user="ana", text="answer to <grow two> …", replaces="out-live.1")
    assert repeated(Evidence(world, [life(world)])) == ["1 answers were left unfinished on the screen"]
    assert repeated(Evidence(world, [life(world, -9)])) == []
    world.note("sent", "m2.answer", user="ana", text="answer to <grow two>", replaces="out-live.1")
    for delivery in ("idempotent", "verifiable", "blind"):
        assert [each.text for each in world.seen(delivery)][1:] == ["answer to <grow two>"]  # type: ignore[arg-type]
    assert repeated(Evidence(world, [life(world)])) == []
