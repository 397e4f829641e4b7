"""The master keys: where they are kept, found, added and dropped. They are never in the database nor in a backup.

A place holds one key or several, a line each (base64 of 32 bytes). What any of them wraps can be read; the first one is
the one to wrap with. So a key can be replaced while processes run: each of them looks again for one that it does not
know.

    env:NAME       an environment variable; only whoever starts the program can change it
    file:PATH      a file that its owner alone may read, in place of ``<home>/master.key``
    keyring:NAME   the keyring of the operating system, under the service ``gitu``

Where nothing is said it is the variable `VARIABLE` where that is set, else the file, which is made at first use.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import os
import time
from pathlib import Path
from typing import Any

from gitu_core.errors import ConfigError, KeyUnavailable
from gitu_core.locks import lock
from gitu_core.secrecy import keep_secret
from gitu_core.store.files import write_whole

VARIABLE = "GITU_MASTER_KEY"
FILE = "master.key"
SERVICE, ACCOUNT = "gitu", "master"
"""Where the operating system's keyring has the keys, unless the setting names another account."""

SIZE = 32
_MAKE = "head -c 32 /dev/urandom | base64"
_WAIT = 10.0
"""Seconds to wait for another process that changes the keys of a place."""


def fingerprint(master: bytes) -> str:
    """What tells one master key from another without giving it away."""
    return hashlib.blake2b(master, digest_size=8, person=b"gitu-master").hexdigest()


class Master:
    """The place of the master keys: *where* is a reference as above, or one key itself."""

    def __init__(self, home: Path | None, where: bytes | str | None = None) -> None:
        self.home, self._given = home, where if isinstance(where, bytes) else None
        self._where = where if isinstance(where, str) else ""

    def find(self) -> dict[str, bytes]:
        """The keys by their fingerprints, the one to wrap with first; none where there is none. `KeyUnavailable` if
        they cannot be read, `ConfigError` if something else is there."""
        if self._given is not None:
            return {fingerprint(key): key for key in (_checked(self._given, "master_key"),)}
        kind, name = self._place()
        text = _KINDS[kind][0](name) if kind else None
        found = {}
        for line in (text or "").split():
            key = _decoded(line, str(self))
            found[fingerprint(key)] = key
            keep_secret(f"master key {fingerprint(key)}", line)
        return found

    def make(self) -> dict[str, bytes]:
        """The keys; the first one is made and kept where there is none."""
        if found := self.find():
            return found
        if not self._place()[0]:
            self._given = os.urandom(SIZE)  # without a home the database lives in memory, and the key with it
            return self.find()
        return self.add(os.urandom(SIZE), None)

    def add(self, key: bytes, before: str | None = "") -> dict[str, bytes]:
        """Keeps one more key. It becomes the first one where the first is *before* (None: where there is none), so that
        of two who rotate at once only one makes a key; with ``""`` it becomes the last."""
        with self._changing():
            found = self.find()
            if before == "":
                return self._keep({**found, fingerprint(key): key})
            return found if next(iter(found), None) != before else self._keep({fingerprint(key): key, **found})

    def drop(self, name: str) -> None:
        """Forgets the key with this fingerprint."""
        with self._changing():
            self._keep({each: key for each, key in self.find().items() if each != name})

    def _keep(self, keys: dict[str, bytes]) -> dict[str, bytes]:
        kind, name = self._place()
        _KINDS[kind][1](name, "".join(f"{base64.b64encode(key).decode()}\n" for key in keys.values()))
        if list(self.find()) != list(keys):
            raise KeyUnavailable(f"{self} did not keep what was written", hint="keep the key in a file", field=FILE)
        return keys

    def _place(self) -> tuple[str, str]:
        kind, _, rest = self._where.partition(":")
        if not kind and self._given is None:
            if os.environ.get(VARIABLE):
                return "env", VARIABLE
            return ("file", str(self.home / FILE)) if self.home is not None else ("", "")
        if kind and (kind not in _KINDS or (kind != "keyring" and not rest)):
            raise ConfigError(f"master_key is {self._where!r}", hint="use env:NAME, file:/path or keyring:NAME",
                              field="master_key")  # fmt: skip
        return kind, (rest or ACCOUNT)

    def __str__(self) -> str:
        kind, name = self._place()
        return f"the OS keyring ({SERVICE}, {name})" if kind == "keyring" else name if kind else "the program"

    def hint(self, name: str) -> str:
        """How to bring the key *name* back."""
        kind, place = self._place()
        if kind == "env":
            return f"set {place} to it; several keys may stand there with blanks between"
        if kind == "keyring":
            return "gitu keys add < FILE puts it there"
        file = f"put the file {Path(place).name} back to {Path(place).parent}"
        return (file if self._where else f"set {VARIABLE} or {file}") if kind else "hand it in"

    @contextlib.contextmanager
    def _changing(self) -> Any:
        """Keeps other processes from changing the place meanwhile."""
        kind, name = self._place()
        if kind in ("", "env"):
            _unwritable(name if kind else "the key that the program was given", "")
        path = Path(name).expanduser() if kind == "file" else (self.home or Path()) / FILE
        until = time.monotonic() + _WAIT
        while (held := lock(path.with_name(f"{path.name}.lock"))) is None:
            if time.monotonic() > until:
                raise KeyUnavailable(f"another process changes {self}", hint="try again", field=FILE)
            time.sleep(0.05)
        try:
            yield
        finally:
            os.close(held)


# ---- kinds of places ---------------------------------------------------------------------------------------


def _unwritable(name: str, text: str) -> None:
    hint = f"set it to a new key, and behind that the old one where there is one, with a blank between: {_MAKE}"
    raise KeyUnavailable(f"{name} cannot be changed from here", hint=hint, field=name)


def _read_file(name: str) -> str | None:
    path = Path(name).expanduser()
    try:
        with path.open("rb") as file:
            if os.name == "posix" and (mode := os.fstat(file.fileno()).st_mode) & 0o077:
                what = f"{path} can be read by others (its mode is {mode & 0o777:o})"
                raise KeyUnavailable(what, hint=f"chmod 600 {path}", field=FILE)
            return file.read().decode("ascii", "replace")
    except FileNotFoundError:
        return None
    except OSError as error:
        hint = f"make {path} a file that belongs to the user who runs Gitu: chown USER {path}"
        raise KeyUnavailable(f"{path} cannot be read: {error.strerror}", hint=hint, field=FILE) from error


def _ask_keyring(name: str, text: str | None = None) -> str | None:
    hint = 'unlock or install one, or keep the key elsewhere: master_key = "file:/path"'
    try:
        import keyring
        from keyring.backends.fail import Keyring as Nobody
        from keyring.errors import KeyringError
    except ImportError:
        raise KeyUnavailable("the OS keyring needs the package keyring", hint="pip install 'gitu-core[keyring]'",
                             field="master_key") from None  # fmt: skip
    if isinstance(keyring.get_keyring(), Nobody):
        raise KeyUnavailable("there is no keyring of the operating system here", hint=hint, field="master_key")
    try:
        if text is None:
            found: str | None = keyring.get_password(SERVICE, name)
            return found
        keyring.set_password(SERVICE, name, text)
    except KeyringError as error:
        what = f"the OS keyring cannot be used: {type(error).__name__} {error}"
        raise KeyUnavailable(what, hint=hint, field="master_key") from error
    return None


_KINDS: dict[str, Any] = {
    "env": (os.environ.get, _unwritable), "keyring": (_ask_keyring, _ask_keyring),
    "file": (_read_file, lambda name, text: write_whole(Path(name).expanduser(), text.encode())),
}  # fmt: skip
"""How the keys of each kind of place are read and written."""


def _decoded(text: str, where: str) -> bytes:
    try:
        return _checked(base64.b64decode(text, validate=True), where)
    except ValueError:
        raise ConfigError(f"{where} is not base64", hint="it holds 32 bytes in base64", field=where) from None


def _checked(key: bytes, where: str) -> bytes:
    if len(key) != SIZE:
        raise ConfigError(f"{where} holds {len(key)} bytes", hint="a master key is 32 bytes in base64", field=where)
    return key
