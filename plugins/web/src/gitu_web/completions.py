"""``/v1/chat/completions`` as programs know it that were written for the OpenAI HTTP API: one request, one answer.

Such a program sends all that was said with every request, and the assistant keeps what was said itself. Both meet in a
digest of the messages before the last one: where it is known, that chat goes on; where it is not, a new one begins, and
what was said before is handed over as words of the program.
"""

from __future__ import annotations

import asyncio
import hashlib
import math
import time
from collections.abc import AsyncIterator, Sequence
from functools import partial
from typing import Any, Literal
from urllib.parse import quote

import anyio
import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from gitu_core.contracts import Entry, Message, Receipt, Text, new_id
from gitu_core.errors import GituError, InputError
from gitu_web.limits import json_of
from gitu_web.messages import LONGEST_WAIT, Live, Streamed
from gitu_web.openapi import Operation
from gitu_web.problems import status_of
from gitu_web.protocol import Delta
from gitu_web.settings import MIB
from gitu_web.site import Site
from gitu_web.taking import message_of, take
from gitu_web.visitor import Visitor

MODEL = "gitu"
USAGE = ("prompt_tokens", "completion_tokens", "total_tokens")
KEPT, MOST = 500, 1_000
"""Of how many chats of a person it is remembered where they stand, and messages of a request."""


class Said(msgspec.Struct):
    """One message of a request; what else it says is not looked at."""

    role: Literal["system", "developer", "user", "assistant", "tool"]
    content: str | list[dict[str, Any]] | None = None


class Wanted(msgspec.Struct):
    """A request; what else it says is for models, and the assistant chooses its own."""

    messages: list[Said]
    model: str = MODEL
    stream: bool = False
    tools: list[dict[str, Any]] = []


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


def words(said: Said) -> str:
    """The text of a message. `InputError` for what is no text."""
    if isinstance(said.content, list):
        if other := [each.get("type") for each in said.content if each.get("type") != "text"]:
            hint = "send text here; files over POST /v1/files"
            raise InputError(f"content of the type {other[0]} is not taken here", hint=hint, field="messages")
        return "\n".join(str(each.get("text", "")) for each in said.content)
    return said.content or ""


def digest(messages: Sequence[tuple[str, str]]) -> str:
    """What tells a talk from others: all that was said in it."""
    return hashlib.sha256(msgspec.json.encode(messages)).hexdigest()


class Talk:
    """A request, and the chat that it goes on with."""

    def __init__(self, site: Site, visitor: Visitor, wanted: Wanted) -> None:
        self.site, self.visitor, self.wanted = site, visitor, wanted
        self._said = [(each.role, words(each)) for each in wanted.messages]
        if not self._said or len(self._said) > MOST or self._said[-1][0] != "user" or not self._said[-1][1].strip():
            raise InputError(f"the last of at most {MOST} messages has to be words of the user", hint="add it",
                             field="messages")  # fmt: skip
        if wanted.tools:
            raise InputError("functions of the program are not called by the assistant, which has tools of its own",
                             hint="leave out tools", field="tools")  # fmt: skip
        self._folder = f"completions/{quote(visitor.person, safe='')}/"
        self.chat = ""

    async def message(self, key: str) -> Message:
        """The message that the request is."""
        *before, (_, text) = self._said
        known = await self.site.host.kv.get(self._folder + digest(before)) if before else None
        self.chat = known.value["chat"] if known is not None else f"api-{digest([('key', key)])[:24]}"
        parts = [] if known is not None else self._handed_over(before)
        return message_of(self.visitor, key, [*parts, Text(text)], self.chat)

    @staticmethod
    def _handed_over(before: Sequence[tuple[str, str]]) -> list[Text]:
        told = [text for role, text in before if role in ("system", "developer")]
        talk = [f"{role}: {text}" for role, text in before if role not in ("system", "developer")]
        found = [f"Instructions of the program: {text}" for text in told]
        return [Text(text) for text in (*found, *([f"Earlier in this talk:\n{chr(10).join(talk)}"] if talk else []))]

    async def keep(self, answer: str) -> None:
        """Remembers where the talk stands, so that the next request goes on there."""
        key = self._folder + digest([*self._said, ("assistant", answer)])
        person, value = self.visitor.person, {"chat": self.chat, "at": time.time()}
        await self.site.host.kv.put(Entry(key, value, person))
        found = await self.site.host.kv.list(self._folder, person)
        if len(found) > KEPT:
            oldest = sorted(found, key=lambda each: float(each.value["at"]))
            for each in oldest[: len(found) - KEPT]:
                await self.site.host.kv.delete(each.key)

    async def answer(self, receipt: Receipt) -> str:
        """All that was answered."""
        letters = await self.site.boxes.caused(self.visitor.person, receipt.id)
        return "\n\n".join(filter(None, ("\n".join(_shown(part) for part in each.parts) for each in letters)))


def _shown(part: Any) -> str:
    if choices := getattr(part, "choices", ()):
        return f"{part.question}\n{part.details}\n({' / '.join(choices)})"
    return str(getattr(part, "text", "") or getattr(part, "caption", ""))


async def completions(request: Request) -> Response:
    """Says the last message, and gives the answer, whole or as it comes."""
    try:
        site = Site.of(request)
        visitor = await site.guard.visitor(request)
        talk = Talk(site, visitor, await json_of(request, site.settings.max_body * MIB, Wanted))
        message = await talk.message(request.headers.get("idempotency-key", "") or new_id())
        live = Live(visitor.device)
        site.hub.join(visitor.person, live)
        try:
            receipt = await take(site, visitor, message)
        except BaseException:  # whatever it was: nobody waits any more
            site.hub.part(visitor.person, live)
            raise
    except GituError as error:
        return _trouble(error)
    id, created = f"chatcmpl-{receipt.id}", int(time.time())
    if talk.wanted.stream:
        return Streamed(_streamed(talk, receipt, live, id, created), partial(site.hub.part, visitor.person, live))
    try:
        with anyio.move_on_after(LONGEST_WAIT) as wait:
            await site.inbox.finished(receipt.id)
    finally:
        site.hub.part(visitor.person, live)
    text, reason = await talk.answer(receipt), "length" if wait.cancelled_caught else "stop"
    if reason == "stop":  # what is not complete is nothing to go on from
        await talk.keep(text)
    choice = Choice(0, {"role": "assistant", "content": text}, reason)
    found = Completion(id, created, talk.wanted.model, [choice])
    return Response(msgspec.json.encode(found), headers={"cache-control": "no-store"}, media_type="application/json")


async def _streamed(talk: Talk, receipt: Receipt, live: Live, id: str, created: int) -> AsyncIterator[bytes]:
    """The answer as it grows. What was taken back cannot be taken back here: the rest of the answer follows it."""
    done = asyncio.ensure_future(talk.site.inbox.finished(receipt.id))
    done.add_done_callback(lambda _: live.ring())
    given = ""

    def chunk(delta: dict[str, Any], reason: str | None = None) -> bytes:
        told = {"id": id, "object": "chat.completion.chunk", "created": created, "model": talk.wanted.model,
                "choices": [{"index": 0, "delta": delta, "finish_reason": reason}]}  # fmt: skip
        return b"data: " + msgspec.json.encode(told) + b"\n\n"

    try:
        yield chunk({"role": "assistant", "content": ""})
        while not live.left:
            ended = done.done()
            while live.frames:
                frame = live.frames.popleft()
                if isinstance(frame, Delta) and frame.chat == talk.chat and not frame.reset:
                    given += frame.text
                    yield chunk({"content": frame.text})
            if ended:
                break
            await live.next()
        text = await talk.answer(receipt)
        if rest := text.removeprefix(given) if text.startswith(given) else f"\n\n{text}":
            yield chunk({"content": rest})
        await talk.keep(text if text.startswith(given) else f"{given}\n\n{text}")
        yield chunk({}, "stop")
        yield b"data: [DONE]\n\n"
    finally:
        done.cancel()
        talk.site.hub.part(talk.visitor.person, live)


def _trouble(error: GituError) -> Response:
    """What went wrong, as such programs expect it."""
    status, field = status_of(error), error.details.get("field")
    kind = "invalid_request_error" if status < 500 else "server_error"
    told = Failed(f"{error.message}; {error.hint}", kind, type(error).__name__, str(field) if field else None)
    headers = {"retry-after": str(math.ceil(wait))} if (wait := getattr(error, "retry_after", None)) else {}
    return Response(msgspec.json.encode(Failure(told)), status, headers, media_type="application/json")


async def models(request: Request) -> Response:
    """The one model that there is: the assistant."""
    try:
        await Site.of(request).guard.visitor(request)
    except GituError as error:
        return _trouble(error)
    found = {"object": "list", "data": [{"id": MODEL, "object": "model", "created": 0, "owned_by": MODEL}]}
    return Response(msgspec.json.encode(found), media_type="application/json")


def routes() -> list[BaseRoute]:
    """Both."""
    return [Route("/v1/chat/completions", completions, methods=["POST"]), Route("/v1/models", models, methods=["GET"])]


def operations() -> list[Operation]:
    """The same, described. Errors of the first look as its programs expect them."""
    return [
        Operation("POST", "/v1/chat/completions", "As programs for the OpenAI HTTP API ask.", tag="completions",
                  body=Wanted, answer=Completion, gives=("text/event-stream",), trouble=Failure),
        Operation("GET", "/v1/models", "The assistant, as the only model.", tag="completions", answer=dict[str, Any],
                  trouble=Failure),
    ]  # fmt: skip
