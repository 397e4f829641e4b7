"""How much anybody may ask for: rates, the size of what is sent, and the time in which it has to come."""

from __future__ import annotations

import ipaddress
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

import anyio
import msgspec
from starlette.datastructures import FormData
from starlette.requests import ClientDisconnect, HTTPConnection, Request

from gitu_core.errors import AuthFailed, InputError, RateLimited
from gitu_web.settings import Settings
from gitu_web.visitor import Guard, Scope, Visitor

BODY_SECONDS = 20.0
"""Seconds within which the body of a request has to be there."""

FORM = 1 << 20
"""Bytes that a form of a page may have."""

MOST = 50_000
"""How many visitors and addresses are told apart; of more, those that were quiet for the longest time are forgotten."""

MINUTE = 60.0


class Rates:
    """So many a minute of each, and not all at once: what was not used comes back little by little."""

    def __init__(self, per_minute: int, what: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._most, self._what, self._clock = float(per_minute), what, clock
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, who: str) -> None:
        """One more of *who*. `RateLimited` if that is too many."""
        left, at = self._left.pop(who, (self._most, now := self._clock()))
        now = self._clock()
        left = min(self._most, left + (now - at) * self._most / MINUTE)
        if left < 1:
            self._left[who] = left, now
            wait = (1 - left) * MINUTE / self._most
            raise RateLimited(f"too many {self._what}: {self._most:g} a minute are allowed",
                              hint=f"try again in {wait:.1f} s", retry_after=round(wait, 3))  # fmt: skip
        self._left[who] = left - 1, now
        if len(self._left) > MOST:
            self._left.popitem(last=False)

    def give_back(self, who: str) -> None:
        """The last one of *who* does not count."""
        if (known := self._left.get(who)) is not None:
            self._left[who] = min(self._most, known[0] + 1), known[1]


class Limited:
    """A guard that lets nobody try too often: strangers by the address they come from, visitors by their device.
    `inner` is the one that tells them apart."""

    def __init__(self, guard: Guard, settings: Settings) -> None:
        self.inner = guard
        self._addresses = Rates(settings.address_rate, "tries without a valid sign-in")
        self.visitors = Rates(settings.visitor_rate, "requests of this device")

    async def visitor(self, connection: HTTPConnection, scope: Scope = "chat") -> Visitor:
        """As the guard says. `RateLimited` for too many."""
        address = network_of(address_of(connection))
        self._addresses.take(address)  # before anything is looked up; what turns out to be known costs it nothing
        visitor = await self.inner.visitor(connection, scope)
        self._addresses.give_back(address)
        self.visitors.take(visitor.device)
        return visitor

    async def maybe(self, connection: HTTPConnection) -> Visitor | None:
        """As the guard says."""
        address = network_of(address_of(connection))
        self._addresses.take(address)
        try:
            visitor = await self.inner.maybe(connection)
        except AuthFailed:
            return None
        if visitor is not None or not _tries(connection):
            self._addresses.give_back(address)
        if visitor is not None:
            self.visitors.take(visitor.device)
        return visitor

    def on_unlink(self, call: Callable[[str], None]) -> None:
        """As the guard says."""
        self.inner.on_unlink(call)


def address_of(connection: HTTPConnection) -> str:
    """The address that a request comes from."""
    return connection.client.host if connection.client is not None else ""


def network_of(address: str) -> str:
    """What counts as one: an IPv4 address, or the network of an IPv6 address, of which everybody has 2^64."""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(found, ipaddress.IPv6Address) and found.ipv4_mapped is None:
        return str(ipaddress.ip_network((found, 64), strict=False))
    return str(getattr(found, "ipv4_mapped", None) or found)


def _tries(connection: HTTPConnection) -> bool:
    """True if a request carries something that should have been a credential."""
    return "authorization" in connection.headers or bool(connection.cookies)


async def body_of(request: Request, most: int, *types: str, seconds: float = 0.0) -> bytes:
    """The body of a request: at most *most* bytes, of one of the media *types*, and there within *seconds*.
    `InputError` otherwise (413, 415, 408)."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if types and kind not in types:
        raise InputError(f"the body is {kind or 'of no type'}", hint=f"send it as {' or '.join(types)}", status=415)
    said = request.headers.get("content-length", "0")
    if not said.isdecimal() or int(said) > most:
        raise too_large(most)
    body = bytearray()
    try:
        with anyio.fail_after(seconds := seconds or BODY_SECONDS):
            async for piece in request.stream():
                body += piece
                if len(body) > most:
                    raise too_large(most)
    except TimeoutError:
        raise InputError(f"the body did not come within {seconds:g} s", hint="send it faster", status=408) from None
    except ClientDisconnect:
        raise InputError("the connection was dropped", hint="send it again", status=400) from None
    return bytes(body)


async def form_of(request: Request, most: int = FORM, fields: int = 200) -> FormData:
    """The form that a request brings. `InputError` where it is too large, has no length, or does not come in time."""
    said = request.headers.get("content-length", "")
    if not said.isdecimal() or "transfer-encoding" in request.headers:
        raise InputError("the form does not say how long it is", hint="send it with content-length")
    if int(said) > most:
        raise too_large(most)
    try:
        with anyio.fail_after(BODY_SECONDS):
            return await request.form(max_files=10, max_fields=fields, max_part_size=most)
    except TimeoutError:
        raise InputError(
            f"the form did not come within {BODY_SECONDS:g} s", hint="send it faster", status=408
        ) from None
    except ClientDisconnect:
        raise InputError("the connection was dropped", hint="send it again") from None


def too_large(most: int) -> InputError:
    """The body is larger than *most* bytes."""
    return InputError(f"the body has more than {most} bytes", hint="send less at once", status=413)


async def json_of(request: Request, most: int, type: Any) -> Any:
    """What a request says as JSON, as a value of *type*. `InputError` where it does not fit."""
    body = await body_of(request, most, "application/json")
    try:
        return msgspec.json.decode(body, type=type)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:  # what does not fit included
        raise InputError(f"the body does not fit: {error}", hint="/v1/openapi.json says what is expected") from None
