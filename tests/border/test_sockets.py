"""The same contract with a real child process at the other end, and streams that lie about their length."""

from __future__ import annotations

import contextlib
import os
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio
import anyio.lowlevel
import pytest

from gitu_core.border.peer import Peer
from gitu_core.border.sockets import READ_AHEAD, SocketTransport, open_socket
from gitu_core.contracts import Claim, MemoryStore
from gitu_core.errors import BorderError, GituError, NotReady, Unknown

pytestmark = pytest.mark.anyio

CHILD = """
import socket, sys, anyio
from gitu_core.border.peer import Peer
from gitu_core.border.sockets import open_socket
from gitu_core.contracts import MemoryStore
from tests.border.toys import ToyMemory

class Slow(ToyMemory):
    async def delete(self, ids):
        await anyio.sleep_forever()

async def main():
    transport = await open_socket(socket.socket(fileno=int(sys.argv[1])))
    async with Peer(transport, offer=Slow(), protocol=MemoryStore) as peer:
        await peer.closed.wait()

anyio.run(main)
"""


@asynccontextmanager
async def child() -> AsyncIterator[tuple[Peer, anyio.abc.Process]]:
    """A process that offers a memory store over a socket pair."""
    ours, theirs = socket.socketpair()
    command = [sys.executable, "-c", CHILD, str(theirs.fileno())]
    process = await anyio.open_process(
        command, pass_fds=[theirs.fileno()], env={**os.environ, "PYTHONPATH": os.getcwd()}, stderr=sys.stderr
    )
    theirs.close()
    async with process, Peer(await open_socket(ours)) as peer:
        yield peer, process


async def test_a_memory_store_in_a_child_process() -> None:
    """Calls, streams and ten megabytes; the child ends by itself when the connection does."""
    async with child() as (peer, process):
        memory = peer.remote(MemoryStore)
        claims = [Claim(str(n), "ann", "é" * 500_000) for n in range(10)]
        for claim in claims:
            await memory.put([claim])
        assert [claim async for claim in memory.export("ann")] == claims
        assert memory.name == "toy"
    assert process.returncode == 0


async def test_a_child_that_dies_leaves_its_calls_unknown() -> None:
    """And whatever is called later was never sent."""
    failed: list[GituError] = []
    async with child() as (peer, process):
        memory = peer.remote(MemoryStore)

        async def call() -> None:
            try:
                await memory.delete(["1"])
            except GituError as error:
                failed.append(error)

        async with anyio.create_task_group() as group:
            group.start_soon(call)
            await anyio.sleep(0.05)
            process.kill()
        assert [type(error) for error in failed] == [Unknown]
        with pytest.raises(NotReady):
            await memory.get(["1"])


async def raw(limit: int = 100) -> tuple[socket.socket, SocketTransport]:
    """A socket, and a transport at its other end."""
    mine, its = socket.socketpair()
    mine.settimeout(5)
    return mine, await open_socket(its, limit)


async def test_chunks_keep_their_boundaries_however_the_bytes_arrive() -> None:
    """One byte at a time, two chunks at once, an empty one."""
    mine, transport = await raw()
    await transport.send(b"abc")
    assert mine.recv(100) == b"\0\0\0\3abc"
    async with anyio.create_task_group() as group:

        async def write() -> None:
            for byte in b"\0\0\0\2hi":
                mine.send(bytes([byte]))
                await anyio.sleep(0.001)
            mine.send(b"\0\0\0\1x\0\0\0\0\0\0\0\1y")

        group.start_soon(write)
        assert [await transport.receive() for _ in range(4)] == [b"hi", b"x", b"", b"y"]
    await transport.aclose()
    await anyio.sleep(0.01)
    assert mine.recv(100) == b""
    mine.close()


async def test_a_truncated_chunk_is_the_end_and_a_huge_one_is_refused() -> None:
    """Before anything of it is kept. What came whole before is still read."""
    mine, transport = await raw()
    mine.send(b"\0\0\0\1x\0\0\0\7abc")
    mine.close()
    assert await transport.receive() == b"x"
    with pytest.raises(anyio.EndOfStream):
        await transport.receive()
    mine, transport = await raw()
    mine.send(b"\xff\xff\xff\xffabc")
    with pytest.raises(BorderError, match="announced"):
        await transport.receive()
    mine.close()


async def test_the_first_chunk_of_a_round_leaves_at_once_and_the_next_wait_for_each_other() -> None:
    """So that a call costs no detour, and many of them one."""
    mine, transport = await raw()
    assert transport.send_nowait(b"one")
    assert not transport.send_nowait(b"two")
    assert mine.recv(100) == b"\0\0\0\3one"
    await anyio.lowlevel.checkpoint()
    assert transport.send_nowait(b"three")
    await transport.aclose()
    mine.close()


async def test_who_does_not_read_is_waited_for_and_who_is_not_read_is_held_back() -> None:
    """Neither side keeps what the other does not take."""
    mine, transport = await raw(1 << 20)
    mine.setblocking(False)
    with anyio.move_on_after(0.2) as waited:
        for _ in range(1_000):
            await transport.send(b"x" * (1 << 16))
    assert waited.cancelled_caught
    sent = 0
    with anyio.move_on_after(0.5), contextlib.suppress(BlockingIOError):
        for _ in range(10_000):
            mine.setblocking(False)
            sent += mine.send(b"\0\0\x10\0" + b"y" * 4096)
            await anyio.lowlevel.checkpoint()
    assert sent < READ_AHEAD * 2
    await transport.aclose()
    mine.close()
    with pytest.raises(anyio.BrokenResourceError):
        await transport.send(b"z")
