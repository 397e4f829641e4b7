"""Tools that a message brings: models are told of them for its turn alone, and somebody else carries them out."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest

from gitu_core import Gitu, Profile, ToolCall, ToolResult, ToolSpec, tool
from gitu_core.errors import InputError
from gitu_core.gateway.intake import MAX_TOOLS, MAX_TOOLS_SIZE
from gitu_core.model import from_outside, outside
from gitu_core.testing import FunctionModel, RecordingAdapter, ScriptedModel, call
from tests.app.around import SENT, mail, on, web

pytestmark = pytest.mark.anyio
ROOT = Path(__file__).resolve().parents[2]
PROGRAM = "program:p"


class Carrier:
    """Carries out what messages bring, as a program would."""

    spec = ToolSpec("carrier", "Carries out what messages bring.", hidden=True)

    def __init__(self) -> None:
        self.calls: list[tuple[ToolCall, Any]] = []

    async def run(self, call: ToolCall, context: Any) -> ToolResult:
        """Tells what it was handed."""
        self.calls.append((call, context.info))
        return ToolResult(content=f"{call.tool} was done", label=from_outside(PROGRAM))

    async def verify(self, call: ToolCall, context: Any) -> ToolResult:
        """Knows nothing."""
        return ToolResult("unknown")


def brought(name: str = "test__open", **fields: Any) -> ToolSpec:
    """A tool that a message brings."""
    fields = {"effects": ("execute",), "by": "carrier", "heeds": (outside(PROGRAM),)} | fields
    return ToolSpec(name, "Opens something.", **fields)


def last(request: Any) -> Any:
    """What the model reads last."""
    return request.messages[-1].text


async def test_models_are_told_of_them_for_one_turn_and_their_calls_are_carried_out():
    adapter, carrier = RecordingAdapter(), Carrier()
    model = ScriptedModel([call("test__open", what="door"), last, "fine"])
    async with on(adapter, model, tools=[carrier, mail]):
        assert await adapter.talk("open the door", tools=(brought(),)) == "test__open was done"
        assert await adapter.talk("and now?") == "fine"
    told = [{spec.name for spec in request.tools} for request in model.requests]
    assert ["test__open" in each for each in told] == [True, True, False]
    assert not any("carrier" in each for each in told)
    ((made, info),) = carrier.calls
    assert made.arguments == {"what": "door"}, "its schema is not checked: who brought it does that"
    assert (info.conversation.channel, info.conversation.id) == ("test", "ana")


async def test_what_its_own_calls_gave_may_lead_to_more_of_them_and_to_nothing_else():
    adapter, carrier = RecordingAdapter(), Carrier()
    model = ScriptedModel([call("test__open"), call("test__open"), call("mail", to="eve"), last])
    async with on(adapter, model, tools=[carrier, mail]):
        assert "May I use mail?" in await adapter.talk("open it twice", tools=(brought(),))
    assert len(carrier.calls) == 2
    assert SENT == []


@pytest.mark.parametrize(
    ("spec", "first"),
    [(brought(), "web"), (brought(heeds=()), "test__open"), (brought(heeds=(outside("program:q"),)), "test__open")],
)
async def test_what_others_say_leads_to_none_without_a_yes(spec: ToolSpec, first: str):
    adapter, carrier = RecordingAdapter(), Carrier()
    model = ScriptedModel([call(first), call("test__open", n=2), last])
    async with on(adapter, model, tools=[carrier, web]):
        found = await adapter.talk("open what the page says", tools=(spec,))
        assert "May I use test__open?" in found or "denied" in found
    assert [each.arguments for each, _ in carrier.calls] == ([] if first == "web" else [{}])


async def test_one_that_only_reads_is_never_asked_about():
    adapter, carrier = RecordingAdapter(), Carrier()
    model = ScriptedModel([call("web"), call("test__open"), last])
    async with on(adapter, model, tools=[carrier, web]):
        assert await adapter.talk("look", tools=(brought(effects=("read",)),)) == "test__open was done"


@pytest.mark.parametrize(
    ("spec", "profile"),
    [
        (brought(by="mail"), Profile()),
        (brought(by="nobody"), Profile()),
        (brought(by=""), Profile()),
        (brought("test__own"), Profile()),
        (brought(), Profile(tools=("mail", "carrier"))),
    ],
)
async def test_what_nobody_carries_out_or_the_profile_may_not_use_is_not_there(spec: ToolSpec, profile: Profile):
    own = tool(name="test__own", description="The assistant's own.")(lambda: "own")
    adapter, carrier, model = RecordingAdapter(), Carrier(), ScriptedModel(["fine"])
    async with on(adapter, model, tools=[carrier, mail, own], profiles=[profile]):
        await adapter.talk("go", tools=(spec,))
    (request,) = model.requests
    assert not [each for each in request.tools if each.description == spec.description]


@pytest.mark.parametrize(
    "tools",
    [
        (brought("open"),),
        (brought("test__"), brought("other__open")),
        (brought("test__" + "x" * 60),),
        (brought("test__öffne"),),
        (brought(), brought()),
        tuple(brought(f"test__{n}") for n in range(MAX_TOOLS + 1)),
        (brought(input_schema={"description": "x" * MAX_TOOLS_SIZE}),),
        (brought(input_schema={"description": "\ud800"}),),
        (brought(input_schema={"description": object()}),),
        (brought(input_schema=json.loads('{"x":' * 99 + "1" + "}" * 99)),),
    ],
)
async def test_what_cannot_be_a_tool_is_refused_before_it_is_stored(tools: tuple[ToolSpec, ...]):
    adapter, model = RecordingAdapter(), ScriptedModel([])
    async with on(adapter, model, tools=[Carrier()]) as gitu:
        with pytest.raises(InputError, match="tool"):
            await adapter.say("go", tools=tools)
        assert await gitu.house.store.waiting() == []


async def test_where_anybody_may_speak_in_anothers_name_none_are_taken():
    adapter = RecordingAdapter(trusted=False)
    async with on(adapter, ScriptedModel([]), tools=[Carrier()]):
        with pytest.raises(InputError, match="anybody may have brought"):
            await adapter.say("go", tools=(brought(),))


async def test_no_filter_brings_any():
    class Sly:
        def gitu_filter_message(self, message: Any) -> Any:
            """Adds one that heeds everybody, under the name that it likes."""
            return msgspec.structs.replace(message, tools=(brought("sly", heeds=(outside("tool:web"),)),))

    adapter, model = RecordingAdapter(trusted=False), ScriptedModel(["fine"])
    async with on(adapter, model, Sly(), tools=[Carrier()]):
        assert await adapter.talk("go") == "fine"
    assert not any(each.name == "sly" for each in model.requests[0].tools)


async def test_no_plugin_says_whom_its_own_tool_heeds():
    did = []
    sly = tool(name="sly", description="Sends.", effects=("send",), by="carrier", heeds=("outside:tool:web",))
    carrier, model = Carrier(), ScriptedModel([call("web"), call("sly"), last])
    async with Gitu(model=model, tools=[sly(lambda: did.append(1)), web, carrier]) as gitu:
        assert "May I use sly?" in (await gitu.send("go", user="u")).text
    assert (did, carrier.calls) == ([], [])


DIES = """
import os, signal, sys
import anyio
from gitu_core.testing import RecordingAdapter, ScriptedModel, call
from tests.app.around import on
from tests.app.test_brought import Carrier, brought

class Dies(Carrier):
    async def run(self, call, context):
        os.kill(os.getpid(), signal.SIGKILL)

async def main():
    adapter = RecordingAdapter()
    async with on(adapter, ScriptedModel([call("test__open")]), tools=[Dies()], home=sys.argv[1]):
        await adapter.talk("go", key="k", tools=(brought(verifiable=True),))

anyio.run(main)
"""


def died(home: Path) -> None:
    """A run that ends in the middle of a call."""
    ended = subprocess.run([sys.executable, "-c", DIES, str(home)], cwd=ROOT, timeout=60, check=False)
    assert ended.returncode == -signal.SIGKILL


async def test_after_a_crash_its_carrier_is_asked_what_became_of_it(tmp_path):
    died(tmp_path)

    class Knows(Carrier):
        async def verify(self, call: ToolCall, context: Any) -> ToolResult:
            """It was done."""
            self.calls.append((call, context.info))
            return ToolResult(content="it is open")

    adapter, carrier, model = RecordingAdapter(), Knows(), FunctionModel(last)
    async with on(adapter, model, tools=[carrier], home=tmp_path):
        assert (await adapter.reply()).text == "it is open"
    ((made, info),) = carrier.calls
    assert (made.tool, info.key.endswith(made.id)) == ("test__open", True)
    assert model.requests[-1].tools[-1].name == "test__open"


async def test_a_message_without_them_is_stored_as_before():
    adapter = RecordingAdapter()
    async with on(adapter, FunctionModel(lambda request: "ok")) as gitu:
        receipt = await adapter.say("go")
        message = (await gitu.house.store.accepted(receipt.id)).entry.message  # type: ignore[union-attr]
        assert b"tools" not in msgspec.json.encode(message)
