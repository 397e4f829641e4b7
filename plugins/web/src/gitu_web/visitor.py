"""Who is at the door: a device of a person, as every route sees it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, Protocol

from starlette.requests import HTTPConnection

from gitu_core.contracts import Account, Value

CHANNEL = "web"
"""The name of the channel; a person's account there is called like the person."""

Kind = Literal["browser", "terminal", "app", "key"]
Scope = Literal["chat", "admin"]


class Visitor(Value, frozen=True):
    """A signed-in device. `person` is whom it speaks for; `scopes`: ``chat`` = talk and see one's own, ``admin`` = look
    after the whole installation. `csrf` is what a form of this browser session has to carry."""

    person: str
    device: str
    name: str
    kind: Kind
    scopes: frozenset[Scope] = frozenset({"chat"})
    csrf: str = ""

    @property
    def account(self) -> Account:
        """Its person's account on this channel."""
        return Account(CHANNEL, self.person, self.name)

    @property
    def admin(self) -> bool:
        """True if it may look after the installation."""
        return "admin" in self.scopes


class Guard(Protocol):
    """Tells visitors from strangers. `gitu_web.auth` has the real one."""

    async def visitor(self, connection: HTTPConnection, scope: Scope = "chat") -> Visitor:
        """Who asks: by ``Authorization: Bearer``, or by the cookie of a browser; then what changes something has to
        come from our own origin and carry the CSRF token. `AuthFailed` (401) for strangers, `Denied` (403) for a
        visitor who may not do this, and for requests across sites."""

    async def maybe(self, connection: HTTPConnection) -> Visitor | None:
        """Who asks, or None for a stranger; for pages that send strangers to the sign-in."""

    def on_unlink(self, call: Callable[[str], None]) -> None:
        """*call* is told the id of each device that is unlinked, at once: open connections of it are closed."""
