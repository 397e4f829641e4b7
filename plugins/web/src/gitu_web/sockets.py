"""The WebSocket of apps and pages: everything that is said, as it is said, and nothing twice (see `protocol`)."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from typing import Any

import anyio
import msgspec
from starlette.requests import HTTPConnection
from starlette.routing import BaseRoute, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from gitu_core.contracts import Answer, Text
from gitu_core.errors import AuthFailed, Denied, GituError, InputError, NotReady, StoreError
from gitu_web.problems import of_error
from gitu_web.protocol import (
    LARGEST,
    SUBPROTOCOL,
    Ack,
    Choose,
    Frame,
    Hello,
    Ping,
    Pong,
    Presence,
    Problem,
    Say,
    Told,
    Typing,
    Welcome,
    decode_said,
    encode,
)
from gitu_web.site import Site
from gitu_web.taking import message_of, take
from gitu_web.visitor import Visitor

log = logging.getLogger("gitu.plugins.web")

PATH = "/v1/socket"

HELLO_SECONDS, SLOW_SECONDS, CLOSE_SECONDS = 10.0, 20.0, 2.0
"""Seconds within which a client has to say who it is, to read what it is sent, and to answer that it is closed."""

AGAIN_SECONDS = 1.0
"""Seconds after which a client says again what could not be taken, where nobody knows better."""

MOST_WAITING = 256
"""So many words and signs of life may wait for a slow client; more are not shown to it. Messages are never left out."""

MOST_WRONG = 8
"""Frames of a client that make no sense before it is closed."""

AT_ONCE = 50
"""Messages that are looked up at once."""


def routes() -> list[BaseRoute]:
    """Where the WebSocket is."""
    return [WebSocketRoute(PATH, socket)]


async def socket(websocket: WebSocket) -> None:
    """One connection, from its greeting to its end."""
    await serve(Site.of(websocket), websocket)


async def serve(site: Site, websocket: WebSocket) -> None:
    """The same, for whoever knows the site already."""
    try:
        origin = websocket.headers.get("origin", "")
        if origin and not site.settings.welcome_origin(origin, websocket.headers.get("host", "")):
            raise Denied(f"pages of {origin[:100]} may not connect here", hint="add it to origins of [plugins.web]")
        visitor = None
        if "authorization" in websocket.headers:
            visitor = await site.guard.visitor(websocket)
        elif websocket.cookies:  # a page is not told why it gets no connection: it is sent away when it says hello
            visitor = await site.guard.maybe(websocket)
    except GituError as error:
        log.info("a WebSocket was refused: %s", error.message)
        await websocket.send_denial_response(of_error(error))
        return
    offered = SUBPROTOCOL in websocket.scope["subprotocols"]
    await websocket.accept(SUBPROTOCOL if offered else None)
    talk = Talk(site, websocket)
    try:
        await talk.run(visitor)
    except (WebSocketDisconnect, TimeoutError):
        log.debug("a WebSocket was dropped")
    finally:
        talk.end()


class Talk:
    """A connection. Whatever there is to be sent is sent by a task that lives only as long as there is something."""

    __slots__ = ("_closing", "_cursor", "_news", "_pump", "_side", "_site", "_socket", "_visitor", "_wrong", "device")

    def __init__(self, site: Site, socket: WebSocket) -> None:
        self._site, self._socket = site, socket
        self._visitor: Visitor | None = None
        self._cursor, self._news, self._wrong = "", False, 0
        self._side: deque[Told] | None = None
        self._pump: asyncio.Task[None] | None = None
        self._closing: asyncio.Task[None] | None = None
        self.device = ""

    # ---- what comes in -------------------------------------------------------------------------------------------

    async def run(self, visitor: Visitor | None) -> None:
        """Greets, then takes what comes, until the connection ends."""
        visitor = await self._greeted(visitor)
        if visitor is None:
            return
        while self._closing is None:
            message = await self._socket.receive()
            if message["type"] != "websocket.receive":
                return
            await self._taken(visitor, message)

    async def _greeted(self, visitor: Visitor | None) -> Visitor | None:
        """Who is there; None where that is nobody."""
        try:
            with anyio.fail_after(HELLO_SECONDS):
                message = await self._socket.receive()
            if message["type"] != "websocket.receive":
                return None
            hello = _decoded(message)
            if not isinstance(hello, Hello):
                raise InputError("the first frame has to be a hello", hint='send {"type": "hello", "cursor": ""}')
            if visitor is None or hello.token:
                visitor = await self._site.guard.visitor(_with_token(self._socket, hello.token))
            await self._begin(visitor, hello)
        except GituError as error:
            log.info("a WebSocket was refused: %s", error.message)
            await self._send(_problem(error))
            # Too often, or the store is not there: that is for now, and says nothing about who is there.
            later, stranger = isinstance(error, NotReady | StoreError), isinstance(error, AuthFailed | Denied)
            await self._close(1013 if later else 4401 if stranger else 1008, error.message)
            return None
        return visitor

    async def _begin(self, visitor: Visitor, hello: Hello) -> None:
        self._visitor, self.device = visitor, visitor.device
        boxes, person = self._site.boxes, visitor.person
        forget: Callable[[], None] = self._socket.scope.get("gitu.forget", lambda: None)
        forget()
        start, reset = hello.cursor, False
        if not start and hello.recent >= 0:
            start = await boxes.before(person, hello.recent)
        elif start:
            start, reset = await boxes.known(person, start)
        self._cursor = start
        await self._send(Welcome(person, visitor.device, start, reset))
        self._site.hub.join(person, self)  # not before: nothing may come ahead of the greeting
        self._site.hub.tell(person, Presence("active", visitor.device, visitor.name), but=self)
        self.ring()

    async def _taken(self, visitor: Visitor, message: Any) -> None:
        key = ""
        try:
            said = _decoded(message)
            key = getattr(said, "key", "")
            self._site.rates.take(visitor.device)
            await self._do(visitor, said)
        except GituError as error:
            await self._send(_problem(error, key))
            self._wrong += not key and not isinstance(error, NotReady)
            if self._wrong >= MOST_WRONG:
                await self._close(1008, "too many frames made no sense")

    async def _do(self, visitor: Visitor, said: Frame) -> None:
        match said:
            case Say():
                parts = (Text(said.text), *said.parts) if said.text else said.parts
                message = message_of(visitor, said.key, parts, said.chat, said.reply_to)
                receipt = await take(self._site, visitor, message)
                await self._send(Ack(said.key, receipt.id, receipt.fresh))
            case Choose():
                message = message_of(visitor, said.key, (Answer(said.ask, said.choice),), said.chat)
                receipt = await take(self._site, visitor, message)
                await self._send(Ack(said.key, receipt.id, receipt.fresh))
            case Typing():
                self._site.hub.tell(visitor.person, Typing(said.chat, said.on, visitor.device), but=self)
            case Presence():
                self._site.hub.tell(visitor.person, Presence(said.state, visitor.device, visitor.name), but=self)
            case Ping():
                await self._send(Pong())
            case _:
                raise InputError("that was said already", hint="say hello once")

    # ---- what goes out -------------------------------------------------------------------------------------------

    def ring(self) -> None:
        """There is something in the mailbox."""
        self._news = True
        self._wake()

    def tell(self, frame: Told) -> None:
        """Shows something, unless too much waits already."""
        if self._side is None:
            self._side = deque()
        if len(self._side) < MOST_WAITING:
            self._side.append(frame)
        self._wake()

    def _wake(self) -> None:
        if self._pump is None and self._closing is None:
            self._pump = asyncio.get_running_loop().create_task(self._pumped())

    async def _pumped(self) -> None:
        try:
            while self._news or self._side:
                while self._side:
                    await self._send(self._side.popleft())
                if self._news:
                    await self._letters()
            self._side = None
        except TimeoutError:
            self.leave(1013, "too slow; come back with your cursor")
        except WebSocketDisconnect:
            pass  # whoever reads notices
        except GituError as error:  # the store is not there; it comes back and goes on where it was
            log.warning("a WebSocket could not be served: %s", error)
            self.leave(1013, "not ready; come back with your cursor")
        finally:
            self._pump = None

    async def _letters(self) -> None:
        visitor = self._visitor
        assert visitor is not None
        self._news = False
        page = await self._site.boxes.after(visitor.person, self._cursor, AT_ONCE)
        if page.reset and self._cursor:
            await self._send(Welcome(visitor.person, visitor.device, "", True))
        for letter in page.letters:
            await self._send(letter)
            self._cursor = letter.cursor
        self._cursor = page.cursor
        self._news = self._news or page.more

    async def _send(self, frame: Frame) -> None:
        try:
            with anyio.fail_after(SLOW_SECONDS):
                await self._socket.send_text(encode(frame))
        except RuntimeError:  # the server's way to say that it was closed meanwhile
            raise WebSocketDisconnect(1006) from None

    # ---- the end -------------------------------------------------------------------------------------------------

    def leave(self, code: int, reason: str) -> None:
        """Closes it, whether or not the other side reads."""
        if self._closing is None:
            self._closing = asyncio.get_running_loop().create_task(self._close(code, reason))

    async def _close(self, code: int, reason: str) -> None:
        cut_off: Callable[[], None] | None = self._socket.scope.get("gitu.cut_off")
        with anyio.move_on_after(CLOSE_SECONDS):
            try:
                await self._socket.close(code, reason[:100])
                return
            except (WebSocketDisconnect, RuntimeError):
                return
        if cut_off is not None:
            cut_off()

    def end(self) -> None:
        """Nobody listens any more."""
        if self._pump is not None:
            self._pump.cancel()
        if (visitor := self._visitor) is not None:
            self._site.hub.part(visitor.person, self)
            self._site.hub.tell(visitor.person, Presence("gone", visitor.device, visitor.name))


def _decoded(message: Any) -> Any:
    text = message.get("text")
    if text is None:
        raise InputError("the frame is binary", hint="send text frames with JSON")
    if len(text) > LARGEST:
        raise InputError(f"the frame has more than {LARGEST} characters", hint="send less at once, files over REST")
    try:
        return decode_said(text)
    except (msgspec.DecodeError, RecursionError, UnicodeError) as error:  # what does not fit included
        raise InputError(f"the frame does not fit: {error}", hint="the protocol is described in docs/web.md") from None


def _problem(error: GituError, key: str = "") -> Problem:
    wait = None
    if isinstance(error, NotReady | StoreError):  # clients say it again: nobody has to know which errors pass
        wait = getattr(error, "retry_after", None) or AGAIN_SECONDS
    return Problem(type(error).__name__, error.message, error.hint, key, wait)


def _with_token(socket: WebSocket, token: str) -> HTTPConnection:
    """The request as it would have been with the token in its header, and nothing else to go by."""
    other = [each for each in socket.scope["headers"] if each[0] not in (b"authorization", b"cookie")]
    header = (b"authorization", b"Bearer " + token.encode("utf-8", "replace"))
    return HTTPConnection({**socket.scope, "headers": [*other, header]})
