"""A model server on this machine that speaks the OpenAI HTTP protocol, plain and streamed.

    async with ModelServer([Say("hello"), Fail(429, headers={"Retry-After": "2"})]) as server:
        ...  # point a provider at server.url

As a process of its own, for measurements: ``python -m gitu_core.testing.model_server --port 0``.
It prints its address. Requests are checked strictly; what is not documented is answered with status 400.
"""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec
from aiohttp import web

from gitu_core.testing.model_schema import ChatRequest, Refused, read_request

__all__ = ["ChatRequest", "Fail", "ModelServer", "Recorded", "Refused", "Say", "echo", "read_request"]


@dataclass(frozen=True)
class Say:
    """An answer. `calls` are (tool, arguments); arguments may be any text, JSON or not.

    `cut` is how many characters a piece of a stream holds. `delay` is in seconds before the first byte, `gap`
    between events. The connection is dropped after `break_after` events; `tail` replaces the end of a stream.
    """

    text: str = ""
    calls: Sequence[tuple[str, str | Mapping[str, Any]]] = ()
    reasoning: str = ""
    reason: str = ""
    usage: tuple[int, int, int] = (0, 0, 0)
    cut: int = 8
    delay: float = 0.0
    gap: float = 0.0
    break_after: int | None = None
    tail: bytes = b"data: [DONE]\n\n"

    @property
    def finish(self) -> str:
        """Why the model stopped, in the protocol's words."""
        return self.reason or ("tool_calls" if self.calls else "stop")


@dataclass(frozen=True)
class Fail:
    """An error. `raw` replaces the body of the documented form."""

    status: int
    message: str = "it did not work"
    code: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    raw: bytes | None = None


@dataclass(frozen=True)
class Recorded:
    """A request as it came in, with the body's bytes."""

    request: ChatRequest
    headers: Mapping[str, str]
    body: bytes


Answer = Say | Fail | str
Script = Iterable[Answer] | Callable[[ChatRequest], Answer]


def echo(request: ChatRequest) -> Answer:
    """Says what the user said."""
    return Say(f"echo: {request.asked}")


class ModelServer:
    """Serves on 127.0.0.1 while entered. A script that is used up is answered with status 500."""

    def __init__(self, script: Script = echo, *, key: str = "", port: int = 0) -> None:
        self._script: Callable[[ChatRequest], Answer]
        if callable(script):
            self._script = script
        else:
            answers = iter(script)
            self._script = lambda request: next(answers, Fail(500, "the script is used up"))
        self._key = key
        self._port = port
        self._runner: web.AppRunner | None = None
        self.requests: list[Recorded] = []
        self.keep_requests = True
        self.keep_alive = True  # of connections that streamed an answer
        self.open_streams = 0
        self.url = ""

    async def __aenter__(self) -> ModelServer:
        app = web.Application(client_max_size=64 << 20)
        app.router.add_post("/v1/chat/completions", self._chat)
        app.router.add_get("/v1/models", self._models)
        self._runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self._port)
        await site.start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}/v1"
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    @property
    def last(self) -> Recorded:
        """The newest request."""
        return self.requests[-1]

    async def _models(self, _: web.Request) -> web.Response:
        return web.json_response({"object": "list", "data": [{"id": "test-model", "object": "model"}]})

    async def _chat(self, http: web.Request) -> web.StreamResponse:
        if self._key and http.headers.get("Authorization") != f"Bearer {self._key}":
            given = http.headers.get("Authorization", "").removeprefix("Bearer ")
            return _error(Fail(401, f"Incorrect API key provided: {given}", "invalid_api_key"))
        if http.content_type != "application/json":
            return _error(Fail(415, "the content type must be application/json"))
        body = await http.read()
        try:
            request = read_request(body)
        except Refused as refused:
            return _error(Fail(400, str(refused), refused.code), refused.param)
        if self.keep_requests:
            self.requests.append(Recorded(request, dict(http.headers), body))
        answer = self._script(request)
        if isinstance(answer, Fail):
            return _error(answer)
        say = Say(answer) if isinstance(answer, str) else answer
        if say.delay:
            await asyncio.sleep(say.delay)
        if request.stream:
            return await self._stream(http, request, say)
        if say.break_after is not None:
            _drop(http)
        return web.Response(body=_whole(request, say), content_type="application/json")

    async def _stream(self, http: web.Request, request: ChatRequest, say: Say) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream", "Cache-Control": "no-cache"})
        if not self.keep_alive:
            response.force_close()
        await response.prepare(http)
        self.open_streams += 1
        try:
            for number, event in enumerate(_pieces(request, say)):
                if say.break_after == number:
                    _drop(http)
                    return response
                await response.write(b"data: " + event + b"\n\n")
                if say.gap:
                    await asyncio.sleep(say.gap)
            await response.write(say.tail)
        finally:
            self.open_streams -= 1
        return response


def _drop(http: web.Request) -> None:
    if http.transport is not None:
        http.transport.abort()


def _error(fail: Fail, param: str = "") -> web.Response:
    body = fail.raw
    if body is None:
        kind = "invalid_request_error" if fail.status < 500 else "server_error"
        body = msgspec.json.encode(
            {"error": {"message": fail.message, "type": kind, "param": param or None, "code": fail.code}}
        )
    return web.Response(status=fail.status, body=body, content_type="application/json", headers=dict(fail.headers))


def _arguments(arguments: str | Mapping[str, Any]) -> str:
    return arguments if isinstance(arguments, str) else msgspec.json.encode(dict(arguments)).decode()


def _usage(request: ChatRequest, say: Say) -> dict[str, Any]:
    given, made, cached = say.usage
    given = given or sum(len(str(message)) for message in request.messages[-2:]) // 4
    made = made or len(say.text) // 4 + 1
    return {
        "prompt_tokens": given,
        "completion_tokens": made,
        "total_tokens": given + made,
        "prompt_tokens_details": {"cached_tokens": cached, "audio_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": 0},
    }


def _whole(request: ChatRequest, say: Say) -> bytes:
    message: dict[str, Any] = {"role": "assistant", "content": say.text or None, "refusal": None}
    if say.reasoning:
        message["reasoning_content"] = say.reasoning
    if say.calls:
        message["tool_calls"] = [
            {"id": f"call_{n}", "type": "function", "function": {"name": name, "arguments": _arguments(arguments)}}
            for n, (name, arguments) in enumerate(say.calls)
        ]
    return msgspec.json.encode(
        {
            "id": "chatcmpl-1",
            "object": "chat.completion",
            "created": 1,
            "model": request.model,
            "choices": [{"index": 0, "message": message, "logprobs": None, "finish_reason": say.finish}],
            "usage": _usage(request, say),
        }
    )


def _deltas(say: Say) -> Iterable[dict[str, Any]]:
    yield {"role": "assistant", "content": "", "refusal": None}
    for start in range(0, len(say.reasoning), say.cut):
        yield {"reasoning_content": say.reasoning[start : start + say.cut]}
    for start in range(0, len(say.text), say.cut):
        yield {"content": say.text[start : start + say.cut]}
    for index, (name, arguments) in enumerate(say.calls):
        begun = {"name": name, "arguments": ""}
        yield {"tool_calls": [{"index": index, "id": f"call_{index}", "type": "function", "function": begun}]}
        text = _arguments(arguments)
        for start in range(0, len(text), say.cut):
            yield {"tool_calls": [{"index": index, "function": {"arguments": text[start : start + say.cut]}}]}


def _pieces(request: ChatRequest, say: Say) -> Iterable[bytes]:
    counts = bool(request.stream_options and request.stream_options.include_usage)
    frame: dict[str, Any] = {
        "id": "chatcmpl-1",
        "object": "chat.completion.chunk",
        "created": 1,
        "model": request.model,
    }
    if counts:
        frame["usage"] = None
    for delta in _deltas(say):
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": None}
        yield msgspec.json.encode({**frame, "choices": [choice]})
    end = {"index": 0, "delta": {}, "logprobs": None, "finish_reason": say.finish}
    yield msgspec.json.encode({**frame, "choices": [end]})
    if counts:
        yield msgspec.json.encode({**frame, "choices": [], "usage": _usage(request, say)})


async def serve(port: int, script: Script = echo) -> None:
    """Serves until cancelled; prints the address on its first line."""
    async with ModelServer(script, port=port) as server:
        server.keep_requests = False
        print(server.url, flush=True)
        await asyncio.Event().wait()


def main() -> None:
    """The command line: ``--port`` (0 = any that is free)."""
    parser = argparse.ArgumentParser(description="A local model server that repeats what it is told.")
    parser.add_argument("--port", type=int, default=0)
    try:
        asyncio.run(serve(parser.parse_args().port))
    except KeyboardInterrupt:
        return


if __name__ == "__main__":
    main()
