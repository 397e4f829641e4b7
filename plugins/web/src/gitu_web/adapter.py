"""The channel: a web server as long as it receives; what is said goes into mailboxes, whoever is connected."""

from __future__ import annotations

import logging
import sys
from typing import TYPE_CHECKING

from gitu_core.contracts import Channel, Conversation, Delivery, Health, Media, Outgoing, TurnEvent
from gitu_core.errors import ConfigError, FacetUnavailable, GituError, InputError
from gitu_web.files import remember
from gitu_web.hub import Hub
from gitu_web.listening import frame_of
from gitu_web.mailbox import Mailboxes
from gitu_web.settings import Settings
from gitu_web.visitor import CHANNEL, Guard

if TYPE_CHECKING:
    from gitu_core.contracts import Host, Inbox

log = logging.getLogger("gitu.plugins.web")


class WebAdapter:
    """Browsers and apps."""

    channel = Channel(
        CHANNEL, delivery="idempotent", markdown=True, buttons=True, streams=True, trusted=True, access="paired",
        media=frozenset({"image", "audio", "voice", "video", "file", "location"}),
    )  # fmt: skip

    def __init__(self, host: Host, guard: Guard | None = None) -> None:
        self._host, self._guard = host, guard  # another guard than the doors is for tests
        self._hub = Hub()
        self._boxes: Mailboxes | None = None
        self._health = Health("starting")

    async def receive(self, inbox: Inbox) -> None:
        """Serves the site, until cancelled."""
        from gitu_web.app import make_app
        from gitu_web.auth.making import doors_of
        from gitu_web.auth.watching import watching
        from gitu_web.limits import Limited
        from gitu_web.server import serve
        from gitu_web.site import Site

        try:
            await self._trusted()
            settings = Settings.of(self._host.config)
            doors = doors_of(self._host)
            guard = Limited(self._guard or doors, settings)
            guard.on_unlink(self._hub.unlinked)
            site = Site(self._host, settings, inbox, guard, self._mailboxes(), doors, rates=guard.visitors)
            app = make_app(site)
            if not settings.loopback:
                log.warning("%s can be reached from outside; everybody has to sign in, and nothing is encrypted without"
                            " a proxy that holds a certificate", settings.host)  # fmt: skip
            log.info("listens on %s", settings.url)
            if self._guard is None and (link := await doors.welcome()):
                print(
                    f"Nobody has signed in yet. Open this within 15 minutes; it counts once:\n{link}", file=sys.stderr
                )
            self._health = Health("ok")
            async with watching(doors, self._hub.devices, self._hub.out):
                await serve(app, settings, self._hub.end)
        except GituError as error:
            self._health = Health("failed", error.message, error.hint)
            raise

    async def _trusted(self) -> None:
        """It opens a port, and looks after the installation: nothing for a plugin that is not trusted."""
        try:
            await self._host.admin.plugins()
        except FacetUnavailable:
            raise ConfigError("the web server is not trusted to run", field="trusted",
                              hint="write trusted = true below [plugins.web] in gitu.toml") from None  # fmt: skip

    def _mailboxes(self) -> Mailboxes:
        if self._boxes is None:
            settings = Settings.of(self._host.config)
            self._boxes = Mailboxes(self._host.kv, self._hub, kept=settings.kept, days=settings.kept_days)
        return self._boxes

    async def send(self, outgoing: Outgoing) -> Delivery:
        """Puts it into the person's mailbox: it is delivered there, and read whenever a client comes."""
        try:
            for part in outgoing.parts:
                if isinstance(part, Media):
                    await remember(self._host, outgoing.conversation.id, part.blob, outgoing.label)
            return Delivery("sent", (await self._mailboxes().put(outgoing),))
        except InputError as error:  # it can never be stored
            return Delivery("not_sent", final=True, detail=error.message)
        except GituError as error:  # it may be stored: with the same key it is tried again without harm
            return Delivery("unknown", detail=error.message)

    async def verify(self, outgoing: Outgoing) -> Delivery:
        """Whether it is in the mailbox."""
        found = await self._mailboxes().has(outgoing.conversation.id, outgoing.key)
        return Delivery("sent", (found,)) if found else Delivery("not_sent")

    async def show(self, conversation: Conversation, event: TurnEvent) -> None:
        """Shows it to whoever of the person is connected."""
        self._hub.tell(conversation.id, frame_of(conversation, event))

    async def health(self) -> Health:
        """How the server is."""
        return self._health
