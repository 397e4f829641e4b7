"""``/v1/chat/completions`` as programs know it that were written for the OpenAI HTTP API: one request, one answer."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import AsyncIterator
from typing import Any

import anyio
import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from gitu_core.errors import GituError, InputError, NotReady
from gitu_web.functions import LOOK, Waiting
from gitu_web.limits import json_of
from gitu_web.messages import LET_GO, LONGEST_WAIT, Streamed
from gitu_web.openapi import Operation
from gitu_web.problems import status_of
from gitu_web.protocol import Delta
from gitu_web.settings import MIB
from gitu_web.site import Site
from gitu_web.talks import Talk
from gitu_web.wanted import MODEL, Wanted

USAGE = ("prompt_tokens", "completion_tokens", "total_tokens")


class Choice(msgspec.Struct):
    """An answer."""

    index: int
    message: dict[str, Any]
    finish_reason: str = "stop"


class Completion(msgspec.Struct):
    """What comes back. `usage` is not known here; see ``GET /v1/usage``."""

    id: str
    created: int
    model: str
    choices: list[Choice]
    object: str = "chat.completion"
    usage: dict[str, int] = msgspec.field(default_factory=lambda: dict.fromkeys(USAGE, 0))


class Failed(msgspec.Struct):
    """What went wrong."""

    message: str
    type: str
    code: str
    param: str | None = None


class Failure(msgspec.Struct):
    """What went wrong, as such programs expect it."""

    error: Failed


async def completions(request: Request) -> Response:
    """Says the last message, or what came of calls, and gives the answer or more calls, whole or as it comes."""
    try:
        site = Site.of(request)
        visitor = await site.guard.visitor(request)
        talk = Talk(site, visitor, await json_of(request, site.settings.max_body * MIB, Wanted))
        try:
            again = request.headers.get("x-stainless-retry-count", "0") != "0"
            await talk.begin(request.headers.get("idempotency-key", ""), again)
            if not talk.wanted.stream:
                return await _whole(talk)
        except BaseException:  # whatever it was: nobody waits any more
            talk.end()
            raise
    except GituError as error:
        return _trouble(error)
    return Streamed(_streamed(talk), talk.end)


async def _whole(talk: Talk) -> Response:
    """The answer when it is complete."""
    calls = list[Waiting]()
    try:
        with anyio.move_on_after(LONGEST_WAIT) as wait:
            calls = await talk.next()
    finally:
        talk.end()
    if calls:
        message, reason = {"role": "assistant", "content": None, "tool_calls": list(map(_called, calls))}, "tool_calls"
        await talk.keep("", calls)
    else:
        text, reason = await talk.answer(), "length" if wait.cancelled_caught else "stop"
        message = {"role": "assistant", "content": text}
        if reason == "stop":  # what is not complete is nothing to go on from
            await talk.keep(text)
    found = Completion(_id(talk), int(time.time()), talk.wanted.model, [Choice(0, message, reason)])
    return Response(msgspec.json.encode(found), headers={"cache-control": "no-store"}, media_type="application/json")


def _id(talk: Talk) -> str:
    return f"chatcmpl-{talk.id}"


def _called(call: Waiting) -> dict[str, Any]:
    """A call as such programs expect it."""
    function = {"name": call.name, "arguments": msgspec.json.encode(call.arguments).decode()}
    return {"id": call.id, "type": "function", "function": function}


async def _streamed(talk: Talk) -> AsyncIterator[bytes]:
    """The answer as it grows. What was taken back cannot be taken back here: the whole answer follows it."""
    live, created = talk.live, int(time.time())

    def chunk(delta: dict[str, Any], reason: str | None = None) -> bytes:
        told = {"id": _id(talk), "object": "chat.completion.chunk", "created": created, "model": talk.wanted.model,
                "choices": [{"index": 0, "delta": delta, "finish_reason": reason}]}  # fmt: skip
        return b"data: " + msgspec.json.encode(told) + b"\n\n"

    given, whole, ended, calls = "", True, False, list[Waiting]()
    with talk.ended() as done:
        yield chunk({"role": "assistant", "content": ""})
        await asyncio.sleep(0)
        while not live.left:
            ended = done.done()
            calls = [] if ended else await talk.calls()
            while live.frames:
                frame = live.frames.popleft()
                if isinstance(frame, Delta) and frame.chat == talk.chat:
                    whole = whole and not (frame.reset and given)
                    if whole:
                        given += frame.text
                        yield chunk({"content": frame.text})
            if ended or calls:
                break
            with anyio.move_on_after(LOOK if talk.calls_program else None):
                await live.next()
    if calls:
        await talk.keep(given, calls)
        yield chunk({"tool_calls": [{"index": n, **_called(each)} for n, each in enumerate(calls)]})
    elif live.left and not ended:  # no answer yet: the program may take nothing for one
        yield b"data: " + msgspec.json.encode(_failure(NotReady(LET_GO, hint="send it again"))) + b"\n\n"
        return
    else:
        text = await talk.answer()
        if rest := text.removeprefix(given) if text.startswith(given) else f"\n\n{text}":
            yield chunk({"content": rest})
        await talk.keep(text if text.startswith(given) else f"{given}\n\n{text}")
    yield chunk({}, "tool_calls" if calls else "stop")
    yield b"data: [DONE]\n\n"


def _trouble(error: GituError) -> Response:
    """What went wrong, as such programs expect it."""
    headers = {"retry-after": str(math.ceil(wait))} if (wait := getattr(error, "retry_after", None)) else {}
    return Response(msgspec.json.encode(_failure(error)), status_of(error), headers, media_type="application/json")


def _failure(error: GituError) -> Failure:
    field = error.details.get("field")
    kind = "invalid_request_error" if status_of(error) < 500 else "server_error"
    return Failure(Failed(f"{error.message}; {error.hint}", kind, type(error).__name__, str(field) if field else None))


async def models(request: Request) -> Response:
    """The one model that there is, the assistant: in a list, or by its name."""
    wanted = request.path_params.get("id")
    try:
        await Site.of(request).guard.visitor(request)
        if wanted not in (None, MODEL):
            raise InputError(f"there is no model {wanted[:100]!r}", hint=f"ask {MODEL}", field="model", status=404)
    except GituError as error:
        return _trouble(error)
    one = {"id": MODEL, "object": "model", "created": 0, "owned_by": MODEL}
    found = one if wanted else {"object": "list", "data": [one]}
    return Response(msgspec.json.encode(found), media_type="application/json")


def routes() -> list[BaseRoute]:
    """All of them."""
    return [Route("/v1/chat/completions", completions, methods=["POST"]), Route("/v1/models", models, methods=["GET"]),
            Route("/v1/models/{id}", models, methods=["GET"])]  # fmt: skip


def operations() -> list[Operation]:
    """The same, described. Errors of the first look as its programs expect them."""
    return [
        Operation("POST", "/v1/chat/completions", "As programs for the OpenAI HTTP API ask.", tag="completions",
                  body=Wanted, answer=Completion, gives=("text/event-stream",), trouble=Failure),
        Operation("GET", "/v1/models", "The assistant, as the only model.", tag="completions", answer=dict[str, Any],
                  trouble=Failure),
        Operation("GET", "/v1/models/{id}", "The same, by its name.", tag="completions", answer=dict[str, Any],
                  trouble=Failure, problems=(404,)),
    ]  # fmt: skip
