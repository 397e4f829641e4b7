"""`gitu doctor` says how channels are, beside the process that runs them and after it ended."""

from __future__ import annotations

import json

import anyio
import pytest

from gitu_core.errors import NotReady
from gitu_core.model import Health
from gitu_core.testing import FunctionModel, RecordingAdapter
from tests.app.around import on, until
from tests.cli.driver import Cli

ECHO = FunctionModel(lambda request: f"you said {request.messages[-1].text}")


def doctor(cli: Cli) -> dict[str, dict[str, str]]:
    """What it found about the terminal, by what was looked at."""
    found = json.loads(cli.run("doctor", "--json").stdout)
    return {each["what"]: each for each in found if each["what"].startswith("channel terminal")}


def test_the_doctor_says_how_a_channel_is_and_how_it_was(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gitu_core.gateway.channels.EVERY", 0.05)
    adapter = RecordingAdapter("terminal")  # in the place of the one that takes over a terminal

    async def look() -> tuple[dict[str, dict[str, str]], dict[str, dict[str, str]]]:
        async with on(adapter, ECHO, home=cli.home) as gitu:
            await adapter.talk("hi")
            await until(lambda: gitu.house.channels.board.seen("terminal"))
            well = await anyio.to_thread.run_sync(doctor, cli)
            adapter.feel(Health("degraded", "the line is cut", "mend it"))
            await until(lambda: gitu.house.channels.health["terminal"].state == "degraded")
            await anyio.sleep(0.2)
            return well, await anyio.to_thread.run_sync(doctor, cli)

    well, ill = anyio.run(look)
    assert well["channel terminal runs"]["state"] == "ok"
    assert well["channel terminal runs"]["detail"].startswith("ok since ")
    found = ill["channel terminal runs"]
    assert (found["state"], found["hint"]) == ("warning", "mend it")
    assert found["detail"].startswith("degraded since ")
    assert found["detail"].endswith("the line is cut")
    after = doctor(cli)
    assert "channel terminal runs" not in after
    assert after["channel terminal ran"]["detail"].startswith("it does not run; when it did last: degraded since ")


def test_what_a_channel_raised_is_in_the_doctors_words(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    adapter = RecordingAdapter("terminal")

    async def fail() -> None:
        async with on(adapter, ECHO, home=cli.home) as gitu:
            await adapter.talk("hi")
            monkeypatch.setattr(gitu.house.channels, "draw", lambda: 1.0)
            adapter.break_off(NotReady("no network", hint="plug it in"))
            await until(lambda: gitu.house.channels.health["terminal"].state == "degraded")
            await gitu.house.channels.board.save(gitu.house.channels.board.pulses["terminal"])

    anyio.run(fail)
    found = doctor(cli)["channel terminal ran"]
    assert (found["state"], found["hint"]) == ("warning", "plug it in")
    assert "no network" in found["detail"]
