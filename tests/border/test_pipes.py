"""The same contract with a real child process at the other end, and streams that lie about their length."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio
import pytest
from anyio.abc import UNIXSocketStream
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream

from gitu_core.border.peer import Peer
from gitu_core.border.pipes import PipeTransport
from gitu_core.contracts import Claim, MemoryStore
from gitu_core.errors import BorderError, GituError, NotReady, Unknown

pytestmark = pytest.mark.anyio

CHILD = """
import socket, sys, anyio
from anyio.abc import UNIXSocketStream
from gitu_core.border.peer import Peer
from gitu_core.border.pipes import PipeTransport
from gitu_core.contracts import MemoryStore
from tests.border.toys import ToyMemory

class Slow(ToyMemory):
    async def delete(self, ids):
        await anyio.sleep_forever()

async def main():
    stream = await UNIXSocketStream.from_socket(socket.socket(fileno=int(sys.argv[1])))
    async with Peer(PipeTransport(stream, stream), offer=Slow(), protocol=MemoryStore) as peer:
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
    async with process:
        stream = await UNIXSocketStream.from_socket(ours)
        async with Peer(PipeTransport(stream, stream)) as peer:
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


def raw() -> tuple[MemoryObjectSendStream[bytes], MemoryObjectReceiveStream[bytes], PipeTransport]:
    """What is written to the first arrives at the transport; what the transport sends, at the second."""
    to_it, its_in = anyio.create_memory_object_stream[bytes](10)
    its_out, from_it = anyio.create_memory_object_stream[bytes](10)
    return to_it, from_it, PipeTransport(its_in, its_out, limit=100)  # type: ignore[arg-type]


async def test_chunks_keep_their_boundaries_however_the_bytes_arrive() -> None:
    """One byte at a time, two chunks at once, an empty one."""
    to_it, from_it, transport = raw()
    await transport.send(b"abc")
    assert await from_it.receive() == b"\0\0\0\3abc"
    async with anyio.create_task_group() as group:

        async def write() -> None:
            for byte in b"\0\0\0\2hi":
                await to_it.send(bytes([byte]))
            await to_it.send(b"\0\0\0\1x\0\0\0\0\0\0\0\1y")

        group.start_soon(write)
        assert [await transport.receive() for _ in range(4)] == [b"hi", b"x", b"", b"y"]
    await transport.aclose()


async def test_a_truncated_chunk_is_the_end_and_a_huge_one_is_refused() -> None:
    """Before anything of it is read."""
    to_it, _, transport = raw()
    await to_it.send(b"\0\0\0\7abc")
    await to_it.aclose()
    with pytest.raises(anyio.EndOfStream):
        await transport.receive()
    to_it, _, transport = raw()
    await to_it.send(b"\xff\xff\xff\xffabc")
    with pytest.raises(BorderError, match="announced"):
        await transport.receive()
