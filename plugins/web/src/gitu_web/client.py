"""A client for programs: says things until they are safe, and hears everything once, over any number of connections.

async with Client("http://127.0.0.1:8765", token) as client:
    ack = await client.say("What is on today?")
    async for letter in client.letters():
        if letter.cause == ack.id:
            print(letter.text)
            break
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, suppress
from typing import Any, TypeVar

import anyio
import msgspec
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus

from gitu_core.contracts import Part, new_id
from gitu_core.errors import AuthFailed, GituError, InputError, NotReady, Rejected
from gitu_web.protocol import (
    SUBPROTOCOL,
    Ack,
    Choose,
    Frame,
    Hello,
    Letter,
    Presence,
    Problem,
    Say,
    Told,
    Typing,
    Welcome,
    decode_told,
    encode,
)

log = logging.getLogger("gitu.plugins.web")

FIRST_WAIT, LONGEST_WAIT = 0.25, 30.0
"""Seconds before the second try to connect, and between later ones at most."""

GREETING = 10.0
"""Seconds within which a server has to greet."""

AHEAD = 256
"""Messages that wait for whoever reads them; then the server has to wait too."""

LATER = (1013, 1012, 1001, 1006, 1011)
"""Codes of connections that ended for now. Any other is the server's last word."""

F = TypeVar("F", bound=Frame)


class Client:
    """A device that talks to an assistant. *token* is its credential; *cursor* is the last message that it has from an
    earlier time, empty for none; then it begins with the *recent* last ones (all that are kept where negative)."""

    def __init__(
        self, url: str, token: str, *, cursor: str = "", recent: int = -1,
        on_event: Callable[[Told], None] | None = None,
    ) -> None:  # fmt: skip
        self._url = url.replace("http", "ws", 1).rstrip("/") + "/v1/socket"
        self._token, self._recent, self._on_event = token, recent, on_event
        self.cursor, self._heard = cursor, cursor
        self.resets = 0
        self._unsafe: dict[str, tuple[Frame, asyncio.Future[Ack]]] = {}
        self._letters: asyncio.Queue[Letter | GituError] = asyncio.Queue(AHEAD)
        self._socket: ClientConnection | None = None
        self._failure: GituError | None = None
        self._stack = AsyncExitStack()
        self.connected = asyncio.Event()

    async def __aenter__(self) -> Client:
        group = await self._stack.enter_async_context(anyio.create_task_group())
        self._stack.callback(group.cancel_scope.cancel)
        group.start_soon(self._run)
        return self

    async def __aexit__(self, *error: Any) -> None:
        await self._stack.aclose()

    # ---- what it does --------------------------------------------------------------------------------------------

    async def say(self, text: str = "", *, parts: Sequence[Part] = (), key: str = "", chat: str = "") -> Ack:
        """Says something and returns once it is safe, however often the connection breaks meanwhile. The same *key*
        again is the same message. `InputError` or `Rejected` where the server does not take it."""
        return await self._safe(Say(key or new_id(), text, tuple(parts), chat))

    async def choose(self, ask: str, choice: str, *, key: str = "", chat: str = "") -> Ack:
        """Makes a choice at a question."""
        return await self._safe(Choose(key or new_id(), ask, choice, chat))

    async def typing(self, on: bool = True, chat: str = "") -> None:
        """Tells that its person types. It is lost where there is no connection."""
        await self._send(Typing(chat, on))

    async def present(self, state: Any = "active") -> None:
        """Tells how the device is: ``active`` or ``away``."""
        await self._send(Presence(state))

    async def letters(self) -> AsyncIterator[Letter]:
        """Every message once, in order. `cursor` is the last one that was handed out: keep it for the next time.
        `AuthFailed` where the credential does not count any more."""
        while True:
            if self._failure is not None and self._letters.empty():
                raise self._failure
            found = await self._letters.get()
            if isinstance(found, GituError):
                raise found
            self.cursor = found.cursor
            yield found

    async def _safe(self, frame: Say | Choose) -> Ack:
        if self._failure is not None:
            raise self._failure
        known = self._unsafe.get(frame.key)
        future = known[1] if known else asyncio.get_running_loop().create_future()
        self._unsafe[frame.key] = frame, future
        await self._send(frame)
        return await asyncio.shield(future)

    async def _send(self, frame: Frame) -> None:
        if self._socket is not None:
            with suppress(ConnectionClosed):
                await self._socket.send(encode(frame))

    # ---- the connection ------------------------------------------------------------------------------------------

    async def _run(self) -> None:
        wait = FIRST_WAIT
        while self._failure is None:
            try:
                if await self._connected():
                    wait = FIRST_WAIT
            except GituError as error:
                await self._failed(error)
                return
            await asyncio.sleep(wait * random.uniform(0.5, 1.0))
            wait = min(wait * 2, LONGEST_WAIT)

    async def _connected(self) -> bool:
        """One connection, until it ends; tells whether there was one. `GituError` where there will be no other."""
        headers, greeted = {"authorization": f"Bearer {self._token}"}, False
        try:
            async with connect(
                self._url, subprotocols=[SUBPROTOCOL], additional_headers=headers, open_timeout=GREETING,  # type: ignore[list-item]
                compression=None, max_size=None,
            ) as socket:  # fmt: skip
                await socket.send(encode(Hello(cursor=self._heard, recent=self._recent)))
                async for text in socket:
                    frame: Told = decode_told(text)
                    if isinstance(frame, Welcome) and not greeted:
                        greeted, self._socket = True, socket
                        await self._greeted(socket, frame)
                    else:
                        await self._taken(frame)
        except InvalidStatus as error:
            if error.response.status_code in (401, 403):
                raise AuthFailed("the server does not know this device", hint="pair it again") from error
            log.info("the server refused the connection for now: %s", error)
        except (OSError, TimeoutError, ConnectionClosed, InvalidHandshake, msgspec.DecodeError) as error:
            log.info("the connection ended: %s", error)
        else:
            self._judge(socket)
        finally:
            self._socket = None
            self.connected.clear()
        return greeted

    def _judge(self, socket: ClientConnection) -> None:
        code, reason = socket.close_code, socket.close_reason or ""
        if code == 4401:
            raise AuthFailed(reason or "the server does not know this device", hint="pair it again")
        if code not in (*LATER, 1000, None):
            raise Rejected(f"the server ended the connection: {code} {reason}", hint="use a client of its version")

    async def _greeted(self, socket: ClientConnection, welcome: Welcome) -> None:
        self._heard = welcome.cursor
        for frame, _ in tuple(self._unsafe.values()):
            await socket.send(encode(frame))
        self.connected.set()
        await self._taken(welcome)

    async def _taken(self, frame: Told) -> None:
        match frame:
            case Letter():
                self._heard = frame.cursor
                await self._letters.put(frame)
            case Ack():
                self._settle(frame.key, frame)
            case Problem() if frame.key:
                kind = InputError if frame.title == "InputError" else Rejected
                if frame.retry_after is None and frame.title not in ("NotReady", "RateLimited", "StoreError"):
                    self._settle(frame.key, kind(frame.detail, hint=frame.hint))
                else:
                    await self._again(frame)
            case Welcome() if frame.reset:
                self.resets += 1
        if self._on_event is not None and not isinstance(frame, Letter | Ack):
            self._on_event(frame)

    async def _again(self, problem: Problem) -> None:
        """The server cannot take it right now."""
        loop = asyncio.get_running_loop()
        known = self._unsafe.get(problem.key)
        if known is not None:
            wait = problem.retry_after or FIRST_WAIT
            loop.call_later(wait, lambda: loop.create_task(self._send_again(problem.key)))

    async def _send_again(self, key: str) -> None:
        if (known := self._unsafe.get(key)) is not None:
            await self._send(known[0])

    def _settle(self, key: str, result: Ack | GituError) -> None:
        known = self._unsafe.pop(key, None)
        if known is None or known[1].done():
            return
        if isinstance(result, GituError):
            known[1].set_exception(result)
        else:
            known[1].set_result(result)

    async def _failed(self, error: GituError) -> None:
        self._failure = error
        for key in tuple(self._unsafe):
            self._settle(key, NotReady(error.message, hint=error.hint) if isinstance(error, NotReady) else error)
        with suppress(asyncio.QueueFull):
            self._letters.put_nowait(error)
