"""Reads lines from standard input; blocks no event loop and loses no line to a cancellation."""

from __future__ import annotations

import math
import os
import threading
from typing import IO, Any

import anyio
from anyio import from_thread, lowlevel

CHUNK = 1 << 16
"""How many bytes are read at once."""


class LineReader:
    """Lines of a stream, each read only when it is asked for.

    A daemon thread reads, because a read from a terminal or pipe cannot be interrupted and must not keep the
    process alive. It reads the file descriptor itself: a thread that holds the lock of `sys.stdin` breaks the
    exit of Python.
    """

    def __init__(self, stream: IO[Any] | None) -> None:
        self._stream = stream
        self._left = bytearray()
        self._searched = 0
        self._first = True
        self._ended = stream is None
        self._asked = False
        self._wanted = threading.Semaphore(0)
        self._thread: threading.Thread | None = None
        self._give, self._take = anyio.create_memory_object_stream[bytes | None](math.inf)

    async def line(self) -> str | None:
        """The next line without its end, or None at the end of the input. Broken UTF-8 becomes U+FFFD."""
        if self._ended:
            return None
        if self._thread is None:
            token = lowlevel.current_token()
            self._thread = threading.Thread(target=self._read, args=(token,), name="gitu-terminal", daemon=True)
            self._thread.start()
        if not self._asked:
            self._asked = True
            self._wanted.release()
        data = await self._take.receive()
        self._asked = False
        if data is None:
            self._ended = True
            return None
        if self._first:
            self._first = False
            data = data.removeprefix(b"\xef\xbb\xbf")
        return data.rstrip(b"\r\n").decode("utf-8", "replace")

    def _read(self, token: Any) -> None:
        data: bytes | None = b""
        while data is not None:
            self._wanted.acquire()
            data = self._next()
            try:
                from_thread.run_sync(self._give.send_nowait, data, token=token)
            except RuntimeError:  # the event loop ended while this thread waited for input: nobody listens any more
                return

    def _next(self) -> bytes | None:
        """One line with its end, or None when there is no more."""
        while (end := self._left.find(b"\n", self._searched)) < 0:
            self._searched = len(self._left)
            chunk = self._chunk()
            if not chunk:
                rest = bytes(self._left)
                self._left.clear()
                self._searched = 0
                return rest or None
            self._left += chunk
        line = bytes(self._left[: end + 1])
        del self._left[: end + 1]
        self._searched = 0
        return line

    def _chunk(self) -> bytes:
        assert self._stream is not None
        try:
            return os.read(self._stream.fileno(), CHUNK)
        except (OSError, ValueError, AttributeError):
            # It is closed, or no file at all: a program may put any object in place of standard input.
            pass
        try:
            data = self._stream.read(CHUNK)
        except (OSError, ValueError):
            return b""
        return data.encode("utf-8", "replace") if isinstance(data, str) else bytes(data or b"")
