"""Talking over REST: a message and its answer, at once, streamed, or fetched later."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable
from functools import partial
from typing import Annotated, Any

import anyio
import msgspec
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import BaseRoute, Route
from starlette.types import Receive, Scope, Send

from gitu_core.contracts import Answer, Location, Media, Part, Text, new_id
from gitu_core.errors import InputError
from gitu_web.limits import json_of
from gitu_web.openapi import Operation, Query
from gitu_web.protocol import Ended, Letter, Problem, Told, encode
from gitu_web.settings import MIB
from gitu_web.site import Site
from gitu_web.taking import message_of, take
from gitu_web.visitor import Visitor

LONGEST_WAIT = 120.0
"""Seconds that a request may wait, for an answer or for news."""

BEAT = 15.0
"""Seconds after which a stream shows that it is still there."""

LET_GO = "the server let go of this request"
"""What is said where an answer is not complete, and its request ends: the server does, or the device was unlinked."""

MOST_WAITING = 1_000
"""Signs of life that wait for a slow reader of a stream; more are not shown to it."""


SOMETHING = [
    {"required": ["text"], "properties": {"text": {"minLength": 1}}},
    {"required": ["parts"], "properties": {"parts": {"minItems": 1}}},
    {"required": ["ask", "choice"], "properties": {"ask": {"minLength": 1}, "choice": {"minLength": 1}}},
]
"""One of these has to be there."""

CHOSEN = [
    {"properties": {"ask": {"maxLength": 0}}},
    {"required": ["choice"], "properties": {"choice": {"minLength": 1}}},
]
"""Where a question is named, its choice is too."""

Sent = Text | Media | Location
"""What people send; a choice has fields of its own."""

PLAIN = r"^[ -~]*$"
"""What names of clients consist of: letters, digits and signs of ASCII."""

Name = Annotated[str, msgspec.Meta(max_length=128, pattern=PLAIN)]


class Post(msgspec.Struct, forbid_unknown_fields=True):
    """Something that a person says: `text`, `parts`, or the `choice` at the question `ask`. The same `key` (or header
    ``Idempotency-Key``) again is the same message. `wait` is how many seconds the request waits for the answer."""

    text: str = ""
    parts: Annotated[tuple[Sent, ...], msgspec.Meta(max_length=30)] = ()
    ask: Annotated[str, msgspec.Meta(max_length=512, pattern=PLAIN)] = ""
    choice: Annotated[str, msgspec.Meta(max_length=512)] = ""
    key: Name = ""
    chat: Annotated[str, msgspec.Meta(max_length=64, pattern=PLAIN)] = ""
    reply_to: Name = ""
    wait: Annotated[float, msgspec.Meta(ge=0)] = 0.0


class Taken(msgspec.Struct):
    """The message is safe under this `id`. `fresh` is false where its key was known. `messages` are the answers, where
    they were waited for and came; `complete` tells that there are no more to come."""

    id: str
    key: str
    cursor: str
    fresh: bool = True
    complete: bool = False
    messages: list[Letter] = []


class Letters(msgspec.Struct):
    """Messages behind a cursor; `cursor` is the one for the next request. `reset`: what came right behind the cursor is
    not kept any more. `more`: there are more already."""

    messages: list[Letter]
    cursor: str
    reset: bool = False
    more: bool = False


def routes() -> list[BaseRoute]:
    """Where messages are."""
    return [
        Route("/v1/messages", post, methods=["POST"]),
        Route("/v1/messages", get, methods=["GET"]),
        Route("/v1/stream", stream, methods=["GET"]),
    ]


def operations() -> list[Operation]:
    """What can be done with messages."""
    wait = Query(
        "wait",
        f"Seconds to wait for news, at most {LONGEST_WAIT:g}.",
        Annotated[float, msgspec.Meta(ge=0, le=LONGEST_WAIT)],
    )
    body = Annotated[Post, msgspec.Meta(extra_json_schema={"allOf": [{"anyOf": SOMETHING}, {"anyOf": CHOSEN}]})]
    after = Query("after", "The cursor behind which to begin; empty for the oldest that is kept.")
    limit = Query("limit", "How many at most, up to 500.", Annotated[int, msgspec.Meta(ge=1, le=500)])
    return [
        Operation("POST", "/v1/messages", "Say something; as an event stream, or with the answer where `wait` says so.",
                  body=body, answer=Taken, gives=("text/event-stream",), also=(202,), problems=(404,)),
        Operation("GET", "/v1/messages", "Messages behind a cursor, at once or as soon as there are some.",
                  answer=Letters, query=(after, limit, wait)),
        Operation("GET", "/v1/stream", "Everything that happens, as an event stream.", gives=("text/event-stream",),
                  query=(after,)),
    ]  # fmt: skip


async def post(request: Request) -> Response:
    """A person says something."""
    site = Site.of(request)
    visitor = await site.guard.visitor(request)
    given: Post = await json_of(request, site.settings.max_body * MIB, Post)
    key = given.key or request.headers.get("idempotency-key", "") or new_id()
    parts: tuple[Part, ...] = (Text(given.text), *given.parts) if given.text else given.parts
    if given.ask:
        parts = (*parts, Answer(given.ask, given.choice))
    message = message_of(visitor, key, parts, given.chat, given.reply_to)
    before = await site.boxes.here(visitor.person)
    if "text/event-stream" in request.headers.get("accept", ""):
        live = Live(visitor.device)
        site.hub.join(visitor.person, live)
        try:
            receipt = await take(site, visitor, message)
        except BaseException:  # whatever it was: nobody will read the stream
            site.hub.part(visitor.person, live)
            raise
        events = _answered(site, visitor, Taken(receipt.id, key, before, receipt.fresh), given.chat, live)
        return Streamed(events, partial(site.hub.part, visitor.person, live))
    receipt = await take(site, visitor, message)
    taken = Taken(receipt.id, key, before, receipt.fresh)
    with anyio.move_on_after(max(0.0, min(given.wait, LONGEST_WAIT)) or 0.001):
        await site.inbox.finished(receipt.id)
        taken.complete = True
    taken.messages = await site.boxes.answers(visitor.person, receipt.id, key, given.chat)
    return _json(taken, 200 if taken.complete else 202)


async def get(request: Request) -> Response:
    """What came behind a cursor; with ``wait``, as soon as there is something."""
    site = Site.of(request)
    visitor = await site.guard.visitor(request)
    cursor = request.query_params.get("after", "")
    limit, wait = int(number_of(request, "limit", 100, 1, 500)), number_of(request, "wait", 0, 0, LONGEST_WAIT)
    live = Live(visitor.device)
    site.hub.join(visitor.person, live)
    try:
        page = await site.boxes.after(visitor.person, cursor, limit)
        with anyio.move_on_after(wait):
            while wait and not page.letters and not page.reset and not live.left:
                await live.next()
                page = await site.boxes.after(visitor.person, cursor, limit)
    finally:
        site.hub.part(visitor.person, live)
    return _json(Letters(list(page.letters), page.cursor, page.reset, page.more))


async def stream(request: Request) -> Response:
    """Everything that happens, as server-sent events; a browser comes back with ``Last-Event-ID`` by itself."""
    site = Site.of(request)
    visitor = await site.guard.visitor(request)
    cursor = request.headers.get("last-event-id", "") or request.query_params.get("after", "")
    live = Live(visitor.device)
    site.hub.join(visitor.person, live)
    return Streamed(_everything(site, visitor, cursor, live), partial(site.hub.part, visitor.person, live))


class Streamed(StreamingResponse):
    """An event stream, and what is done when it ends: also where its reader left before it began."""

    def __init__(self, events: AsyncIterator[bytes], part: Callable[[], None]) -> None:
        headers = {"cache-control": "no-store", "x-accel-buffering": "no"}
        super().__init__(events, headers=headers, media_type="text/event-stream")
        self._part = part

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Sends it."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._part()


class Live:
    """A reader of what happens: the signs of life in order, and whether there is news in the mailbox."""

    def __init__(self, device: str) -> None:
        self.device, self.left = device, False
        self.frames: deque[Told] = deque()
        self._news = asyncio.Event()

    def ring(self) -> None:
        """There is something in the mailbox."""
        self._news.set()

    def tell(self, frame: Told) -> None:
        """Something is shown."""
        if len(self.frames) < MOST_WAITING:
            self.frames.append(frame)
        self._news.set()

    def leave(self, code: int, reason: str) -> None:
        """It ends."""
        self.left = True
        self._news.set()

    async def next(self) -> None:
        """Waits until something happened."""
        await self._news.wait()
        self._news.clear()


async def _everything(site: Site, visitor: Visitor, cursor: str, live: Live) -> AsyncIterator[bytes]:
    try:
        while not live.left:
            while live.frames:
                yield _event(live.frames.popleft())
            page = await site.boxes.after(visitor.person, cursor)
            if page.reset:
                yield b"event: reset\ndata: {}\n\n"
            for letter in page.letters:
                yield _event(letter)
            cursor = page.cursor
            if page.more:
                continue
            with anyio.move_on_after(BEAT) as quiet:
                await live.next()
            if quiet.cancelled_caught:
                yield b": still here\n\n"
    finally:
        site.hub.part(visitor.person, live)


async def _answered(site: Site, visitor: Visitor, taken: Taken, chat: str, live: Live) -> AsyncIterator[bytes]:
    """The stream of one answer: an ``ack``, what is shown meanwhile, each message, and ``done``. An ``error`` takes the
    place of the last where the server lets go of it."""
    done = asyncio.ensure_future(site.inbox.finished(taken.id))
    done.add_done_callback(lambda _: live.ring())
    given = set[str]()
    try:
        yield b"event: ack\ndata: " + msgspec.json.encode(taken) + b"\n\n"
        while not live.left:
            ended = done.done()
            while live.frames:
                frame = live.frames.popleft()
                if getattr(frame, "chat", None) == chat and not isinstance(frame, Ended):
                    yield _event(frame)
            for letter in await site.boxes.answers(visitor.person, taken.id, taken.key, chat):
                if letter.cursor not in given:
                    given.add(letter.cursor)
                    yield _event(letter)
            if ended:
                yield b"event: done\ndata: {}\n\n"
                return
            with anyio.move_on_after(BEAT) as quiet:
                await live.next()
            if quiet.cancelled_caught:
                yield b": still here\n\n"
        yield _event(Problem("NotReady", LET_GO, "send it again under its key", taken.key, 1.0))
    finally:
        done.cancel()
        site.hub.part(visitor.person, live)


def _event(frame: Told | Problem) -> bytes:
    kind = str(type(frame).__struct_config__.tag)
    id = f"id: {frame.cursor}\n" if isinstance(frame, Letter) else ""
    return f"{id}event: {kind}\ndata: {encode(frame)}\n\n".encode()


def _json(value: Any, status: int = 200) -> Response:
    headers = {"cache-control": "no-store"}
    return Response(msgspec.json.encode(value), status, headers, media_type="application/json")


def number_of(request: Request, name: str, otherwise: float, least: float, most: float) -> float:
    """A number of the query. `InputError` where it is none, or out of bounds."""
    text = request.query_params.get(name)
    try:
        value = float(text) if text is not None else otherwise
    except ValueError:
        value = least - 1
    if not least <= value <= most:
        raise InputError(f"{name} has to be a number from {least:g} to {most:g}", hint="change it", field=name)
    return value
