"""What plugins print while they come to life goes to the error stream; what others print does not."""

from __future__ import annotations

import contextvars
import io
import sys
import threading

import anyio
import pytest

from gitu_core.registry.aside import aside
from tests.registry.conftest import Make, Site

pytestmark = pytest.mark.anyio

NOISY = """
import logging, sys, threading
from gitu_core import tool

print("noise: import")
kept = logging.StreamHandler(sys.stdout)

@tool
def wave() -> str:
    "Says wave."
    return "wave"

def gitu_tools(host):
    print("noise: tools")
    sys.stdout.write("noise: written\\n")
    return [wave]

async def gitu_start(host):
    print("noise: start")

def gitu_stop(host):
    print("noise: stop")
"""


async def test_a_noisy_plugin_leaves_standard_output_alone(
    site: Site, make: Make, capsys: pytest.CaptureFixture[str]
) -> None:
    site.install("noisy", NOISY, manifest=None)
    registry = make()
    before = sys.stdout
    await registry.start()
    await registry.get("tool", "wave")
    await registry.stop()
    assert sys.stdout is before
    said = capsys.readouterr()
    assert said.out == ""
    for word in ("import", "tools", "written", "start", "stop"):
        assert f"noise: {word}" in said.err
    print("mine", file=sys.modules["x_noisy"].kept.stream)
    assert capsys.readouterr().out == "mine\n"


async def test_other_tasks_and_threads_print_where_they_always_do(capsys: pytest.CaptureFixture[str]) -> None:
    inside, leave = anyio.Event(), anyio.Event()

    async def plugin() -> None:
        with aside():
            inside.set()
            await leave.wait()
            print("plugin")
            await anyio.to_thread.run_sync(print, "its thread")

    async with anyio.create_task_group() as group:
        group.start_soon(plugin)
        await inside.wait()
        print("task")
        thread = threading.Thread(target=contextvars.Context().run, args=(print, "thread"))
        thread.start()
        thread.join()
        leave.set()
    said = capsys.readouterr()
    assert (said.out, said.err) == ("task\nthread\n", "plugin\nits thread\n")


def test_nested_and_overlapping_uses_put_the_stream_back_once(capsys: pytest.CaptureFixture[str]) -> None:
    before = sys.stdout
    with aside(), aside():
        print("in")
    assert sys.stdout is before
    assert capsys.readouterr().err == "in\n"


def test_a_stream_that_somebody_else_put_there_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    other = io.StringIO()
    with aside():
        monkeypatch.setattr(sys, "stdout", other)
        print("theirs")
    assert sys.stdout is other
    assert other.getvalue() == "theirs\n"


@pytest.mark.parametrize("missing", ["stdout", "stderr"])
def test_a_process_without_a_console_prints_nothing_and_fails_nowhere(
    monkeypatch: pytest.MonkeyPatch, missing: str
) -> None:
    kept = io.StringIO()
    monkeypatch.setattr(sys, "stdout", kept)
    monkeypatch.setattr(sys, missing, None)
    with aside():
        print("x")
    assert sys.stdout is (None if missing == "stdout" else kept)
