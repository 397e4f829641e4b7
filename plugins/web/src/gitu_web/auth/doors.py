"""The real `Guard`: tells visitors from strangers, lets new devices in, signs browsers in."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from starlette.requests import HTTPConnection, Request

from gitu_core.contracts import Account, Conversation, check_name
from gitu_core.errors import AuthFailed, Denied, GituError, InputError, NotReady
from gitu_web.auth.codes import LINK, PAIRING, Code, Codes
from gitu_web.auth.devices import Device, Devices, Pair
from gitu_web.auth.pairings import Asking, Pairings
from gitu_web.auth.signing import held, same
from gitu_web.auth.tries import Tries
from gitu_web.limits import form_of
from gitu_web.visitor import CHANNEL, Kind, Scope, Visitor

if TYPE_CHECKING:
    from gitu_core.contracts import Host

log = logging.getLogger("gitu.plugins.web")

SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
FORM = ("application/x-www-form-urlencoded", "multipart/form-data")


class Doors:
    """Everything about coming in. *origins* are the addresses under which browsers know this site; the first one is
    shown to people. *own* tells whether a page of an origin is ours, in a request for a host that is, where it has more
    addresses than can be listed. *owner* is whom the first sign-in is for."""

    def __init__(
        self, host: Host, origins: Iterable[str], owner: str = "local", now: Callable[[], float] = time.time,
        own: Callable[[str, str], bool] | None = None,
    ) -> None:  # fmt: skip
        self._host, self.origins, self.owner, self.own = host, tuple(origins), owner, own
        self.devices, self.codes, self.pairings = Devices(host, now, self._warn), Codes(host, now), Pairings(now)
        self.guesses = Tries(10, PAIRING, now, "tries of codes")
        self.asked = Tries(10, 60.0, now, "devices that ask")
        self.made = Tries(10, PAIRING, now, "new codes")
        self.refreshed = Tries(30, 60.0, now, "refreshes that failed")
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
            raise AuthFailed("nobody is signed in", hint="pair the device: gitu auth CODE")
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
            shown = str((await form_of(connection)).get("csrf", "")) if kind in FORM else ""
        if not same(shown, csrf):
            raise Denied("the form is not from this visit", hint="open the page again, then repeat")

    def same_origin(self, connection: HTTPConnection) -> None:
        """`Denied` for a request that another site caused."""
        origin, site = connection.headers.get("origin"), connection.headers.get("sec-fetch-site")
        ours = origin is None or origin in self.origins
        if not ours and origin and self.own is not None:
            ours = self.own(origin, connection.headers.get("host", ""))
        if not ours or site not in (None, "same-origin", "none"):
            raise Denied("the request comes from another site", hint="open the console itself", status=403)

    def address(self, connection: HTTPConnection) -> str:
        """The address of this site for whoever sent a request: the one that they reached, unless people use another."""
        if self.own is None or self.secure:
            return self.origins[0]
        reached = f"{connection.url.scheme.replace('ws', 'http')}://{connection.headers.get('host', '')}"
        return reached if self.own(reached, connection.headers.get("host", "")) else self.origins[0]

    # ---- what happens elsewhere -------------------------------------------------------------------

    async def look(
        self, open: Iterable[str], out: Callable[[str], None], thorough: bool = False
    ) -> None:  # fmt: skip
        """Notices what other processes did: devices that were unlinked are told of, *out* is told of users who are
        switched off. If *thorough*, all devices in *open* are looked up."""
        await self.devices.look(open if thorough else ())
        for person in await self._host.admin.people.disabled():
            out(person)

    async def _warn(self, device: Device) -> None:
        """Tells a person that a credential of theirs was copied."""
        text = (
            f"A credential of your device {device.name} was used after it had been replaced: somebody may have a copy. "
            "The device was unlinked; pair it again if it is yours, and look at your devices."
        )
        for where in (None, Conversation(CHANNEL, device.person)):  # where they spoke last, else in the browser
            try:
                await self._host.admin.say(device.person, text, where, by=CHANNEL)
                return
            except NotReady:
                continue
            except GituError as error:
                log.warning("%s could not be told of a copied credential: %s", device.person, error)
                return

    # ---- letting in -------------------------------------------------------------------------------

    async def redeem(self, typed: str, address: str) -> Code:
        """What a code is good for. `AuthFailed` if it does not count; wrong ones are counted by address."""
        self.guesses.take(address)
        found = await self.codes.take(typed)
        if found is None or (found.by and await self.devices.get(found.by) is None):
            raise AuthFailed("this code does not count", hint="it counts once, for a few minutes: have a new one made")
        return found

    async def refresh(self, text: str, address: str) -> Pair:
        """The next pair for a refresh credential; those that do not count are counted by address."""
        self.refreshed.take(address)
        found = await self.devices.refresh(text)
        self.refreshed.give_back(address)
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
        """The person is a user who is switched on, and the account of this channel is theirs."""
        people, account = self._host.admin.people, Account(CHANNEL, check_name(person, "user"))
        user, found = await people.person(person), await people.known(account)
        if user is not None and not user.enabled:
            raise AuthFailed("this user is switched off", hint="ask whoever runs the assistant")
        if found is None:
            await people.link(account, person, user is None)
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
    try:
        good = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0 and "@" not in parts.netloc
    except ValueError:  # a port that is none
        good = False
    if not good:
        raise InputError(f"{url[:100]!r} is not an address of a site", hint="write https://HOST")
    return f"{parts.scheme}://{parts.netloc}".lower()
