"""Sealing at rest: one data key a person, wrapped by a master key; destroying a person's key erases what it
sealed.

An *envelope* is ``scheme (1 byte) | key id (8) | nonce (12) | AES-256-GCM ciphertext and tag``. It names its
key, so that several generations can be in use while a key is being replaced. The associated data binds an
envelope to its row: moved to another row it does not open. The nonce is random: a key stays far below the
2^32 envelopes for which that is sound.

Each key says by which master key it is wrapped (see `master`). New ones are wrapped by the one that wraps the tenant's
own key: its row is locked meanwhile, so that once it was wrapped anew nothing is wrapped by the former one any more.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable, Collection, Generator
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any, TypeVar

from gitu_core.errors import Damaged, KeyUnavailable
from gitu_core.model.base import Salt
from gitu_core.store.master import SIZE, VARIABLE, Master

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

T = TypeVar("T")

SCHEME = b"\x01"
DATA, INDEX = "data", "index"
"""Purposes of keys: sealing what belongs to a person; digests of identifiers."""

_ID, _NONCE = 8, 12
_HEAD = 1 + _ID + _NONCE
OVERHEAD = _HEAD + 16
"""Bytes that an envelope is longer than what it holds."""

CIPHERS = 1_000
"""Ciphers that stay made, the last used."""

LOST = "put it back with: gitu restore, from a backup; gitu doctor lists everything that is damaged"

REFRESH = 30.0
"""Seconds after which a process looks again which key seals for a person: another one may have made a new one."""

_nonces = Salt(_NONCE)

Script = Generator[Any, Any, Any]
"""Database work: yields (statement, parameters), is sent the rows; or yields an `Operation`, is sent what
that gives. It runs the same on both engines."""

ScriptOf = Generator[Any, Any, T]
"""A script that returns a value of a type."""


def _cipher(key: bytes) -> AESGCM:
    # Loading OpenSSL costs about 35 ms of CPU, so it waits until something is sealed or opened.
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    return AESGCM(key)


def _envelope(cipher: AESGCM, key: bytes, data: bytes, bound: bytes) -> bytes:
    nonce = _nonces.draw()
    return b"".join((SCHEME, key, nonce, cipher.encrypt(nonce, data, bound)))


def _opened(cipher: AESGCM, envelope: bytes, bound: bytes, what: str) -> bytes:
    from cryptography.exceptions import InvalidTag

    try:
        return cipher.decrypt(envelope[1 + _ID : _HEAD], envelope[_HEAD:], bound)
    except (InvalidTag, ValueError):
        words = f"{what} was changed outside of this program or belongs elsewhere"
        raise Damaged(words, hint=LOST, what=what) from None


class Keyring:
    """The keys of one tenant, loaded when they are needed and kept.

    `ensure` and `load` are scripts; `seal`, `opened` and `digest` need what those have loaded.
    """

    def __init__(self, tenant: str, master: Master, now: Callable[[], float] = time.time, limit: int = 5_000) -> None:
        self._tenant, self.source, self._now, self._limit = tenant, master, now, limit
        self._masters: dict[str, bytes] = {}
        self._index_row: tuple[Any, ...] = ()
        # Two generations: what is loaded stays until `limit` others were loaded after it, so that a thread
        # never loses a key between loading and using it.
        self._loaded: dict[bytes, bytes] = {}
        self._older: dict[bytes, bytes] = {}
        self._current: dict[str, tuple[bytes, bytes]] = {}
        self._former: dict[str, tuple[bytes, bytes]] = {}
        self._refreshed = 0.0
        # A cipher takes forty times as much memory as its key: only those in use are kept.
        self._cipher = lru_cache(CIPHERS)(_cipher)

    def begin(self) -> Script:
        """Finds the master keys and the tenant's digest key; makes both for a new database. `KeyUnavailable` if
        the master key is missing or another one."""
        self._masters = self.source.find()
        rows = yield "keys_current", (self._tenant, "", INDEX)
        if not self._masters and rows:
            what = f"the database is sealed and its master key is missing: {rows[0][2]}"
            raise KeyUnavailable(what, hint=self.source.hint(rows[0][2]), field=VARIABLE, key=rows[0][2])
        self._masters = self._masters or self.source.make()
        # The digest key itself is unwrapped with the first digest: opening a database loads no cipher.
        row = rows[0] if rows else (yield from self._made("", INDEX))
        self.master(row[2])
        self._index_row = tuple(row)

    def master(self, name: str) -> bytes:
        """The master key with that fingerprint, also where another process made it meanwhile. `KeyUnavailable` if it is
        not there."""
        if name not in self._masters:
            self._masters = {**self._masters, **self.source.find()}
        if name not in self._masters:
            known = ", ".join(self._masters) or "none"
            what = f"the database was sealed with the master key {name}; here is {known}, from {self.source}"
            raise KeyUnavailable(what, hint=f"{self.source.hint(name)}; nothing was changed", field=VARIABLE, key=name)
        return self._masters[name]

    def lacks(self, people: Collection[str]) -> bool:
        """True if somebody's sealing key has not been loaded, or not looked at for `REFRESH` seconds."""
        if abs(self._now() - self._refreshed) > REFRESH:
            self._former, self._current, self._refreshed = self._current, {}, self._now()
        return any(person not in self._current for person in people)

    def ensure(self, people: Collection[str]) -> Script:
        """Loads, or makes, the key that seals for each of *people*; ``""`` is the tenant itself."""
        if len(self._current) > self._limit:
            self._former, self._current = self._current, {}
        for person in people:
            if person in self._current:
                continue
            row = yield from self._made(person, DATA)
            self._current[person] = bytes(row[0]), self._keep(row)

    def forget(self, people: Collection[str]) -> None:
        """Nobody knows whether the keys of *people* were committed: they are looked for again before they seal."""
        for person in people:
            self._current.pop(person, None)

    def load(self, envelopes: Collection[bytes]) -> Script:
        """Loads the keys that open *envelopes*. A key that is gone is left out; `opened` says so."""
        for key in {bytes(envelope[1 : 1 + _ID]) for envelope in envelopes}:
            if self._known(key) is None:
                rows = yield "key_by_id", (self._tenant, key)
                if rows:
                    self._keep(rows[0])

    def seal(self, person: str, data: bytes, bound: bytes) -> bytes:
        """*data* in an envelope that opens only with the same *bound*."""
        key, secret = self._current.get(person) or self._former[person]
        return _envelope(self._cipher(secret), key, data, bound)

    def opened(self, envelope: bytes, bound: bytes, what: str) -> bytes:
        """What an envelope holds. `Damaged`, naming *what*, if it or its place changed or its key is gone."""
        if len(envelope) < OVERHEAD or envelope[:1] != SCHEME:
            raise Damaged(f"{what} is not a sealed value", hint=LOST, what=what)
        secret = self._known(bytes(envelope[1 : 1 + _ID]))
        if secret is None:
            raise Damaged(f"the key of {what} does not exist any more", hint="it was erased", what=what)
        return _opened(self._cipher(secret), envelope, bound, what)

    def is_current(self, person: str, envelope: bytes) -> bool:
        """True if the key that seals for a person now, which was loaded, sealed an envelope."""
        return self._current[person][0] == envelope[1 : 1 + _ID]

    def has(self, envelope: bytes) -> bool:
        """True if the key that opens an envelope was loaded; False after `load` if it is gone."""
        return self._known(envelope[1 : 1 + _ID]) is not None

    def mac(self, purpose: str, data: bytes) -> bytes:
        """A digest of *data* for one purpose that nobody can make without the master key; 32 bytes."""
        return hashlib.blake2b(data, key=self._index, person=purpose.encode(), digest_size=32).digest()

    def digest(self, *names: str) -> bytes:
        """A digest of identifiers that nobody can try out without the master key; 16 bytes, always the
        same."""
        text = "\x00".join([f"{len(name)}:{name}" for name in names])
        return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), key=self._index, digest_size=16).digest()

    @cached_property
    def _index(self) -> bytes:
        return self._unwrapped(self._index_row, self._tenant)

    def _made(self, person: str, purpose: str) -> Script:
        """The row of a key; made where there is none."""
        found = yield "keys_current", (self._tenant, person, purpose)
        return found[0] if found else (yield from self.new(person, purpose, 1))

    def new(self, person: str, purpose: str, generation: int) -> Script:
        """The row of the newest key, after one of that *generation* was made where there was none."""
        lead = yield "key_lead", (self._tenant, "", INDEX)
        master = lead[0][0] if lead else next(iter(self._masters))
        key = os.urandom(_ID)
        wrapped = self._wrapped(master, self._tenant, (key, person, purpose), os.urandom(SIZE))
        made = yield "key_add", (self._tenant, key, person, purpose, generation, master, wrapped, self._now())
        # Somebody else may have made the same key now; the first one counts.
        return (made or (yield "keys_current", (self._tenant, person, purpose)))[0]

    def rewrapped(self, row: Any, tenant: str, master: str) -> bytes:
        """The key of a row, of any tenant, wrapped by another master key."""
        key, _, _, _, person, purpose = row
        return self._wrapped(master, tenant, (bytes(key), person, purpose), self._unwrapped(row, tenant))

    def _known(self, key: bytes) -> bytes | None:
        return self._loaded.get(key) or self._older.get(key)

    def _keep(self, row: Any) -> bytes:
        key = bytes(row[0])
        found = self._known(key) or self._unwrapped(row, self._tenant)
        if len(self._loaded) >= self._limit:
            self._older, self._loaded = self._loaded, {}
        self._loaded[key] = found
        return found

    def _unwrapped(self, row: Any, tenant: str) -> bytes:
        key, _, master, wrapped, person, purpose = row
        bound, what = _bound(tenant, bytes(key), person, purpose), f"the key of {person or 'the tenant'}"
        return _opened(_cipher(self.master(master)), bytes(wrapped), bound, what)

    def _wrapped(self, master: str, tenant: str, names: tuple[bytes, str, str], secret: bytes) -> bytes:
        return _envelope(_cipher(self.master(master)), bytes.fromhex(master), secret, _bound(tenant, *names))


def _bound(tenant: str, key: bytes, person: str, purpose: str) -> bytes:
    return "\x00".join((tenant, person, purpose, key.hex())).encode("utf-8", "surrogatepass")
