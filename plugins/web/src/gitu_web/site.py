"""What the routes share: one open site, from the start of the server to its end."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

import anyio
from starlette.requests import HTTPConnection

from gitu_web.functions import Functions
from gitu_web.limits import Rates

if TYPE_CHECKING:
    from gitu_core.contracts import Host, Inbox
    from gitu_web.auth.doors import Doors
    from gitu_web.hub import Hub
    from gitu_web.mailbox import Mailboxes
    from gitu_web.settings import Settings
    from gitu_web.visitor import Guard

UPLOADS = 8
"""Files that are taken in at once; more wait."""


@dataclass
class Site:
    """Everything a route may need; `of` gives it to a route. `doors` let people in, `guard` asks them;
    `rates` are those of visitors, by device."""

    host: Host
    settings: Settings
    inbox: Inbox
    guard: Guard
    boxes: Mailboxes
    doors: Doors
    uploads: anyio.Semaphore = field(default_factory=lambda: anyio.Semaphore(UPLOADS))
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
