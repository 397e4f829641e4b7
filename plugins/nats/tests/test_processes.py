"""Workers in processes of their own: they share lanes, and the work of one that is killed goes to another."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import anyio.abc
import pytest

from .around import Crew, until
from .servers import Node

pytestmark = pytest.mark.slow

SCRIPT = str(Path(__file__).with_name("worker.py"))


class Far:
    """A worker in another process, and what it said."""

    def __init__(self, process: anyio.abc.Process) -> None:
        self.process = process
        self.said: Counter[str] = Counter()

    async def listen(self) -> None:
        """Hears it until it ends."""
        assert self.process.stdout is not None
        rest = b""
        async for data in self.process.stdout:
            *lines, rest = (rest + data).split(b"\n")
            self.said.update(line.decode() for line in lines)

    async def end(self) -> None:
        """Lets it close and waits for that."""
        assert self.process.stdin is not None
        await self.process.stdin.aclose()
        with anyio.fail_after(15):
            assert await self.process.wait() == 0


@asynccontextmanager
async def far(node: Node, **config: Any):
    """One of them, connected."""
    command = [sys.executable, SCRIPT, json.dumps({"servers": [node.url], **config})]
    async with await anyio.open_process(command, stderr=None) as process, anyio.create_task_group() as group:
        found = Far(process)
        group.start_soon(found.listen)
        try:
            await until(lambda: found.said["up"], 20)
            yield found
        finally:
            if process.returncode is None:
                process.kill()


async def test_processes_share_lanes_and_hand_them_on_when_they_close(crew: Crew, node: Node) -> None:
    gate = anyio.Event()

    async def wait(lane: str) -> None:
        await gate.wait()

    async with AsyncExitStack() as stack:
        others = [await stack.enter_async_context(far(node, seconds=0.01)) for _ in range(3)]
        here = await crew.worker(node.url, work=wait, max_turns=1)
        for number in range(200):
            await here.dispatcher.wake(f"lane-{number}")

        def done(lane: str) -> int:
            return here.began[lane] + sum(each.said[f"done {lane}"] for each in others)

        await until(lambda: all(done(f"lane-{number}") == 1 for number in range(200)), 20)
        assert all(each.said.total() > 20 for each in others)
        await here.dispatcher.wake("@notice")
        await until(lambda: all(each.said["done @notice"] == 1 for each in others))
        gate.set()
        for each in others:
            await each.end()


async def test_the_work_of_a_process_that_is_killed_goes_to_another_after_ack_wait(crew: Crew, node: Node) -> None:
    async with far(node, seconds=60, ack_wait=2) as victim:
        waker = await crew.worker(node.url, max_turns=1, ack_wait=2)
        await waker.dispatcher.close(0)  # takes nothing itself
        import nats

        client = await nats.connect(node.url)
        await client.jetstream().publish("gitu.lane.a", b"a")
        await until(lambda: victim.said["began a"])
        await anyio.sleep(3)
        other = await crew.worker(node.url, ack_wait=2)
        assert not other.began, "it lives, however long it takes"
        began = anyio.current_time()
        victim.process.kill()
        await until(lambda: other.done["a"])
        assert anyio.current_time() - began < 4
        await client.close()


async def test_a_process_that_was_paused_does_no_harm(crew: Crew, node: Node) -> None:
    """Its lane goes to another; when it wakes up it finishes what the store will refuse, and works on."""
    async with far(node, seconds=1, ack_wait=1) as sleeper:
        import nats

        client = await nats.connect(node.url)
        await client.jetstream().publish("gitu.lane.a", b"a")
        await until(lambda: sleeper.said["began a"])
        os.kill(sleeper.process.pid, 19)
        other = await crew.worker(node.url, ack_wait=1)
        await until(lambda: other.done["a"])
        os.kill(sleeper.process.pid, 18)
        await until(lambda: sleeper.said["done a"])
        await other.dispatcher.close(0)
        await client.jetstream().publish("gitu.lane.b", b"b")
        await until(lambda: sleeper.said["done b"], 20)
        await client.close()
        await sleeper.end()


async def test_nothing_is_imported_before_it_is_used() -> None:
    code = "import sys, gitu_nats.dispatcher; print('nats' in sys.modules)"
    found = await anyio.run_process([sys.executable, "-c", code], stderr=subprocess.STDOUT)
    assert found.stdout.decode().strip() == "False"
