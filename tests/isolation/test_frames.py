"""A plugin that writes to the connection of its worker by itself: its host goes on, and everybody else is answered."""

from __future__ import annotations

import os
import time
from types import SimpleNamespace
from typing import Any

import anyio
import pytest

from tests.isolation.conftest import Open, fenced, plugin
from tests.isolation.test_hostile import caught
from tests.registry.conftest import Site

pytestmark = [pytest.mark.anyio, fenced]


def body(attack: str) -> str:
    """The code of a tool that knows the number of its own connection from what it was started with."""
    return f"""
import json, struct, sys
task = json.loads(open("/proc/self/cmdline", "rb").read().split(b"\\0")[-2])
line = task["socket"]
os.set_blocking(line, True)
def raw(data, length=None):
    left = memoryview(struct.pack(">I", len(data) if length is None else length) + data)
    while left:
        left = left[os.write(line, left):]
def frame(*parts):
    raw(json.dumps(parts).encode())
{attack}
await asyncio.sleep(0.5)
return "done"
"""


BREAKS = {
    "not UTF-8": r'raw(b"\xff\xfe[1]")',
    "truncated": """raw(b'["call",1,0')""",
    "nothing": 'raw(b"")',
    "nested": 'raw(b"[" * 1_000_000)',
    "nested values": """raw(b'["result",1,' + b"[" * 1_000_000 + b"]" * 1_000_000 + b"]")""",
    "another greeting": 'frame("hello", 1, {})',
    "NaN": """raw(b'["result",1,NaN]')""",
    "a huge number": """raw(b'["result",1' + b"0" * 5000 + b',1]')""",
    "a huge exponent": """raw(b'["credit",1e999999,1]')""",
    "a kind that does not exist": 'frame("own", 1)',
    "oversize": 'raw(b"x" * 10, 1 << 31)',
    "a number twice": """
one = json.dumps(("call", 900001, 0, "breach", {}, -1)).encode()
os.write(line, (struct.pack(">I", len(one)) + one) * 50)""",
    "a flood of results": 'for n in range(9000):\n    frame("result", n + 10_000_000, 1)',
    "a flood of cancels": 'for n in range(9000):\n    frame("cancel", n)',
    "a flood of credits": 'for n in range(9000):\n    frame("credit", n, 1 << 62)',
    "a flood of bytes": """
import time
one, ends = json.dumps(("result", 10_000_000, "x" * (15 << 20))).encode(), time.monotonic() + 25
while time.monotonic() < ends:  # until it is cut off; it answers when it is asked whether it lives
    raw(one)
    await asyncio.sleep(0)""",
}


@pytest.mark.parametrize("how", BREAKS)
async def test_nonsense_ends_the_worker_and_nothing_else(
    site: Site, opened: Open, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if how == "a flood of bytes":  # on a machine under load no plugin sends as much a second: it gets more time for it
        slow = SimpleNamespace(monotonic=lambda: time.monotonic() / 10)
        monkeypatch.setattr("gitu_core.border.peer.time", slow)
    plugin(site, "liar", body(BREAKS[how]))
    before = len(os.listdir("/proc/self/fd"))
    await caught(opened, "liar", "it broke the protocol")
    assert len(os.listdir("/proc/self/fd")) <= before + 20


BEARS = {
    "answers to nobody": 'for n in (0, -1, 1 << 62, 77):\n    frame("result", n, 1)\n    frame("item", n, 1)',
    "calls that do not exist": 'for n in range(30):\n    frame("call", 800000 + n, n, "no", {})',
    "a method that is none": 'frame("call", 800000, 0, "__init__", {})\nframe("call", 800001, 0, "host", {})',
    "causes that do not exist": 'for n in range(30):\n    frame("call", 800000 + n, 0, "breach", {"what": 1}, 0, -n)',
    "streams that never flow": 'for n in range(500):\n    frame("call", 800000 + n, 0, "breach", {}, -1)',
    "objects that are not its own": 'for n in range(30):\n    frame("release", n, 1 << 62)',
    "a bomb of braces": """raw(b'["call",800000,0,"breach",' + b'{"what":' * 400 + b"1" + b"}" * 400 + b"]")""",
    "descriptors": "for _ in range(50):\n    whole = struct.pack('>I', 18) + b'[\"cancel\", 900100]'\n"
    "    try:\n        socket.send_fds(socket.socket(fileno=os.dup(line)), [whole], [0, 1, 2, line] * 10)\n"
    "    except OSError:\n        pass",
}


@pytest.mark.parametrize("how", BEARS)
async def test_what_names_nothing_changes_nothing(site: Site, opened: Open, how: str) -> None:
    plugin(site, "odd", body(BEARS[how]))
    async with opened("odd") as house:
        before = len(os.listdir("/proc/self/fd"))
        replies: list[Any] = []

        async def ask() -> None:
            replies.append(await house.ask("odd"))

        with anyio.fail_after(20):
            async with anyio.create_task_group() as group:
                group.start_soon(ask)
                for _ in range(5):
                    assert await house.sum() == "5"
        assert replies[0].results[0].content == "done", replies[0].results
        assert await house.sum() == "5"
        assert len(os.listdir("/proc/self/fd")) <= before + 20  # none of those that were sent arrived


async def test_a_worker_answers_in_place_of_another_call_and_only_its_own_are_wrong(site: Site, opened: Open) -> None:
    """Both calls are its own: what it says in one it could say in the other."""
    plugin(site, "swapper", body('for n in range(200):\n    frame("result", n, {"status": "ok", "content": "forged"})'))
    plugin(site, "honest", 'await asyncio.sleep(0.3)\nreturn "mine"')
    async with opened("swapper", "honest") as house:
        said: dict[str, Any] = {}

        async def ask(tool: str, user: str) -> None:
            said[user] = (await house.ask(tool, user)).results[0].content

        async with anyio.create_task_group() as group:
            group.start_soon(ask, "honest", "bo")
            group.start_soon(ask, "swapper", "ana")
        assert said["bo"] == "mine"
        assert said["ana"] in ("forged", "done")


@pytest.mark.parametrize("cut", [1, 3, 4, 5, 30])
async def test_a_worker_that_dies_within_a_frame_is_started_again(site: Site, opened: Open, cut: int) -> None:
    attack = f"""
data = struct.pack(">I", 40) + b'["result",1,"xxxxxxxxxxxxxxxxxxxxxxxxx"]'
os.write(line, data[:{cut}])
os.kill(os.getpid(), 9)
"""
    plugin(site, "dying", body(attack))
    async with opened("dying") as house:
        reply = await house.ask("dying")
        assert not reply.results or reply.results[0].status in ("unknown", "error")
        assert await house.sum() == "5"
