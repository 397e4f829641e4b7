"""What the routes share: one open site, from the start of the server to its end, and who visits it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import anyio
from starlette.requests import HTTPConnection, Request

from gitu_core.errors import InputError
from gitu_web.functions import Functions
from gitu_web.limits import Rates
from gitu_web.settings import Settings

if TYPE_CHECKING:
    from gitu_core.contracts import Host, Inbox
    from gitu_web.auth.doors import Doors
    from gitu_web.hub import Hub
    from gitu_web.mailbox import Mailboxes
    from gitu_web.visitor import Guard, Scope, Visitor

UPLOADS = 8
"""Files that are taken in at once; more wait."""


@dataclass
class Site:
    """Everything a route may need; `of` gives it to a route. `doors` let people in, `guard` asks them;
    `rates` are those of visitors, by device; `waiting` is what could not be tried, and may be kept all the same."""

    host: Host
    settings: Settings
    inbox: Inbox
    guard: Guard
    boxes: Mailboxes
    doors: Doors
    uploads: anyio.Semaphore = field(default_factory=lambda: anyio.Semaphore(UPLOADS))
    waiting: dict[str, Any] = field(default_factory=dict)
    rates: Rates = field(default_factory=lambda: Rates(600, "requests of this device"))

    @property
    def hub(self) -> Hub:
        """Who is connected."""
        return self.boxes.hub

    @cached_property
    def functions(self) -> Functions:
        """The calls of programs' functions."""
        return Functions(self.host.kv)

    @classmethod
    def of(cls, connection: HTTPConnection) -> Site:
        """The site that a request is for."""
        found = connection.app.state.site
        assert isinstance(found, cls)
        return found


@dataclass
class Visit:
    """Somebody asks for something: a request, its site and its visitor. `of` lets them in."""

    request: Request
    site: Site
    visitor: Visitor

    @classmethod
    async def of(cls, request: Request, scope: Scope = "chat") -> Visit:
        """Who asks. `AuthFailed` for a stranger, `Denied` for who may not do this."""
        site = Site.of(request)
        return cls(request, site, await site.guard.visitor(request, scope))

    @property
    def query(self) -> Mapping[str, str]:
        """What stands behind the address."""
        return self.request.query_params

    @property
    def admin(self) -> Any:
        """The host's facet for whoever runs the installation."""
        return self.site.host.admin

    @property
    def by(self) -> str:
        """Who does it, for the log."""
        return f"{self.visitor.person} ({self.visitor.name})"

    @property
    def person(self) -> str:
        """Whose things are meant: one's own, or as an admin those of the user who is named, or of everybody (``*``)."""
        said = self.query.get("user", "")
        if said in ("", self.visitor.person):
            return self.visitor.person
        if not self.visitor.admin:
            raise InputError("there is no such user", hint="leave out user", status=404)
        return "" if said == "*" else said

    async def configure(self, id: str, changes: Mapping[str, Any]) -> None:
        """Changes what a plugin is told. `ConfigError` names the setting that is not good. What would keep this server
        itself from coming back is not good either: nobody could mend it from here."""
        if id == self.site.host.plugin:
            told = {**(await self.admin.configuration(id))["values"], **changes}
            Settings.of({name: str(told[name]) for name in ("host", "public_url") if told.get(name)})
        await self.admin.configure([(("plugins", id, name), each) for name, each in changes.items()], by=self.by)
