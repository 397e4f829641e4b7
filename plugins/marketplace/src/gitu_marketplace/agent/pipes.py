"""A server that is a program: started without a shell, spoken to over its pipes, ended with the connection.

The library has a transport of its own for this. This one bounds what a line may hold, keeps reading what the program
complains about, and starts it in the group of the plugin's process, so that nothing outlives that.
"""

from __future__ import annotations

import contextlib
import os
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import anyio
from anyio.abc import ByteReceiveStream, Process

from gitu_core.errors import NotReady

if TYPE_CHECKING:
    from mcp.client._transport import TransportStreams
    from mcp.shared.message import SessionMessage

LONGEST, KEPT, GRACE = 4 << 20, 2_000, 2.0
"""Bytes of one message, characters of its complaints that are kept, seconds that it gets to end by itself."""

_KEEP = ("PATH", "LANG", "LC_ALL", "TZ", "HOME", "TMPDIR")


class Program:
    """How a server is started, and what is known of it afterwards: `why` it ended, what it complained about."""

    def __init__(self, command: list[str], env: dict[str, str], cwd: str) -> None:
        self._command, self._env, self._cwd = command, env, cwd
        self._said = deque[str](maxlen=8)
        self._why = ""
        self.over = anyio.Event()

    @property
    def why(self) -> str:
        """How it ended, in words."""
        said = " ".join("".join(self._said).split())[-300:]
        return f"{self._why or 'it ended'}{f'; it said: {said}' if said else ''}"

    @asynccontextmanager
    async def streams(self) -> AsyncIterator[TransportStreams]:
        """The two streams that the library speaks over."""
        from mcp.shared.message import SessionMessage

        base = {name: os.environ[name] for name in _KEEP if name in os.environ}
        try:
            process = await anyio.open_process(self._command, env=base | self._env, cwd=self._cwd)
        except (OSError, ValueError) as error:
            self._why = f"{self._command[0][:100]} could not be started: {error}"
            self.over.set()
            raise NotReady(self._why, hint="see whether that program is installed") from error
        into, incoming = anyio.create_memory_object_stream[SessionMessage | Exception](0)
        outgoing, out_of = anyio.create_memory_object_stream[SessionMessage](0)

        async def read() -> None:
            async with into:
                try:
                    async for line in _lines(process.stdout):
                        await into.send(_message(line))
                except _TooLong:
                    self._why = f"it sent more than {LONGEST >> 20} MiB at once"
                except (anyio.BrokenResourceError, anyio.ClosedResourceError):
                    pass
            self._why = self._why or "it ended the connection"
            self.over.set()

        async def write() -> None:
            assert process.stdin is not None
            async with out_of:
                with contextlib.suppress(anyio.BrokenResourceError, anyio.ClosedResourceError, OSError):
                    async for each in out_of:
                        text = each.message.model_dump_json(by_alias=True, exclude_unset=True)
                        await process.stdin.send(text.encode() + b"\n")

        async def listen() -> None:
            assert process.stderr is not None
            with contextlib.suppress(anyio.BrokenResourceError, anyio.ClosedResourceError):
                async for piece in process.stderr:
                    self._said.append(piece[-KEPT:].decode("utf-8", "replace"))

        async with anyio.create_task_group() as group:
            for task in (read, write, listen):
                group.start_soon(task)
            try:
                yield incoming, outgoing
            finally:
                with anyio.CancelScope(shield=True):
                    incoming.close()
                    outgoing.close()
                    await _end(process)
                self.over.set()
                group.cancel_scope.cancel()


class _TooLong(Exception):
    """A message was longer than anybody reads."""


async def _lines(stream: ByteReceiveStream | None) -> AsyncIterator[bytes]:
    assert stream is not None
    pieces, size = list[bytes](), 0
    async for piece in stream:
        *whole, rest = piece.split(b"\n")
        for line in whole:
            yield b"".join((*pieces, line))
            pieces, size = [], 0
        pieces.append(rest)
        size += len(rest)
        if size > LONGEST:
            raise _TooLong


def _message(line: bytes) -> SessionMessage | Exception:
    from mcp.shared.message import SessionMessage
    from mcp_types import jsonrpc_message_adapter

    try:
        return SessionMessage(jsonrpc_message_adapter.validate_json(line, by_name=False))
    except ValueError as error:
        return ValueError(f"no message of the protocol: {str(error)[:200]}")


async def _end(process: Process) -> None:
    with contextlib.suppress(OSError, anyio.BrokenResourceError):
        if process.stdin is not None:
            await process.stdin.aclose()
    with anyio.move_on_after(GRACE):
        while process.returncode is None:  # noqa: ASYNC110 - `wait` also waits for pipes that children hold
            await anyio.sleep(0.01)
    with contextlib.suppress(ProcessLookupError):
        if process.returncode is None:
            process.kill()
    with anyio.move_on_after(GRACE):
        while process.returncode is None:  # noqa: ASYNC110 - as above
            await anyio.sleep(0.01)
    for stream in (process.stdout, process.stderr):
        if stream is not None:
            await stream.aclose()
    # What its children hold open would keep it until the event loop is gone.
    process._process._transport.close()  # type: ignore[attr-defined]
