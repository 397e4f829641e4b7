"""The real `Guard`: tells visitors from strangers, lets new devices in, signs browsers in."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from starlette.requests import HTTPConnection, Request

from gitu_core.contracts import Account
from gitu_core.errors import AuthFailed, Denied, InputError
from gitu_web.auth.codes import LINK, PAIRING, Code, Codes
from gitu_web.auth.devices import Device, Devices, Pair
from gitu_web.auth.pairings import Asking, Pairings
from gitu_web.auth.signing import held, same
from gitu_web.auth.tries import Tries
from gitu_web.visitor import CHANNEL, Kind, Scope, Visitor

if TYPE_CHECKING:
    from gitu_core.contracts import Host

SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
FORM = ("application/x-www-form-urlencoded", "multipart/form-data")


class Doors:
    """Everything about coming in. *origins* are the addresses under which browsers know this site; the first one is
    shown to people. *owner* is whom the first sign-in is for."""

    def __init__(
        self, host: Host, origins: Iterable[str], owner: str = "local", now: Callable[[], float] = time.time
    ) -> None:  # fmt: skip
        self._host, self.origins, self.owner = host, tuple(origins), owner
        self.devices, self.codes, self.pairings = Devices(host, now), Codes(host, now), Pairings(now)
        self.guesses = Tries(10, PAIRING, now, "wrong codes")
        self.asked = Tries(10, 60.0, now, "devices that ask")
        self.secure = self.origins[0].startswith("https:")
        self.cookie = "__Host-gitu" if self.secure else "gitu"

    # ---- the contract of a guard ------------------------------------------------------------------

    async def visitor(self, connection: HTTPConnection, scope: Scope = "chat") -> Visitor:
        """Who asks."""
        found = await self._found(connection)
        if scope not in found.scopes:
            raise Denied("this device may not look after the installation", hint="use one that the owner linked for it")
        return found

    async def maybe(self, connection: HTTPConnection) -> Visitor | None:
        """Who asks, or None for a stranger."""
        try:
            return await self._found(connection)
        except AuthFailed:
            return None

    def on_unlink(self, call: Callable[[str], None]) -> None:
        """*call* is told of each device that is unlinked."""
        self.devices.on_unlink(call)

    async def by_token(self, token: str, address: str = "") -> Visitor:
        """Who shows an access credential or a key, for clients that cannot send headers."""
        device = await (self.devices.by_access(token) if token.startswith("ga1.") else self.devices.by_secret(token))
        if device.kind == "browser":  # its secret is for the cookie alone
            raise AuthFailed("the credential is not one of this server", hint="sign in again")
        return await self._visitor(device, address)

    async def _found(self, connection: HTTPConnection) -> Visitor:
        address = connection.client.host if connection.client else ""
        kind, _, token = connection.headers.get("authorization", "").partition(" ")
        if kind:
            if kind.lower() != "bearer" or not token:
                raise AuthFailed("only bearer credentials are understood", hint="send: Authorization: Bearer …")
            return await self.by_token(token.strip(), address)
        cookie = connection.cookies.get(self.cookie, "")
        if not cookie:
            raise AuthFailed("nobody is signed in", hint="pair the device: gitu auth TOKEN")
        device = await self.devices.by_secret(cookie)
        if device.kind != "browser":  # a key that was put into a cookie
            raise AuthFailed("the credential is not one of this server", hint="sign in again")
        csrf = (await self.devices.signer()).csrf(cookie)
        await self._from_here(connection, csrf)
        return await self._visitor(device, address, csrf)

    async def _visitor(self, device: Device, address: str, csrf: str = "") -> Visitor:
        person = await self._host.admin.people.person(device.person)
        if person is None or not person.enabled:
            raise AuthFailed("this user is switched off", hint="ask whoever runs the assistant")
        await self.devices.visit(device, address)
        return Visitor(device.person, device.id, device.name, device.kind, frozenset(device.scopes), csrf)

    async def _from_here(self, connection: HTTPConnection, csrf: str) -> None:
        """`Denied` for what another site had the browser send."""
        safe = connection.scope["type"] == "http" and connection.scope["method"] in SAFE
        if safe:
            return
        self.same_origin(connection)
        if connection.scope["type"] == "websocket":  # its origin cannot be forged by a page, and it has no form
            if "origin" not in connection.headers:
                raise Denied("the request does not say where it comes from", hint="use a browser, or a credential")
            return
        shown = connection.headers.get("x-csrf-token", "")
        if not shown and isinstance(connection, Request):
            kind = connection.headers.get("content-type", "").partition(";")[0].strip().lower()
            shown = str((await connection.form()).get("csrf", "")) if kind in FORM else ""
        if not same(shown, csrf):
            raise Denied("the form is not from this visit", hint="open the page again, then repeat")

    def same_origin(self, connection: HTTPConnection) -> None:
        """`Denied` for a request that another site caused."""
        origin, site = connection.headers.get("origin"), connection.headers.get("sec-fetch-site")
        if (origin is not None and origin not in self.origins) or site not in (None, "same-origin", "none"):
            raise Denied("the request comes from another site", hint="open the console itself", status=403)

    # ---- letting in -------------------------------------------------------------------------------

    async def redeem(self, typed: str, address: str) -> Code:
        """What a code is good for. `AuthFailed` if it does not count; wrong ones are counted by address."""
        self.guesses.take(address)
        found = await self.codes.take(typed)
        if found is None:
            raise AuthFailed("this code does not count", hint="it counts once, for a few minutes: have a new one made")
        return found

    async def let_in(self, code: Code, name: str, kind: Kind, address: str) -> Pair:
        """Credentials for a device that showed a code."""
        await self.known(code.person)
        device, secret = await self.devices.add(code.person, name, kind, code.scopes, address)
        return await self.devices.pair(device, secret)

    async def let_asking_in(self, asking: Asking) -> Pair:
        """Credentials for a device that asked, when somebody said yes."""
        await self.known(asking.person)
        asked = asking.asked
        device, secret = await self.devices.add(asking.person, asked.name, "terminal", asking.scopes, asked.address)
        return await self.devices.pair(device, secret)

    async def sign_in(self, code: Code, name: str, address: str) -> tuple[Device, str]:
        """A browser that showed a code; gives its cookie."""
        await self.known(code.person)
        device, secret = await self.devices.add(code.person, name, "browser", code.scopes, address)
        return device, held("gb1", device.id, secret)

    async def key(self, person: str, name: str, scopes: Sequence[Scope]) -> str:
        """A key for a program."""
        await self.known(person)
        device, secret = await self.devices.add(person, name, "key", scopes)
        return held("gk1", device.id, secret)

    async def known(self, person: str) -> None:
        """The person is a user, and the account of this channel is theirs."""
        people, account = self._host.admin.people, Account(CHANNEL, person)
        found = await people.known(account)
        if found is None:
            await people.link(account, person, await people.person(person) is None)
        elif found.person.id != person:
            raise InputError(f"the account {person} on {CHANNEL} belongs to {found.person.id}",
                             hint=f"use that user, or: gitu users link {person} {CHANNEL} {person}")  # fmt: skip

    async def link(self, person: str = "", scopes: Sequence[Scope] = ("chat", "admin")) -> str:
        """An address that signs a browser in, once."""
        code = await self.codes.make(person or self.owner, scopes, LINK)
        return f"{self.origins[0]}/auth/link?code={code}"

    async def welcome(self) -> str:
        """The address for the first sign-in; empty where somebody has signed in who may look after everything."""
        return "" if any("admin" in each.scopes for each in await self.devices.all()) else await self.link()


def origin_of(url: str) -> str:
    """The origin of an address. `InputError` if it is none."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.netloc or "@" in parts.netloc:
        raise InputError(f"{url!r} is not an address of a site", hint="write https://HOST")
    return f"{parts.scheme}://{parts.netloc}".lower()
