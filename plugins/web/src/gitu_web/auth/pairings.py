"""A device that asks to be let in: it shows a picture of an address, and somebody who is in says yes or no there.

Kept in memory for two minutes: whoever asks waits on a connection, and asks again where that breaks.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

import anyio

from gitu_core.contracts import Value
from gitu_core.errors import Denied, InputError, LimitReached
from gitu_web.auth.codes import ALPHABET
from gitu_web.auth.signing import digest, new_secret, same
from gitu_web.visitor import Scope

SECONDS, MOST = 120.0, 100
"""How long a device may ask, and how many may ask at once."""


class Asked(Value, frozen=True):
    """What is shown of a device before somebody says yes. `words` stand on its screen too."""

    id: str
    name: str
    system: str
    address: str
    words: str
    ends: float


@dataclass
class Asking:
    """A device that asks. `answer` is who let it in, and how far; None while nobody did, or where it was refused."""

    asked: Asked
    secret: str
    state: Literal["waiting", "accepted", "refused", "taken"] = "waiting"
    person: str = ""
    scopes: tuple[Scope, ...] = ()
    answered: anyio.Event = field(default_factory=anyio.Event)


class Pairings:
    """The devices that ask now."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._open: dict[str, Asking] = {}

    def ask(self, name: str, system: str, address: str) -> tuple[Asked, str]:
        """A device asks; gives what is shown, and the secret that it waits with."""
        self._open = {id: each for id, each in self._open.items() if each.asked.ends > self._now()}
        if len(self._open) >= MOST:
            raise LimitReached("too many devices ask to be let in", hint="try again in two minutes", limit="pairings")
        words = "".join(secrets.choice(ALPHABET) for _ in range(6))
        ends, secret = self._now() + SECONDS, new_secret()
        asked = Asked(secrets.token_urlsafe(12), _line(name) or "a device", _line(system), address,
                      f"{words[:3]}-{words[3:]}", ends)  # fmt: skip
        self._open[asked.id] = Asking(asked, digest(secret))
        return asked, secret

    def get(self, id: str) -> Asked:
        """What a device asks. `InputError` if none asks, or no more."""
        return self._waiting(id).asked

    def answer(self, id: str, person: str, scopes: tuple[Scope, ...] | None) -> None:
        """Lets a device in for *person*, as far as *scopes* say, or refuses it (None)."""
        found = self._waiting(id)
        found.state = "refused" if scopes is None else "accepted"
        found.person, found.scopes = person, scopes or ()
        found.answered.set()

    async def wait(self, id: str, secret: str) -> Asking | None:
        """Waits for the answer; None where nobody answered in time. `Denied` for whoever does not ask there."""
        found = self._open.get(id)
        if found is None or not same(digest(secret), found.secret):
            raise Denied("nobody asks under this name", hint="ask again: gitu auth --qr")
        with anyio.move_on_after(max(0.0, found.asked.ends - self._now())):
            await found.answered.wait()
        if not found.answered.is_set() or found.state == "taken":
            return None
        return found

    def taken(self, asking: Asking) -> bool:
        """The answer is handed over, once; False where it was before."""
        first = asking.state != "taken"
        asking.state = "taken"
        return first

    def _waiting(self, id: str) -> Asking:
        found = self._open.get(id)
        if found is None or found.asked.ends <= self._now() or found.state != "waiting":
            what = (
                "no device asks here, or it was answered"
                if found is None or found.state == "waiting"
                else ("this device was answered")
            )
            raise InputError(what, hint="let the device ask again", status=404)
        return found


def _line(text: str) -> str:
    return " ".join("".join(each for each in text if each.isprintable() or each.isspace()).split())[:80]
