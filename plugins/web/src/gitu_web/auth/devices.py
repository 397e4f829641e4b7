"""The devices of people, in the plugin's own store: each request looks there, so that unlinking counts at once, also
where another process does it.

A device that refreshes gets a new pair. Whoever shows the refresh credential before it is given the same pair again
while that was never used, for a day: the answer may have been lost on its way. After that, and for any older one,
somebody has a copy, and the device is unlinked: nobody can tell which of the two is the thief.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any

import anyio
import msgspec

from gitu_core.contracts import Entry, Host, Value
from gitu_core.errors import AuthFailed, InputError
from gitu_web.auth.signing import Signer, digest, held, new_secret, parted, same
from gitu_web.visitor import Kind, Scope

log = logging.getLogger("gitu.plugins.web")

DEVICE, KEY = "device/", "auth/key"
GONE = "gone/"
"""What is unlinked leaves a mark here for a day: whoever is about to write it sees that, and so do other processes."""

DAY = 86_400.0
LASTS: dict[Kind, float] = {"terminal": 90 * DAY, "app": 90 * DAY, "browser": 30 * DAY, "key": 3_650 * DAY}
"""Seconds for which a device is known; each refresh begins anew."""

ACCESS = 900.0
"""Seconds that an access credential counts."""

GRACE = DAY
"""Seconds within which an answer to a refresh that was lost can be had again."""

SEEN = 60.0
"""Seconds between two notes of when a device was last used."""

RENEWED: tuple[Kind, ...] = ("terminal", "app")
"""Devices whose credential is a pair."""

AGAIN = "pair it again: gitu auth CODE"

MOST = 200
"""Devices of one person."""


class Device(Value, frozen=True):
    """A device of a person. `secret` is a digest of the credential that counts; `tried`: the pair of this `generation`,
    which it got at `renewed`, was used. Times are in seconds since 1970, UTC."""

    id: str
    person: str
    name: str
    kind: Kind
    scopes: tuple[Scope, ...] = ("chat",)
    created: float = 0.0
    seen: float = 0.0
    ends: float = 0.0
    address: str = ""
    secret: str = ""
    generation: int = 1
    renewed: float = 0.0
    tried: bool = False


class Pair(Value, frozen=True):
    """What a device gets: for the next `expires_in` seconds, and to get the next pair."""

    access: str
    refresh: str
    expires_in: float
    person: str
    device: str
    name: str
    scopes: tuple[str, ...]
    refresh_until: float


async def _nobody(device: Device) -> None:
    """Nobody is told."""


class Devices:
    """Keeps devices. *copied* is told of one that was unlinked because somebody has a copy of its credential."""

    def __init__(
        self, host: Host, now: Callable[[], float], copied: Callable[[Device], Awaitable[None]] = _nobody
    ) -> None:  # fmt: skip
        self._host, self._now, self._copied = host, now, copied
        self._signer: Signer | None = None
        self._lock, self._key = anyio.Lock(), anyio.Lock()
        self._calls: list[Callable[[str], None]] = []
        self._told = set[str]()

    def on_unlink(self, call: Callable[[str], None]) -> None:
        """*call* is told of each device that is unlinked."""
        self._calls.append(call)

    async def signer(self) -> Signer:
        """Signs with the server's key, which is made once."""
        async with self._key:
            if self._signer is None:
                entry = await self._host.kv.get(KEY)
                if entry is None:
                    await self._host.kv.put(entry := Entry(KEY, secrets.token_hex(32)))
                self._signer = Signer(bytes.fromhex(entry.value))
        return self._signer

    async def get(self, id: str) -> Device | None:
        """A device that is known and not over."""
        entry = await self._host.kv.get(DEVICE + id[:64])
        device = msgspec.convert(entry.value, Device) if entry is not None else None
        return device if device is not None and device.ends > self._now() else None

    async def all(self, person: str = "") -> Sequence[Device]:
        """The devices of a person, or of everybody, the last used first."""
        entries = await self._host.kv.list(DEVICE, person)
        found = [msgspec.convert(each.value, Device) for each in entries]
        return sorted((each for each in found if each.ends > self._now()), key=lambda each: -each.seen)

    async def add(
        self, person: str, name: str, kind: Kind, scopes: Sequence[Scope] = ("chat",), address: str = ""
    ) -> tuple[Device, str]:  # fmt: skip
        """A new device, and the secret that it shows. `InputError` where a person has too many."""
        name = " ".join("".join(each for each in name if each.isprintable() or each.isspace()).split())[:80]
        known = await self.all(person)
        if len(known) >= MOST:
            raise InputError(f"{person} has {MOST} devices", hint="unlink some that are not used")
        now, id = self._now(), secrets.token_hex(8)
        secret = (await self.signer()).first(id) if kind in RENEWED else new_secret()
        device = Device(id, person, name or kind, kind, tuple(dict.fromkeys(scopes)), now, now, now + LASTS[kind],
                        address, digest(secret), renewed=now)  # fmt: skip
        await self._put(device)
        await self._tidy(known)
        log.info("device %s (%s) of %s was linked from %s", device.id, kind, person, address or "here")
        return device, secret

    async def unlink(self, id: str, person: str = "") -> bool:
        """Ends a device, of *person* only where given; tells whether there was one."""
        device = await self.get(id)
        if device is None or (person and device.person != person):
            return False
        with anyio.CancelScope(shield=True):  # half of it would be nothing
            await self._host.kv.put(Entry(GONE + device.id, self._now(), device.person))  # first: see `_put`
            await self._host.kv.delete(DEVICE + device.id)
        self._tell(device.id)
        log.info("device %s of %s was unlinked", device.id, device.person)
        return True

    async def pair(self, device: Device, secret: str) -> Pair:
        """The credentials of a device for now."""
        now = self._now()
        access = (await self.signer()).access(device.id, device.generation, now + ACCESS)
        return Pair(access, held("gr1", device.id, secret), ACCESS, device.person, device.id, device.name,
                    device.scopes, device.ends)  # fmt: skip

    async def by_access(self, text: str) -> Device:
        """Whose access credential this is. `AuthFailed` says what is wrong with it."""
        found = (await self.signer()).read(text)
        if found is None:
            raise AuthFailed("the credential is not one of this server", hint="pair the device: gitu auth CODE")
        if found.ends <= self._now():
            raise AuthFailed("the credential is over", hint="get the next one: POST /v1/auth/refresh")
        device = await self.get(found.device)
        if device is None:
            raise unlinked()
        if found.generation not in (device.generation, device.generation - 1):
            raise AuthFailed("the credential was replaced", hint="use the newest one")
        if found.generation == device.generation and not device.tried:
            return await self._change(device.id, lambda one: {"tried": one.generation == found.generation or one.tried})
        return device

    async def by_secret(self, text: str) -> Device:
        """Whose key or cookie this is. `AuthFailed` if nobody's."""
        kind, id, secret = parted(text)
        device = await self.get(id) if id else None
        wanted = {"gk1": "key", "gb1": "browser"}.get(kind)
        if device is None or device.kind != wanted or not same(digest(secret), device.secret):
            raise AuthFailed("the credential is not one of this server", hint="sign in again")
        return device

    async def refresh(self, text: str) -> Pair:
        """The next pair for a refresh credential. `AuthFailed` where it does not count; the device is then unlinked if
        somebody seems to have a copy of it."""
        kind, id, secret = parted(text)
        signer = await self.signer()
        number = signer.number(id, secret) if kind == "gr1" else None
        if number is None:
            raise AuthFailed("the credential is not one of this server", hint="pair the device: gitu auth CODE")
        async with self._lock:
            device, now = await self.get(id), self._now()
            if device is None:
                raise unlinked()
            if same(digest(secret), device.secret):
                fresh, ends = signer.next(id, device.generation + 1, secret), now + LASTS[device.kind]
                device = msgspec.structs.replace(device, secret=digest(fresh), generation=device.generation + 1,
                                                 renewed=now, tried=False, seen=now, ends=ends)  # fmt: skip
                await self._put(device)
                return await self.pair(device, fresh)
            fresh = signer.next(id, device.generation, secret)
            if same(digest(fresh), device.secret) and not device.tried and now - device.renewed <= GRACE:
                return await self.pair(device, fresh)  # the same again: nobody has used it yet
            if number >= device.generation:  # the store is older than the credential: it was put back
                raise AuthFailed("the server does not know this credential any more", hint=AGAIN)
            await self.unlink(id)
        log.warning("a refresh credential of device %s was used twice: it is unlinked", id)
        await self._copied(device)
        raise AuthFailed("this credential was used before: the device is unlinked", refresh="reused",
                         hint=f"somebody may have a copy; {AGAIN}")  # fmt: skip

    async def visit(self, device: Device, address: str) -> None:
        """Notes that a device was used, once in a while."""
        if (now := self._now()) - device.seen >= SEEN:
            await self._change(device.id, lambda one: {"seen": max(one.seen, now), "address": address})

    async def look(self, open: Iterable[str] = ()) -> None:
        """Tells of what other processes unlinked; of the devices in *open* also those that are over, or erased."""
        for mark in await self._host.kv.list(GONE):
            id = mark.key.removeprefix(GONE)
            if id not in self._told:
                self._tell(id)
                await self._host.kv.delete(DEVICE + id)  # a process that died may have left it
            if mark.value < self._now() - DAY:
                await self._host.kv.delete(mark.key)
                self._told.discard(id)
        if asked := set(open):
            for id in asked - {each.id for each in await self.all()}:
                self._tell(id)

    def _tell(self, id: str) -> None:
        self._told.add(id)
        for call in self._calls:
            call(id)

    async def _change(self, id: str, change: Callable[[Device], dict[str, Any]]) -> Device:
        """Changes a device as it is at this moment, whatever was read before. `AuthFailed` if it is gone."""
        async with self._lock:
            device = await self.get(id)
            if device is None:
                raise unlinked()
            device = msgspec.structs.replace(device, **change(device))
            await self._put(device)
        return device

    async def _put(self, device: Device) -> None:
        """Writes a device, unless it was unlinked meanwhile: whoever unlinks leaves the mark before they delete, so
        that one of the two sees the other, whichever processes they are."""
        with anyio.CancelScope(shield=True):
            await self._host.kv.put(Entry(DEVICE + device.id, msgspec.to_builtins(device), device.person))
            if await self._host.kv.get(GONE + device.id) is None:
                return
            await self._host.kv.delete(DEVICE + device.id)
        raise unlinked()

    async def _tidy(self, known: Sequence[Device]) -> None:
        """Deletes what is over, when something new comes."""
        alive = {each.id for each in known}
        for entry in await self._host.kv.list(DEVICE):
            device = msgspec.convert(entry.value, Device)
            if device.id not in alive and device.ends <= self._now():
                await self._host.kv.delete(entry.key)


def unlinked() -> AuthFailed:
    """What a device is told that is none any more."""
    return AuthFailed("this device was unlinked", hint=AGAIN)
