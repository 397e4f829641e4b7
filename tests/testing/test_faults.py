"""Faults happen where they are armed and nowhere else; the harness kills, restarts and judges."""

from __future__ import annotations

import ast
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from gitu_core import failpoints
from gitu_core.errors import ConfigError, RateLimited, StoreError
from gitu_core.model import Account, Conversation, Message, Text
from gitu_core.store import Store
from gitu_core.testing import CountingAdapter, World, armed, crash_test, declare, hit
from gitu_core.testing.crash import Lives, crash, kills
from gitu_core.testing.faults import POINTS, VARIABLE, Fault, from_environment, parse
from gitu_core.testing.world import chosen
from tests.architecture.files import python_files, text_of
from tests.store.make import said

pytestmark = pytest.mark.anyio


def sources() -> list[str]:
    """The names that the code hands to `hit`."""
    found = []
    for path in python_files("gitu_core/*"):
        for node in ast.walk(ast.parse(text_of(path) or "")):
            if isinstance(node, ast.Call) and getattr(node.func, "id", getattr(node.func, "attr", "")) == "hit":
                (argument,) = node.args
                assert isinstance(argument, ast.Constant), f"{path}:{node.lineno}: write the name of the point"
                found.append(argument.value)
    return found


def test_every_point_of_the_code_is_described_and_stands_in_one_place() -> None:
    placed = sources()
    assert set(placed) <= set(POINTS)
    assert len(placed) == len(set(placed))
    assert all(where and not where.endswith(".") for where in POINTS.values())


def test_nothing_is_armed_by_itself() -> None:
    assert failpoints.armed is None
    hit("outbox.after")


def test_faults_are_read_as_they_are_written() -> None:
    assert parse("outbox.after:kill; writer.rows:raise=store:3;model.before:delay=0.5:*") == [
        Fault("outbox.after", "kill"),
        Fault("writer.rows", "raise", "store", 3),
        Fault("model.before", "delay", "0.5", 0),
    ]
    assert [str(each) for each in parse("writer.rows:raise=store:3")] == ["writer.rows:raise=store:3"]
    assert parse("") == []


@pytest.mark.parametrize(
    "text",
    [
        "nowhere:kill",
        "outbox.after",
        "outbox.after:explode",
        "outbox.after:raise=nonsense",
        "outbox.after:raise",
        "outbox.after:delay",
        "outbox.after:kill:never",
        "outbox.after:kill=9",
    ],
)
def test_a_fault_that_means_nothing_is_refused(text: str) -> None:
    with pytest.raises(ConfigError):
        parse(text)


def test_a_fault_happens_at_its_time_or_every_time_and_never_afterwards() -> None:
    reached: list[tuple[str, int]] = []
    with armed("model.before:raise=rate_limited:2", lambda name, number: reached.append((name, number))):
        hit("model.before")
        hit("model.after")
        with pytest.raises(RateLimited, match="on purpose"):
            hit("model.before")
        hit("model.before")
    assert reached == [("model.before", 1), ("model.after", 1), ("model.before", 2), ("model.before", 3)]
    with armed("model.before:raise=store:*"):
        for _ in range(3):
            with pytest.raises(StoreError):
                hit("model.before")
    hit("model.before")


def test_a_delay_holds_up_whoever_gets_there() -> None:
    before = time.monotonic()
    with armed("model.before:delay=0.05"):
        hit("model.before")
    assert time.monotonic() - before >= 0.05


def test_a_point_of_ones_own_can_be_declared(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gitu_core.testing.faults.POINTS", dict(POINTS))
    declare("mine.before", "the parcel is packed and not handed over")
    with armed("mine.before:raise=unknown"), pytest.raises(Exception, match=r"mine\.before"):
        hit("mine.before")


def test_the_environment_arms_only_where_it_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    from_environment()
    assert failpoints.armed is None
    monkeypatch.setenv(VARIABLE, "")
    try:
        from_environment()
        assert failpoints.armed is not None
    finally:
        failpoints.armed = None


@pytest.mark.parametrize("point", ["writer.begin", "writer.rows"])
async def test_a_commit_that_fails_writes_nothing_and_the_next_one_works(point: str, tmp_path: Path) -> None:
    async with Store(home=tmp_path) as store:
        with armed(f"{point}:raise=store"), pytest.raises(StoreError):
            await store.write(said(1))
        await store.write(said(2))
        assert [entry.at for entry in await store.history("s", 10)] == [2.0]


# ---- the world -------------------------------------------------------------------------------------------------


def test_a_world_is_the_same_for_everybody_and_outlives_who_wrote_it(tmp_path: Path) -> None:
    world = World(tmp_path)
    code = (
        "import os, signal, sys\n"
        "from gitu_core.testing import World\n"
        "world = World(sys.argv[1])\n"
        "[world.note('effect', f'k{n}') for n in range(500)]\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    children = [subprocess.Popen([sys.executable, "-c", code, str(tmp_path)]) for _ in range(2)]
    assert [child.wait() for child in children] == [-9, -9]
    assert world.effects() == {f"k{n}": 2 for n in range(500)}
    assert {each.pid for each in world.events("effect")} == {child.pid for child in children}


def test_what_people_say_is_handed_over_until_the_channel_was_told_that_it_is_safe(tmp_path: Path) -> None:
    world = World(tmp_path)
    assert [world.say("plain one"), world.say("plain two"), world.trigger("wake up")] == ["m1", "m2", "t1"]
    world.note("acked", "m1", id="r1")
    assert [each.text for each in World(tmp_path).unacknowledged()] == ["plain two"]
    assert [each.key for each in world.untold()] == ["t1"]
    for _ in range(2):  # whoever sees a question twice answers it once
        world.note("sent", "q", ask="ask-1", reactions=(chosen("ask-1", "yes"),))
    assert [each.ask for each in world.unacknowledged()] == ["", "ask-1"]


def test_what_was_sent_twice_is_seen_once_where_the_channel_drops_it(tmp_path: Path) -> None:
    world = World(tmp_path)
    for key in ("a", "b", "a"):
        world.note("sent", key)
    assert [each.key for each in world.seen("idempotent")] == ["a", "b"]
    assert [each.key for each in world.seen("verifiable")] == ["a", "b", "a"]
    assert world.delivered("b")
    assert not world.delivered("c")


# ---- the harness -----------------------------------------------------------------------------------------------


def test_a_process_that_dies_in_the_middle_leaves_nothing_open(tmp_path: Path) -> None:
    result = crash("plain", "world.model.begun:kill", tmp_path)
    assert (result.reached, result.breaches) == (True, {})
    assert result.point == "world.model.begun"
    assert result.resumed is not None


def test_a_point_that_is_not_reached_is_no_death(tmp_path: Path) -> None:
    result = crash("plain", "timer.fired:kill", tmp_path)
    assert (result.reached, result.broken) == (False, [])


def test_a_paused_process_goes_on_when_it_is_woken(tmp_path: Path) -> None:
    lives = Lives(tmp_path)
    lives.world.say("plain one")
    began = time.monotonic()
    process = lives.start("world.model.begun:pause")
    while not lives.world.events("model.begun"):
        time.sleep(0.01)
    time.sleep(0.2)
    assert process.poll() is None
    assert not lives.world.events("model.finished")
    process.send_signal(signal.SIGCONT)
    assert lives.ended(process, began).status == 0
    assert [each.text for each in lives.world.seen("idempotent")] == ["answer to <plain one>"]


def test_kills_are_made_for_each_time_a_point_is_reached() -> None:
    reached = {"writer.begin": 2, "outbox.after": 1}
    assert kills(reached) == ["writer.begin:kill:1", "writer.begin:kill:2", "outbox.after:kill:1"]
    assert kills(reached, ["outbox"]) == ["outbox.after:kill:1"]


def test_all_points_of_a_scenario_are_tried_and_shown_as_a_table() -> None:
    report = crash_test(scenarios=["plain"], points=["world.model"])
    assert report.broken == []
    head, *rows = report.table().splitlines()
    assert head.split()[:2] == ["point", "cases"]
    assert [row.split()[:2] for row in rows] == [
        ["(undisturbed)", "1"], ["world.model.begun", "1"], ["world.model.finished", "1"],
    ]  # fmt: skip


def test_an_adapter_that_acknowledges_too_early_is_caught(tmp_path: Path) -> None:
    wrong = {"adapter": "tests.testing.wrong:hasty", "before": "tests.testing.wrong:points"}
    result = crash("plain", "wrong.acked:kill", tmp_path, **wrong)
    assert result.reached
    assert result.broken == [
        "plain / idempotent / sqlite / wrong.acked: I1 lost: message m1 (plain one) was never answered"
    ]


@pytest.mark.parametrize(("scenario", "said"), [("approval", "answer-"), ("then", "then")])
def test_people_react_to_what_they_saw_although_the_process_died_in_that_moment(
    tmp_path: Path, scenario: str, said: str
) -> None:
    result = crash(scenario, "", tmp_path, delivery="verifiable", before="tests.testing.wrong:dies_as_it_shows")
    assert (result.reached, result.broken) == (True, [])
    assert [each.key for each in World(tmp_path / "world").events("acked") if each.key.startswith(said)] != []


def test_a_message_of_the_world_is_one_for_the_host(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.say("plain one", "bob")
    message = CountingAdapter(world).message(world.unacknowledged()[0])
    assert message == Message("m1", Conversation("world", "bob"), Account("world", "bob"), (Text("plain one"),))
