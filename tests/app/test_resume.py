"""An application that dies in the middle of a turn goes on with it in its next run."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from gitu_core import Gitu, SyncGitu, ToolContext, tool
from gitu_core.testing import FunctionModel, RecordingAdapter, ScriptedModel, call
from tests.app.around import on

pytestmark = pytest.mark.anyio
ROOT = Path(__file__).resolve().parents[2]

DIES = """
import os, signal, sys
import anyio
from gitu_core import Gitu, tool
from gitu_core.testing import ScriptedModel, call

@tool
def look() -> str:
    "Looks."
    return "seen"

@tool
def more() -> str:
    "Looks again."
    os.kill(os.getpid(), signal.SIGKILL)

async def main():
    async with Gitu(model=ScriptedModel([call("look"), call("more")]), tools=[look, more], home=sys.argv[1]) as gitu:
        await gitu.send("Look twice", user="anna", key="k")

anyio.run(main)
"""


@tool
def look() -> str:
    """Looks."""
    raise AssertionError("it was finished in the first run")


@tool
def more(ctx: ToolContext[str]) -> str:
    """Looks again."""
    return f"seen by {ctx.deps}"


def died(home: Path) -> None:
    """A run that ends in the middle of its turn."""
    ended = subprocess.run([sys.executable, "-c", DIES, str(home)], cwd=ROOT, timeout=60, check=False)
    assert ended.returncode == -signal.SIGKILL


async def test_what_was_left_is_finished_and_found_under_its_key(tmp_path):
    died(tmp_path)
    model = ScriptedModel([lambda request: f"all {request.messages[-1].text}"])
    async with Gitu(model=model, tools=[look, more], home=tmp_path, deps="me") as gitu:
        assert await gitu.resume() == 1
        reply = await gitu.send("Look twice", user="anna", key="k")
        assert reply.text == "all seen by me"
        assert await gitu.resume() == 0
    assert len(model.requests) == 1


def test_without_an_event_loop_as_well(tmp_path):
    died(tmp_path)
    model = ScriptedModel([lambda request: f"all {request.messages[-1].text}"])
    with SyncGitu(model=model, tools=[look, more], home=tmp_path, deps="me") as gitu:
        assert gitu.resume() == 1
        assert gitu.send("Look twice", user="anna", key="k").text == "all seen by me"


async def test_tools_get_the_applications_dependencies_on_channels_too():
    adapter = RecordingAdapter()
    model = FunctionModel(
        lambda request: call("more") if request.messages[-1].role == "user" else request.messages[-1].text
    )
    async with on(adapter, model, tools=[more], deps="them"):
        assert await adapter.talk("look") == "seen by them"
