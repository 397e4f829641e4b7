"""A model server that costs little: raw asyncio, answers made beforehand, streamed, over connections that stay open.

It speaks as much of the OpenAI HTTP protocol as a benchmark needs: what it says depends on the last message and on the
tools offered. A request with tools is answered with one call of the first tool; the result of a call, and a request
without tools, with words. Every event of a stream is a write of its own.

    GET  /stats     requests, CPU seconds, and the bodies that were kept
    POST /keep?N    keeps the bodies of the next N requests

With ``--gap SECONDS`` so much time passes between two events; without, the client may read several at once. With
``--delay SECONDS`` an answer waits, echoes what was asked, and ends with the seconds that the model took.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import time
from typing import Any

WORDS = ["The", "answer", "is", "one", "short", "sentence", "that", "arrives", "in", "twelve", "small", "pieces."]
ARGUMENTS = ['{"text"', ': "milk, ', "bread and ", 'butter"}']
CALL = "call_bench_0000000001"
_ROLE = re.compile(rb'"role":\s*"(\w+)"')
_NAME = re.compile(rb'"function":\s*\{[^{}]*?"name":\s*"([\w-]+)"')
_LENGTH = re.compile(rb"content-length:\s*(\d+)", re.IGNORECASE)
_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: %b\r\nTransfer-Encoding: chunked\r\n\r\n"
_FRAME = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "bench"}
_USAGE = {"prompt_tokens": 60, "completion_tokens": 16, "total_tokens": 76}


def _event(choices: list[Any], **more: Any) -> bytes:
    data = b"data: " + json.dumps({**_FRAME, "choices": choices, **more}, separators=(",", ":")).encode() + b"\n\n"
    return b"%x\r\n%b\r\n" % (len(data), data)


def _stream(deltas: list[dict[str, Any]], finish: str) -> list[bytes]:
    """The pieces of a streamed answer, its head with the first event."""
    first = {"role": "assistant", "content": "" if finish == "stop" else None}
    events = [_event([{"index": 0, "delta": delta, "finish_reason": None}]) for delta in (first, *deltas)]
    events.append(_event([{"index": 0, "delta": {}, "finish_reason": finish}]))
    events.append(_event([], usage=_USAGE))
    done = b"data: [DONE]\n\n"
    events.append(b"%x\r\n%b\r\n0\r\n\r\n" % (len(done), done))
    return [_HEAD % b"text/event-stream" + events[0], *events[1:]]


def said(words: list[str]) -> list[bytes]:
    """A streamed answer in words."""
    return _stream([{"content": word if n == 0 else f" {word}"} for n, word in enumerate(words)], "stop")


def called(tool: str) -> list[bytes]:
    """A streamed call of a tool."""
    begun = {"index": 0, "id": CALL, "type": "function", "function": {"name": tool, "arguments": ""}}
    pieces = [{"index": 0, "function": {"arguments": piece}} for piece in ARGUMENTS]
    return _stream([{"tool_calls": [each]} for each in (begun, *pieces)], "tool_calls")


def _whole(body: dict[str, Any]) -> bytes:
    data = json.dumps(body).encode()
    return b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b" % (len(data), data)


SAID = said(WORDS)


class Model:
    """What all connections share."""

    def __init__(self, delay: float = 0.0, gap: float = 0.0) -> None:
        self.delay, self.gap = delay, gap
        self.requests = 0
        self.keep = 0
        self.kept: list[str] = []
        self._called: dict[bytes, list[bytes]] = {}

    def answer(self, body: bytes) -> list[bytes]:
        """The pieces that answer a request."""
        self.requests += 1
        if self.keep:
            self.keep -= 1
            self.kept.append(body.decode())
        if not self._wants_call(body):
            return SAID
        found = _NAME.search(body)
        name = found[1] if found else b"none"
        pieces = self._called.get(name)
        if pieces is None:
            pieces = self._called[name] = called(name.decode())
        return pieces

    def _wants_call(self, body: bytes) -> bool:
        # Inside a text the quotation marks are escaped, so that the last hit is the last message's.
        found = _ROLE.match(body, body.rfind(b'"role"'))
        return found is not None and found[1] != b"tool" and b'"tools"' in body

    def stats(self) -> bytes:
        """What `GET /stats` gives; forgets the bodies."""
        kept, self.kept = self.kept, []
        return _whole({"requests": self.requests, "cpu": time.process_time(), "kept": kept})


class Connection(asyncio.Protocol):
    """One connection: one request after the other."""

    def __init__(self, model: Model) -> None:
        self._model = model
        self._data = b""
        self._transport: Any = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A client is there."""
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Some bytes came; answers every request that is whole."""
        self._data = self._data + data if self._data else data
        while (head := self._data.find(b"\r\n\r\n")) >= 0:
            found = _LENGTH.search(self._data, 0, head)
            end = head + 4 + (int(found[1]) if found else 0)
            if len(self._data) < end:
                return
            request, body, self._data = self._data[:head], self._data[head + 4 : end], self._data[end:]
            self._request(request, body)

    def _request(self, head: bytes, body: bytes) -> None:
        if head.startswith(b"GET "):
            self._transport.write(self._model.stats())
        elif head.startswith(b"POST /keep?"):
            self._model.keep = int(head[11 : head.index(b" ", 11)])
            self._transport.write(_whole({}))
        elif self._model.delay:
            self._model.requests += 1
            asyncio.get_running_loop().call_later(self._model.delay, self._late, body, time.perf_counter())
        elif self._model.gap:
            for number, piece in enumerate(self._model.answer(body)):
                asyncio.get_running_loop().call_later(self._model.gap * number, self._transport.write, piece)
        else:
            for piece in self._model.answer(body):
                self._transport.write(piece)

    def _late(self, body: bytes, came: float) -> None:
        asked = json.loads(body)["messages"][-1]["content"]
        for piece in said(["echo", str(asked), f"took={time.perf_counter() - came:.6f}"]):
            if self._transport.is_closing():  # whoever asked was killed meanwhile
                return
            self._transport.write(piece)


async def serve(port: int, model: Model) -> None:
    """Serves until cancelled; prints the address on its first line."""
    server = await asyncio.get_running_loop().create_server(lambda: Connection(model), "127.0.0.1", port, backlog=2048)
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1", flush=True)
    await server.serve_forever()


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int, default=0, help="0 = any that is free")
    parser.add_argument("--delay", type=float, default=0.0, help="seconds that an answer takes")
    parser.add_argument("--gap", type=float, default=0.0, help="seconds between two events of a stream")
    options = parser.parse_args()
    try:
        asyncio.run(serve(options.port, Model(options.delay, options.gap)))
    except KeyboardInterrupt:
        return


if __name__ == "__main__":
    main()
