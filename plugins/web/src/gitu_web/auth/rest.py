"""Devices over HTTP: pairing by code and by question, refreshing, listing, unlinking."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, Literal, TypeVar

import anyio
import msgspec
from starlette.requests import HTTPConnection, Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from gitu_core.errors import Denied, GituError, InputError
from gitu_web.auth.codes import PAIRING
from gitu_web.auth.devices import Device, Pair
from gitu_web.auth.doors import Doors
from gitu_web.auth.pairings import SECONDS, Asked
from gitu_web.limits import address_of, json_of
from gitu_web.openapi import Operation, Query
from gitu_web.site import Site
from gitu_web.visitor import Scope, Visitor

Answer = TypeVar("Answer")

LARGEST = 64 << 10
"""Bytes of a request about devices."""

HELLO = 10.0
"""Seconds in which a device that waits has to say who it is."""


class Code(msgspec.Struct, forbid_unknown_fields=True):
    """What a device shows to be let in."""

    code: str
    name: str = ""
    kind: Literal["terminal", "app"] = "app"


class Refresh(msgspec.Struct, forbid_unknown_fields=True):
    """What is exchanged for the next pair."""

    refresh: str


class NewCode(msgspec.Struct, forbid_unknown_fields=True):
    """For whom a code is, and how far; only an admin may say another person or ``admin``."""

    person: str = ""
    scopes: tuple[Scope, ...] = ("chat",)


class Ask(msgspec.Struct, forbid_unknown_fields=True):
    """What a device says of itself."""

    name: str = ""
    system: str = ""


class Decision(msgspec.Struct, forbid_unknown_fields=True):
    """A yes or a no for a device that asks."""

    accept: bool
    scopes: tuple[Scope, ...] = ("chat",)


class MadeCode(msgspec.Struct):
    """A code for a device of `person`, to be typed within `expires_in` seconds."""

    code: str
    expires_in: float
    person: str


class MadeAsk(msgspec.Struct):
    """A device may show `url` as a picture, and `words` beside it; it waits with the `secret`."""

    id: str
    secret: str
    words: str
    url: str
    expires_in: float


class Shown(msgspec.Struct):
    """A device as people see it; `this` is the one that asks. Times are in seconds since 1970, UTC."""

    id: str
    person: str
    name: str
    kind: str
    scopes: tuple[Scope, ...]
    created: float
    seen: float
    ends: float
    address: str
    this: bool


class Devices(msgspec.Struct):
    """Devices, the last used first."""

    devices: list[Shown]


def doors(connection: HTTPConnection) -> Doors:
    """The doors of the site that a request is for."""
    return Site.of(connection).doors


def answer(value: object, status: int = 200) -> Response:
    """A value as JSON that nobody keeps."""
    data = msgspec.json.encode(value)
    return Response(data, status, {"cache-control": "no-store"}, media_type="application/json")


async def pair(request: Request) -> Response:
    """Lets a device in that shows a code."""
    told, guard = await json_of(request, LARGEST, Code), doors(request)
    code = await guard.redeem(told.code, address_of(request))
    return answer(await guard.let_in(code, told.name, told.kind, address_of(request)), 201)


async def refresh(request: Request) -> Response:
    """The next pair."""
    told = await json_of(request, LARGEST, Refresh)
    return answer(await doors(request).refresh(told.refresh, address_of(request)))


async def status(request: Request) -> Response:
    """Who this device is."""
    guard = doors(request)
    visitor = await Site.of(request).guard.visitor(request)
    device = await guard.devices.get(visitor.device)
    if device is None:  # unlinked at this moment
        raise InputError("this device was unlinked", hint="pair it again", status=404)
    return answer(shown(device, visitor))


async def logout(request: Request) -> Response:
    """Ends this device."""
    guard = doors(request)
    await guard.devices.unlink((await Site.of(request).guard.visitor(request)).device)
    return Response(status_code=204)


async def devices(request: Request) -> Response:
    """The devices of the visitor; for an admin with ``all=true``, of everybody."""
    guard = doors(request)
    everybody = request.query_params.get("all") == "true"
    visitor = await Site.of(request).guard.visitor(request, "admin" if everybody else "chat")
    found = await guard.devices.all("" if everybody else visitor.person)
    return answer(Devices([shown(each, visitor) for each in found]))


async def unlink(request: Request) -> Response:
    """Unlinks a device: one's own, or as an admin anybody's."""
    guard = doors(request)
    visitor = await Site.of(request).guard.visitor(request)
    if request.path_params["id"] != visitor.device:
        _no_key(visitor)
    if not await guard.devices.unlink(request.path_params["id"], "" if visitor.admin else visitor.person):
        raise InputError("there is no such device", hint="see: GET /v1/devices", status=404)
    return Response(status_code=204)


async def new_code(request: Request) -> Response:
    """A code for another device."""
    guard = doors(request)
    visitor, told = await Site.of(request).guard.visitor(request), await json_of(request, LARGEST, NewCode)
    person, scopes = _granted(visitor, told.person, told.scopes)
    guard.made.take(visitor.person)
    code = await guard.codes.make(person, scopes, by=visitor.device)
    return answer(MadeCode(code, PAIRING, person), 201)


async def ask(request: Request) -> Response:
    """A device asks to be let in; it shows what it gets as a picture."""
    guard, told = doors(request), await json_of(request, LARGEST, Ask)
    guard.asked.take(address_of(request))
    asked, secret = guard.pairings.ask(told.name, told.system, address_of(request))
    url = f"{guard.address(request)}/pair?request={asked.id}"
    return answer(MadeAsk(asked.id, secret, asked.words, url, SECONDS), 201)


async def asked(request: Request) -> Response:
    """What device asks."""
    guard = doors(request)
    await Site.of(request).guard.visitor(request)
    return answer(guard.pairings.get(request.path_params["id"]))


async def decide(request: Request) -> Response:
    """Lets a device in that asks, or refuses it."""
    guard = doors(request)
    visitor, told = await Site.of(request).guard.visitor(request), await json_of(request, LARGEST, Decision)
    person, scopes = _granted(visitor, "", told.scopes)
    guard.pairings.answer(request.path_params["id"], person, scopes if told.accept else None)
    return Response(status_code=204)


async def wait(socket: WebSocket) -> None:
    """A device waits for the answer; the first thing that it says is the secret it got."""
    guard = doors(socket)
    await socket.accept()
    try:
        with anyio.fail_after(HELLO):
            said: Any = await socket.receive_json()
        secret = said.get("secret", "") if isinstance(said, dict) else ""
        found = await _unless_left(socket, guard.pairings.wait(socket.path_params["id"], str(secret)))
        told: dict[str, Any] = {"state": "expired"}
        if found is not None and found.state == "refused":
            told = {"state": "refused"}
        elif found is not None and guard.pairings.taken(found):
            told = {"state": "accepted", "credentials": msgspec.to_builtins(await guard.let_asking_in(found))}
        try:
            await socket.send_json(told)
            await socket.close()
        except (RuntimeError, WebSocketDisconnect):  # nobody has got the credentials
            if "credentials" in told:
                await guard.devices.unlink(told["credentials"]["device"])
    except (TimeoutError, ValueError, KeyError):
        await socket.close(1008, 'say {"secret": "..."} first')
    except GituError as error:
        await socket.close(1008, error.message[:120])
    except WebSocketDisconnect:
        pass


async def _unless_left(socket: WebSocket, answer: Coroutine[Any, Any, Answer]) -> Answer:
    """What *answer* gives. `WebSocketDisconnect` where whoever waits for it leaves, or talks on: a yes must not let in
    somebody who is not there; they may come back and wait again."""
    waits, leaves = asyncio.ensure_future(answer), asyncio.ensure_future(socket.receive())
    try:
        await asyncio.wait({waits, leaves}, return_when=asyncio.FIRST_COMPLETED)
        if waits.done():
            return waits.result()
        if leaves.result()["type"] == "websocket.receive":
            raise ValueError("more was said")
        raise WebSocketDisconnect(1001)
    finally:
        waits.cancel()
        leaves.cancel()


def shown(device: Device, visitor: Visitor) -> Shown:
    """A device as people see it: without what it signs in with."""
    names = [name for name in Shown.__struct_fields__ if name != "this"]
    return Shown(**{name: getattr(device, name) for name in names}, this=device.id == visitor.device)


def _granted(visitor: Visitor, person: str, scopes: tuple[Scope, ...]) -> tuple[str, tuple[Scope, ...]]:
    """`Denied` for a visitor who would hand on more than they have."""
    _no_key(visitor)
    if not visitor.admin and (person not in ("", visitor.person) or "admin" in scopes):
        raise Denied("only the owner's devices may do that for others", hint="leave out person and scopes")
    return person or visitor.person, scopes or ("chat",)


def _no_key(visitor: Visitor) -> None:
    """`Denied` for a key: whoever finds one must not be able to stay when it is revoked."""
    if visitor.kind == "key":
        raise Denied("a key lets nobody in and unlinks no other device", hint="use a device of a person")


def operations() -> list[Operation]:
    """What can be done with devices, described."""
    everybody = Query("all", "those of everybody; for an admin", bool)
    return [
        Operation("POST", "/v1/auth/pair", "Lets a device in that shows a code.", "", "devices", Code, Pair,
                  status=201, problems=(401,)),
        Operation("POST", "/v1/auth/refresh", "The next credentials, for a refresh credential, once.", "", "devices",
                  Refresh, Pair, problems=(401,)),
        Operation("GET", "/v1/auth/status", "Who this device is.", "chat", "devices", answer=Shown, problems=(404,)),
        Operation("POST", "/v1/auth/logout", "Unlinks this device.", "chat", "devices", status=204),
        Operation("POST", "/v1/auth/codes", "A code for another device.", "chat", "devices", NewCode, MadeCode,
                  status=201),
        Operation("GET", "/v1/devices", "The devices of the user.", "chat", "devices", answer=Devices,
                  query=(everybody,)),
        Operation("DELETE", "/v1/devices/{id}", "Unlinks a device.", "chat", "devices", status=204, problems=(404,)),
        Operation("POST", "/v1/pairings", "A device asks to be let in.", "", "devices", Ask, MadeAsk, status=201),
        Operation("GET", "/v1/pairings/{id}", "What device asks.", "chat", "devices", answer=Asked, problems=(404,)),
        Operation("POST", "/v1/pairings/{id}", "Lets it in, or refuses it.", "chat", "devices", Decision, status=204,
                  problems=(404,)),
    ]  # fmt: skip


def routes() -> list[BaseRoute]:
    """Where all of it is found."""
    return [
        Route("/v1/auth/pair", pair, methods=["POST"]),
        Route("/v1/auth/refresh", refresh, methods=["POST"]),
        Route("/v1/auth/status", status, methods=["GET"]),
        Route("/v1/auth/logout", logout, methods=["POST"]),
        Route("/v1/auth/codes", new_code, methods=["POST"]),
        Route("/v1/devices", devices, methods=["GET"]),
        Route("/v1/devices/{id}", unlink, methods=["DELETE"]),
        Route("/v1/pairings", ask, methods=["POST"]),
        Route("/v1/pairings/{id}", asked, methods=["GET"]),
        Route("/v1/pairings/{id}", decide, methods=["POST"]),
        WebSocketRoute("/v1/pairings/{id}/wait", wait),
    ]
