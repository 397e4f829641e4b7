"""The devices of people, in the plugin's own store: each request looks there, so that unlinking counts at once.

A device that refreshes gets a new pair. The refresh credential before it still counts once more while the new pair was
never used, because the answer may have been lost on its way; after that, whoever shows it has a copy, and the device is
unlinked: nobody can tell which of the two is the thief.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable, Sequence

import anyio
import msgspec

from gitu_core.contracts import Entry, Host, Value
from gitu_core.errors import AuthFailed, InputError
from gitu_web.auth.signing import Signer, digest, held, new_secret, parted, same
from gitu_web.visitor import Kind, Scope

log = logging.getLogger("gitu.plugins.web")

DEVICE, KEY = "device/", "auth/key"
DAY = 86_400.0
LASTS: dict[Kind, float] = {"terminal": 90 * DAY, "app": 90 * DAY, "browser": 30 * DAY, "key": 3_650 * DAY}
"""Seconds for which a device is known without showing itself; each refresh or visit of a browser begins anew."""

ACCESS = 900.0
"""Seconds that an access credential counts."""

SEEN = 60.0
"""Seconds between two notes of when a device was last used."""

MOST = 200
"""Devices of one person."""


class Device(Value, frozen=True):
    """A device of a person. `secret` and `before` are digests of the credential that counts and of the one before it;
    `tried`: the pair of this `generation` was used. Times are in seconds since 1970, UTC."""

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
    before: str = ""
    generation: int = 1
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


class Devices:
    """Keeps devices."""

    def __init__(self, host: Host, now: Callable[[], float]) -> None:
        self._host, self._now = host, now
        self._signer: Signer | None = None
        self._lock = anyio.Lock()
        self._gone: list[Callable[[str], None]] = []

    def on_unlink(self, call: Callable[[str], None]) -> None:
        """*call* is told of each device that is unlinked."""
        self._gone.append(call)

    async def signer(self) -> Signer:
        """Signs with the server's key, which is made once."""
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
        now, secret = self._now(), new_secret()
        device = Device(secrets.token_hex(8), person, name or kind, kind, tuple(dict.fromkeys(scopes)), now, now,
                        now + LASTS[kind], address, digest(secret))  # fmt: skip
        await self._put(device)
        await self._tidy(known)
        log.info("device %s (%s) of %s was linked from %s", device.id, kind, person, address or "here")
        return device, secret

    async def unlink(self, id: str, person: str = "") -> bool:
        """Ends a device, of *person* only where given; tells whether there was one."""
        device = await self.get(id)
        if device is None or (person and device.person != person):
            return False
        await self._host.kv.delete(DEVICE + id)
        for call in self._gone:
            call(id)
        log.info("device %s of %s was unlinked", id, device.person)
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
            raise AuthFailed("the credential is not one of this server", hint="pair the device: gitu auth TOKEN")
        if found.ends <= self._now():
            raise AuthFailed("the credential is over", hint="get the next one: POST /v1/auth/refresh")
        device = await self.get(found.device)
        if device is None:
            raise AuthFailed("this device was unlinked", hint="pair it again: gitu auth TOKEN")
        if found.generation not in (device.generation, device.generation - 1):
            raise AuthFailed("the credential was replaced", hint="use the newest one")
        if found.generation == device.generation and not device.tried:
            device = msgspec.structs.replace(device, tried=True)
            await self._put(device)
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
        async with self._lock:
            device = await self.get(id) if kind == "gr1" and id else None
            if device is None or device.kind not in ("terminal", "app"):
                raise AuthFailed("this device is not known", hint="pair it again: gitu auth TOKEN")
            shown, fresh = digest(secret), new_secret()
            if same(shown, device.secret):
                change = {"secret": digest(fresh), "before": device.secret, "generation": device.generation + 1}
            elif device.before and same(shown, device.before) and not device.tried:
                change = {"secret": digest(fresh)}  # nobody has used the pair that this one was exchanged for
            elif device.before and same(shown, device.before):
                await self.unlink(id)
                log.warning("a refresh credential of device %s was used twice: it is unlinked", id)
                raise AuthFailed("this credential was used before: the device is unlinked", refresh="reused",
                                 hint="somebody may have a copy; pair it again: gitu auth TOKEN")  # fmt: skip
            else:
                raise AuthFailed("the credential is not one of this server", hint="pair the device: gitu auth TOKEN")
            now = self._now()
            device = msgspec.structs.replace(device, **change, tried=False, seen=now, ends=now + LASTS[device.kind])
            await self._put(device)
        return await self.pair(device, fresh)

    async def visit(self, device: Device, address: str) -> None:
        """Notes that a device was used, once in a while."""
        now = self._now()
        if now - device.seen < SEEN and device.address == address:
            return
        ends = now + LASTS[device.kind] if device.kind == "browser" else device.ends
        await self._put(msgspec.structs.replace(device, seen=now, address=address, ends=ends))

    async def _put(self, device: Device) -> None:
        await self._host.kv.put(Entry(DEVICE + device.id, msgspec.to_builtins(device), device.person))

    async def _tidy(self, known: Sequence[Device]) -> None:
        """Deletes what is over, when something new comes."""
        alive = {each.id for each in known}
        for entry in await self._host.kv.list(DEVICE):
            device = msgspec.convert(entry.value, Device)
            if device.id not in alive and device.ends <= self._now():
                await self._host.kv.delete(entry.key)
