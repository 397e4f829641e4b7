"""How channels are: asked every few seconds whatever they answer, reconnected at odd times, told to operators."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import anyio
import pytest

from gitu_core import Gitu
from gitu_core.errors import NotReady
from gitu_core.gateway.pulse import CALM, EVERY, LONGEST, Pulse, Seen
from gitu_core.model import Health
from gitu_core.testing import RecordingAdapter
from gitu_core.testing.faults import VARIABLE
from tests.app.around import ECHO, On, until
from tests.app.test_fallback import Line, Time, talking

pytestmark = pytest.mark.anyio

DOWN = Health("failed", "the line is cut", "mend it")


class Moody(RecordingAdapter):
    """A channel that does what a test wants when it is asked how it is."""

    mood: object = Health()

    async def health(self):
        if self.mood == "hangs":
            await anyio.sleep_forever()
        if self.mood == "hangs on":
            with anyio.CancelScope(shield=True):
                await anyio.sleep(0.05)
        if isinstance(self.mood, Exception):
            raise self.mood
        return self.mood


@pytest.mark.parametrize(
    ("mood", "detail"),
    [
        (NotReady("not now", hint="wait"), "not now"),
        (ZeroDivisionError("secret"), "ZeroDivisionError was raised"),
        ("hangs", "it did not say within 1 s"),
        ("hangs on", "it did not say within 1 s"),
        (None, "ValidationError was raised"),
        (object(), "TypeError was raised"),
        (Health("fine"), "ValidationError was raised"),
        (Health(["ok"]), "ValidationError was raised"),
        (Health("ok", None), "ValidationError was raised"),
        (Health("degraded", "x" * 10_000, "y" * 10_000), "x" * LONGEST),
        (DOWN, "the line is cut"),
    ],
)
async def test_a_failure_shows_within_ten_seconds_and_is_over_when_it_is_over(fake_clock, mood, detail):
    one, two, time = Moody("one"), Moody("two"), Time(fake_clock)
    async with talking(fake_clock, one, two) as gitu:
        one.mood = mood
        for _ in range(2):
            await time.pass_by(4)
        found, others = gitu.house.channels.health["one"], gitu.house.channels.health["two"]
        assert found.state == ("degraded" if found.detail.startswith("x") else "failed")
        assert found.detail.startswith(detail)
        assert len(found.detail) <= LONGEST
        assert found.hint
        assert "secret" not in found.detail
        assert others == Health()
        assert f"channel one: {found.state}, since 2027-01-15 08:00 UTC" in "\n".join(await gitu.house.status())
        assert await one.talk("still there?") == "you said still there?"
        one.mood = Health()
        await time.pass_by(2 * EVERY)
        await until(lambda: gitu.house.channels.health["one"].state == "ok")


def test_the_worse_of_both_counts_and_receiving_has_to_last(fake_clock):
    pulse = Pulse("one", fake_clock)
    pulse.receives()
    pulse.receives(Health("degraded", "cut"))
    pulse.says(Health())
    assert pulse.health.state == "degraded"
    pulse.receives()
    pulse.says(Health())
    assert pulse.health.state == "degraded"
    pulse.says(DOWN)
    assert pulse.health == DOWN
    fake_clock.jump(EVERY)
    pulse.says(Health("starting"))
    assert (pulse.health.state, pulse.down) == ("starting", 0.0)


def test_what_works_for_a_short_time_is_still_in_the_same_outage(fake_clock):
    pulse = Pulse("one", fake_clock)
    pulse.says(DOWN)
    began = pulse.outage
    for pause in (1.0, CALM):
        fake_clock.jump(1)
        pulse.says(Health())
        assert pulse.down == 0.0
        fake_clock.jump(pause)
        pulse.says(DOWN)
        assert pulse.outage == began
    assert pulse.down == CALM + 3
    pulse.says(Health())
    fake_clock.jump(CALM + 1)
    pulse.says(DOWN)
    assert (pulse.down, pulse.outage > began) == (0.0, True)


@pytest.mark.parametrize(
    ("state", "outage", "after", "down"),
    [("failed", 100.0, 0, 100.0), ("ok", 100.0, 0, 0.0), ("failed", 100.0, CALM + 1, 0.0), ("failed", -50.0, 0, 0.0)],
)
def test_what_an_earlier_run_left_counts_where_it_is_still_so(fake_clock, state, outage, after, down):
    pulse = Pulse("one", fake_clock, Seen(state, outage=fake_clock.now() - outage))
    assert (pulse.health, pulse.down) == (Health(), 0.0)
    fake_clock.jump(after)
    pulse.says(DOWN)
    assert pulse.down == down


async def test_tries_are_spread_in_time_and_a_test_owns_how(fake_clock):
    class Never(RecordingAdapter):
        async def receive(self, inbox):
            tries.append(fake_clock.monotonic())
            raise NotReady("later")

    tries: list[float] = []
    gitu = Gitu(model=ECHO, plugins=[On(Never())], use=["*"], clock=fake_clock)
    async with gitu, anyio.create_task_group() as group:
        drawn = iter([0.0, 1.0, 0.5])
        gitu.house.channels.draw = lambda: next(drawn, 0.0)
        group.start_soon(gitu.serve)
        await until(lambda: tries)
        for _ in range(40):
            await fake_clock.advance(0.5)
        pauses = [round(later - earlier, 3) for earlier, later in pairwise(tries)]
        assert pauses[:3] == [1.0, 4.0, 6.0]  # of 2, 4 and 8 seconds
        group.cancel_scope.cancel()


CHILD = """
import sys
from pathlib import Path

import anyio

from gitu_core import Gitu
from gitu_core.gateway import channels, fallback
from gitu_core.model import Account, Delivery, Health
from gitu_core.testing import FunctionModel, RecordingAdapter
from gitu_core.testing.faults import from_environment
from tests.app.around import On, until

home = Path(sys.argv[1])
channels.EVERY = 0.05


class Line(RecordingAdapter):
    async def send(self, outgoing):
        if self.channel.name == "one":
            return Delivery("not_sent", retry_after=30.0)
        with (home / "seen").open("a") as seen:
            seen.write(outgoing.text.replace("\\n", " ") + "\\n")
        return Delivery("sent", ("1",))

    async def health(self):
        return Health("failed") if self.channel.name == "one" else Health()


async def main():
    one, two = Line("one"), Line("two")
    gitu = Gitu(model=FunctionModel(lambda r: "hm"), plugins=[On(one), On(two)], use=["*"], home=home)
    async with gitu, anyio.create_task_group() as group:
        group.start_soon(gitu.serve)
        if not (home / "said").exists():
            person = await gitu.house.store.person_for(Account("one", "ana"))
            await gitu.house.store.link(Account("two", "ana"), person.id)
            await two.say("/help")
            await until(lambda: (home / "seen").exists())
            await one.say("a question")
            await until(lambda: gitu.house.store.unsent())
            (home / "said").touch()
            from_environment()
        fallback.MOVE_AFTER = 0.1
        await until(lambda: "hm" in (home / "seen").read_text())
        await anyio.sleep(0.5)
        group.cancel_scope.cancel()


anyio.run(main)
"""


@pytest.mark.parametrize("point", ["outbox.moved", "writer.commit", "outbox.before"])
def test_a_process_that_dies_between_the_move_and_the_sending_neither_loses_nor_doubles(tmp_path, point):
    root = Path(__file__).parents[2]
    command = [sys.executable, "-c", CHILD, str(tmp_path)]
    for fault in (f"{point}:kill", ""):
        done = subprocess.run(command, cwd=root, env={**os.environ, VARIABLE: fault}, capture_output=True, timeout=60)
        assert done.returncode == (-signal.SIGKILL if fault else 0), done.stderr.decode()
    seen = (tmp_path / "seen").read_text().splitlines()
    assert len([line for line in seen if line.endswith(") hm")]) == 1


async def test_an_operator_sees_it_beside_the_running_process(fake_clock, tmp_path):
    one, two, time = Line("one"), Line("two"), Time(fake_clock)
    async with talking(fake_clock, one, two, home=tmp_path) as gitu:
        one.down = True
        await time.pass_by(2 * EVERY)
        board = gitu.house.channels.board
        seen = await board.seen("one")
        assert (seen.state, seen.detail, seen.hint, seen.runs) == ("failed", "the line is cut", "mend it", True)
    async with Gitu(model=ECHO, home=tmp_path, clock=fake_clock) as gitu:
        seen = await gitu.house.channels.board.seen("one")
        assert (seen.state, seen.runs) == ("failed", False)
        assert await gitu.house.channels.board.seen("three") is None
