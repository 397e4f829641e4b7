"""Codes that are typed or clicked: each counts once and soon ends. The store keeps digests of them alone."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence

import msgspec

from gitu_core.contracts import Entry, Host, Value
from gitu_web.auth.signing import digest
from gitu_web.visitor import Scope

CODE = "code/"
ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
"""Crockford's: nothing in it looks like anything else."""

LENGTH, PAIRING, LINK = 10, 300.0, 900.0
"""Characters of a code (50 bits); seconds that a code for a device counts, and a link for a browser."""

_MEANT = str.maketrans({"O": "0", "I": "1", "L": "1", "-": "", " ": ""})


class Code(Value, frozen=True):
    """What a code is good for."""

    person: str
    scopes: tuple[Scope, ...]
    ends: float
    by: str = ""


class Codes:
    """Makes codes and takes them."""

    def __init__(self, host: Host, now: Callable[[], float]) -> None:
        self._host, self._now = host, now

    async def make(self, person: str, scopes: Sequence[Scope], seconds: float = PAIRING, by: str = "") -> str:
        """A code, as it is to be shown: ``ABCDE-FGHJK``."""
        await self._tidy()
        code = "".join(secrets.choice(ALPHABET) for _ in range(LENGTH))
        made = Code(person, tuple(scopes), self._now() + seconds, by)
        await self._host.kv.put(Entry(CODE + digest(code), msgspec.to_builtins(made), person))
        return f"{code[:5]}-{code[5:]}"

    async def take(self, typed: str) -> Code | None:
        """What a code is good for, once. None where it does not count, or no more."""
        code = typed.strip().upper().translate(_MEANT)
        if len(code) != LENGTH or set(code) - set(ALPHABET):
            return None
        key = CODE + digest(code)
        entry = await self._host.kv.get(key)
        # Of two who come at once one deletes it, whichever process they come to.
        if entry is None or not await self._host.kv.delete(key):
            return None
        found = msgspec.convert(entry.value, Code)
        return found if found.ends > self._now() else None

    async def _tidy(self) -> None:
        for entry in await self._host.kv.list(CODE):
            if msgspec.convert(entry.value, Code).ends <= self._now():
                await self._host.kv.delete(entry.key)
