"""`gitu plugins trace`: every call of a hook, by whom, how long, and nothing of what was said."""

from __future__ import annotations

import json
from typing import Any

import anyio
import pytest

from gitu_core import Gitu, Message
from gitu_core.testing import ScriptedModel
from gitu_core.testing.workshop.trace import recording, short, table
from tests.cli.driver import Cli


class Plugin:
    """Listens, changes, refuses."""

    async def gitu_filter_message(self, message: Message) -> Message:
        return message

    def gitu_guard_message(self, message: Message) -> str | None:
        return "secret words" if "forbidden" in message.text else None

    def gitu_message_received(self, message: Message) -> None:
        raise ValueError("secret words")


@pytest.mark.parametrize("content", [False, True])
async def test_every_hook_is_seen_with_who_answered_and_what_it_gave(content: bool) -> None:
    with recording(content) as calls:
        async with Gitu(model=ScriptedModel(["Hello."]), plugins=[Plugin()], use=[]) as gitu:
            await gitu.send("Hello", user="ana")
            with pytest.raises(Exception, match="secret words"):
                await gitu.send("forbidden", user="ana")
    found = [(call.hook, call.mode, call.gave) for call in calls if call.mode != "provide"]
    assert found[:3] == [
        ("gitu_filter_message", "filter", "changed Message"),
        ("gitu_guard_message", "guard", "fine"),
        ("gitu_message_received", "observe", "raised ValueError"),
    ]
    assert found[-1] == ("gitu_guard_message", "guard", "refused")
    assert all(call.took >= 0 and call.plugin for call in calls)
    assert ("forbidden" in table(calls)) is content
    assert ("secret words" in table(calls)) is content


async def test_a_function_that_gives_something_to_wait_for_is_one_call_until_its_end() -> None:
    class Late:
        def gitu_guard_message(self, message: Message) -> Any:
            async def look() -> str:
                await anyio.sleep(0.02)
                return "no"

            return look()

    with recording() as calls:
        async with Gitu(model=ScriptedModel(["Hello."]), plugins=[Late()], use=[]) as gitu:
            with pytest.raises(Exception, match="no"):
                await gitu.send("Hello", user="ana")
    (call,) = [call for call in calls if call.hook == "gitu_guard_message"]
    assert call.gave == "refused"
    assert call.took >= 15


async def test_what_is_opened_outside_runs_the_plugins_own_functions() -> None:
    """Nothing is exchanged, and nothing is asked at a call, where nobody traces."""
    plugin = Plugin()
    with recording() as calls:
        pass
    async with Gitu(model=ScriptedModel(["Hello."]), plugins=[plugin], use=[]) as gitu:
        with recording() as late:
            await gitu.send("Hello", user="ana")
        (own,) = gitu.house.registry.hooks._calls["gitu_filter_message"]
    assert own.function == plugin.gitu_filter_message
    assert calls == late == []


@pytest.mark.parametrize(
    ("mode", "value", "said"),
    [("provide", [1, 2], "2 int"), ("provide", [], "0 objects"), ("filter", None, "as it was"), ("guard", None, "fine"),
     ("observe", None, "nothing")],
)  # fmt: skip
def test_what_it_gave_is_told_in_short(mode: str, value: object, said: str) -> None:
    assert short(mode, value) == said


def test_the_command_prints_a_table_and_the_answer(cli: Cli) -> None:
    out = cli.run("plugins", "trace", "Convert 5 miles to kilometres").stdout.splitlines()
    assert out[0].split() == ["hook", "plugin", "ms", "gave"]
    assert any(line.split()[:2] == ["gitu_tools", "basics"] for line in out)
    assert "8.04672" in out[-1]
    said = json.loads(cli.run("plugins", "trace", "--json", "Convert 5 miles to kilometres").stdout)
    assert {"gitu_tools", "gitu_model_providers"} <= {each["hook"] for each in said["calls"]}
    assert "enable" in cli.run("plugins", "--help").stdout, "the command of one word is still there"
