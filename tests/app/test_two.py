"""Two processes that embed an assistant on one database: each works on what somebody waits for there, in turn."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import anyio
import pytest

from gitu_core import Gitu
from gitu_core.model import Answer
from gitu_core.testing import FunctionModel, call
from tests.app.around import SENT, mail, until, web

pytestmark = pytest.mark.anyio
ROOT = Path(__file__).resolve().parents[2]


class Gate:
    """A model that answers when it is let go."""

    def __init__(self, text: str) -> None:
        self.text, self.asked, self.go = text, anyio.Event(), anyio.Event()

    async def __call__(self, request):
        if "slow" in request.messages[-1].text:
            self.asked.set()
            await self.go.wait()
        return self.text


async def both(home, one, two, **options):
    """Two assistants on one database that know of each other."""
    first, second = Gitu(model=one, home=home, **options), Gitu(model=two, home=home, **options)
    return first, second


async def test_who_lets_a_user_go_leaves_them_to_the_other(tmp_path):
    first, second = await both(tmp_path, FunctionModel(lambda r: "one"), FunctionModel(lambda r: "two"))
    async with first, second:
        assert (await first.send("hi", user="u")).text == "one"
        with anyio.fail_after(5):
            assert (await second.send("hi", user="u")).text == "two"


async def test_what_somebody_waits_for_is_worked_on_there_with_all_they_asked_for(tmp_path):
    gate = Gate("7")
    first, second = await both(tmp_path, FunctionModel(gate), FunctionModel(lambda r: "5"))
    async with first, second, anyio.create_task_group() as group:
        group.start_soon(lambda: first.send("slow", user="u"))
        await gate.asked.wait()
        found = []

        async def ask():
            found.append(await second.send("a number", user="u", output=int))

        group.start_soon(ask)
        await anyio.sleep(0.5)
        assert found == [], "one after the other"
        gate.go.set()
        await until(lambda: found)
        assert found[0].data == 5


async def test_an_answer_given_in_one_process_to_a_question_of_the_other_ends_for_both(tmp_path):
    SENT.clear()

    def answer(request):
        last = request.messages[-1]
        if last.role == "user":
            return call("web") if "park" in last.text else "fine"
        return call("mail", to="bob") if "outside" in last.text else f"done: {last.text}"

    first, second = await both(tmp_path, FunctionModel(answer), FunctionModel(answer), tools=[mail, web])
    async with first, second:
        assert (await first.send("park", user="u")).status == "waiting"
        asked = (await second.approvals("u"))[0]
        with anyio.fail_after(10):
            reply = await second.send([Answer(asked.id, "yes")], user="u")
        assert reply.text == "done: sent"
        assert second.house.gateway._followers == {}
        assert second.house.gateway._jobs == {}
    assert SENT == ["bob"]


DIES = """
import sys, anyio
from gitu_core import Gitu
from gitu_core.testing import FunctionModel

async def hangs(request):
    print("asked", flush=True)
    await anyio.sleep_forever()

async def main():
    async with Gitu(model=FunctionModel(hangs), home=sys.argv[1]) as gitu:
        await gitu.send("hi", user="u", key="K")

anyio.run(main)
"""


async def test_the_same_key_in_another_process_is_taken_over_when_the_first_dies(tmp_path):
    process = subprocess.Popen([sys.executable, "-c", DIES, str(tmp_path)], cwd=ROOT, stdout=subprocess.PIPE, text=True)  # noqa: ASYNC220
    assert process.stdout is not None
    assert process.stdout.readline() == "asked\n"
    found = []
    async with Gitu(model=FunctionModel(lambda r: "two"), home=tmp_path) as gitu, anyio.create_task_group() as group:

        async def ask():
            found.append(await gitu.send("hi", user="u", key="K"))

        group.start_soon(ask)
        await anyio.sleep(1.2)
        assert found == [], "the first one works on it"
        os.kill(process.pid, signal.SIGKILL)
        process.communicate()
        await until(lambda: found, 10)
    assert found[0].text == "two"
