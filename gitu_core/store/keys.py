"""Sealing at rest: one data key a person, wrapped by a master key; destroying a person's key erases what it
sealed.

An *envelope* is ``scheme (1 byte) | key id (8) | nonce (12) | AES-256-GCM ciphertext and tag``. It names its
key, so that several generations can be in use while a key is being replaced. The associated data binds an
envelope to its row: moved to another row it does not open. The nonce is random: a key stays far below the
2^32 envelopes for which that is sound.

The master key comes from the environment variable `VARIABLE` (base64 of 32 bytes) or from the file
``master.key``, which is made at first use, readable by its owner only. It is never stored in the database nor
in a backup.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import os
import time
from collections.abc import Callable, Collection, Generator
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from gitu_core.errors import ConfigError, Damaged
from gitu_core.model.base import Salt

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

T = TypeVar("T")

VARIABLE = "GITU_MASTER_KEY"
FILE = "master.key"
SCHEME = b"\x01"
DATA, INDEX = "data", "index"
"""Purposes of keys: sealing what belongs to a person; digests of identifiers."""

_SIZE, _ID, _NONCE = 32, 8, 12
_HEAD = 1 + _ID + _NONCE
OVERHEAD = _HEAD + 16
"""Bytes that an envelope is longer than what it holds."""

CIPHERS = 1_000
"""Ciphers that stay made, the last used."""

_nonces = Salt(_NONCE)

Script = Generator[Any, Any, Any]
"""Database work: yields (statement, parameters), is sent the rows; or yields an `Operation`, is sent what
that gives. It runs the same on both engines."""

ScriptOf = Generator[Any, Any, T]
"""A script that returns a value of a type."""


def fingerprint(master: bytes) -> str:
    """What tells one master key from another without giving it away."""
    return hashlib.blake2b(master, digest_size=8, person=b"gitu-master").hexdigest()


class Master:
    """The master key: where it is looked for, and made."""

    def __init__(self, home: Path | None, key: bytes | None = None) -> None:
        self.home, self._key = home, key
        self.path = None if home is None else home / FILE

    def find(self) -> bytes | None:
        """The key from argument, environment or file; None if there is none. `ConfigError` if it is
        unusable."""
        if self._key is not None:
            return _checked(self._key, "master_key")
        if value := os.environ.get(VARIABLE, ""):
            return _decoded(value, VARIABLE)
        path = self.path
        if path is None or not path.is_file():
            return None
        if os.name == "posix" and path.stat().st_mode & 0o077:
            raise ConfigError(f"{path} can be read by others", hint=f"chmod 600 {path}", field=FILE)
        return _decoded(path.read_text("ascii", "replace"), str(path))

    def make(self) -> bytes:
        """The key; made and written to the file where there is none."""
        if found := self.find():
            return found
        path = self.path
        if path is None:
            # Without a home the database lives in memory, and the key with it.
            self._key = os.urandom(_SIZE)
            return self._key
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_name(f".{FILE}.{os.getpid()}.{os.urandom(4).hex()}")
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(base64.b64encode(os.urandom(_SIZE)) + b"\n")
            file.flush()
            os.fsync(file.fileno())
        # A link appears whole or not at all; where another process was faster, its key counts.
        with contextlib.suppress(FileExistsError):
            os.link(draft, path)
        draft.unlink()
        return self.make()


def _decoded(text: str, where: str) -> bytes:
    try:
        return _checked(base64.b64decode(text.strip(), validate=True), where)
    except ValueError:
        raise ConfigError(f"{where} is not base64", hint="it holds 32 bytes in base64", field=where) from None


def _checked(key: bytes, where: str) -> bytes:
    if len(key) != _SIZE:
        raise ConfigError(f"{where} holds {len(key)} bytes", hint="a master key is 32 bytes in base64", field=where)
    return key


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
        raise Damaged(words, hint="restore a backup", what=what) from None


class Keyring:
    """The keys of one tenant, loaded when they are needed and kept.

    `ensure` and `load` are scripts; `seal`, `opened` and `digest` need what those have loaded.
    """

    def __init__(self, tenant: str, master: Master, now: Callable[[], float] = time.time, limit: int = 5_000) -> None:
        self._tenant, self._source, self._now, self._limit = tenant, master, now, limit
        self._master = b""
        self._index = b""
        self._index_row: tuple[Any, ...] = ()
        # Two generations: what is loaded stays until `limit` others were loaded after it, so that a thread
        # never loses a key between loading and using it.
        self._loaded: dict[bytes, bytes] = {}
        self._older: dict[bytes, bytes] = {}
        self._current: dict[str, tuple[bytes, bytes]] = {}
        self._former: dict[str, tuple[bytes, bytes]] = {}
        # A cipher takes forty times as much memory as its key: only those in use are kept.
        self._cipher = lru_cache(CIPHERS)(_cipher)

    def begin(self) -> Script:
        """Finds the master key and the tenant's digest key; makes both for a new database. `ConfigError` if
        the master key is missing or another one."""
        found = self._source.find()
        if found is None and (yield "keys_current", (self._tenant, "", INDEX)):
            hint = f"set {VARIABLE} or put the file {FILE} back to {self._source.home}"
            raise ConfigError("the database is sealed and its master key is missing", hint=hint, field=VARIABLE)
        self._master = found or self._source.make()
        # The digest key itself is unwrapped with the first digest: opening a database loads no cipher.
        row = yield from self._made("", INDEX)
        self._check_master(row)
        self._index_row = tuple(row)

    def lacks(self, people: Collection[str]) -> bool:
        """True if somebody's sealing key has not been loaded."""
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
            raise Damaged(f"{what} is not a sealed value", hint="restore a backup", what=what)
        secret = self._known(bytes(envelope[1 : 1 + _ID]))
        if secret is None:
            raise Damaged(f"the key of {what} does not exist any more", hint="it was erased", what=what)
        return _opened(self._cipher(secret), envelope, bound, what)

    def has(self, envelope: bytes) -> bool:
        """True if the key that opens an envelope was loaded; False after `load` if it is gone."""
        return self._known(envelope[1 : 1 + _ID]) is not None

    def mac(self, purpose: str, data: bytes) -> bytes:
        """A digest of *data* for one purpose that nobody can make without the master key; 32 bytes."""
        if not self._index:
            self._index = self._unwrapped(self._index_row)
        return hashlib.blake2b(data, key=self._index, person=purpose.encode(), digest_size=32).digest()

    def digest(self, *names: str) -> bytes:
        """A digest of identifiers that nobody can try out without the master key; 16 bytes, always the
        same."""
        if not self._index:
            self._index = self._unwrapped(self._index_row)
        text = "\x00".join([f"{len(name)}:{name}" for name in names])
        return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), key=self._index, digest_size=16).digest()

    def _made(self, person: str, purpose: str) -> Script:
        """The row of a key; made where there is none."""
        if rows := (yield "keys_current", (self._tenant, person, purpose)):
            return rows[0]
        key, generation, master = os.urandom(_ID), 1, fingerprint(self._master)
        bound = self._bound(key, person, purpose)
        wrapped = _envelope(_cipher(self._master), bytes.fromhex(master), os.urandom(_SIZE), bound)
        made = yield "key_add", (self._tenant, key, person, purpose, generation, master, wrapped, self._now())
        # Somebody else may have made the same key now; the first one counts.
        return (made or (yield "keys_current", (self._tenant, person, purpose)))[0]

    def _known(self, key: bytes) -> bytes | None:
        return self._loaded.get(key) or self._older.get(key)

    def _keep(self, row: Any) -> bytes:
        key = bytes(row[0])
        found = self._known(key)
        if found is None:
            self._check_master(row)
            found = self._unwrapped(row)
        if len(self._loaded) >= self._limit:
            self._older, self._loaded = self._loaded, {}
        self._loaded[key] = found
        return found

    def _unwrapped(self, row: Any) -> bytes:
        key, _, _, wrapped, person, purpose = row
        bound = self._bound(bytes(key), person, purpose)
        return _opened(_cipher(self._master), bytes(wrapped), bound, f"the key of {person or 'the tenant'}")

    def _bound(self, key: bytes, person: str, purpose: str) -> bytes:
        return "\x00".join((self._tenant, person, purpose, key.hex())).encode("utf-8", "surrogatepass")

    def _check_master(self, row: Any) -> None:
        if row[2] != fingerprint(self._master):
            what = f"the database was sealed with the master key {row[2]}, not {fingerprint(self._master)}"
            raise ConfigError(what, hint=f"set {VARIABLE} to the right key; nothing was changed", field=VARIABLE)
