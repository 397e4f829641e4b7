"""The channel in processes that die: with the real store, the real server, and people whose phones use the client. A
phone keeps its cursor in the world, and what it shows stands there."""

from __future__ import annotations

from typing import Any, cast

import anyio
import msgspec

from gitu_core.contracts import Ask, Delivery, Host, Inbox, Message, Outgoing, Receipt
from gitu_core.errors import AuthFailed, GituError
from gitu_core.testing.faults import hit
from gitu_core.testing.world import Happening, World, chosen
from gitu_web.adapter import WebAdapter
from gitu_web.client import Client
from gitu_web.protocol import Letter
from gitu_web.visitor import Visitor

from .around import Known, free_port

NEWS = 0.005
"""Seconds between two looks at the world."""


class Everybody(Known):
    """A guard that takes the name of a person for the token of their phone."""

    async def visitor(self, connection: Any, scope: Any = "chat") -> Visitor:
        """Whoever it is."""
        person = connection.headers.get("authorization", "").removeprefix("Bearer ")
        if not person:
            raise AuthFailed("there is no token")
        return Visitor(person, f"{person}-phone", person, "app")


class Hosts:
    """A plugin that is handed the host that the channel needs."""

    host: Host

    def gitu_adapters(self, host: Host) -> list[Any]:
        """No further channel."""
        type(self).host = host
        return []


class Around:
    """What the channel gets."""

    plugin = "web"

    def __init__(self) -> None:
        self.config = {"port": free_port(), "visitor_rate": 100_000, "address_rate": 100_000}
        self.kv, self.admin = Hosts.host.kv, self

    async def plugins(self) -> list[Any]:
        """Trusted."""
        return []


class Noting:
    """The inbox, with the point behind it."""

    def __init__(self, inbox: Inbox) -> None:
        self._inbox = inbox

    async def accept(self, message: Message) -> Receipt:
        """Accepts."""
        receipt = await self._inbox.accept(message)
        hit("world.accept")
        return receipt

    async def finished(self, id: str) -> None:
        """As the inbox says."""
        await self._inbox.finished(id)


class Dying:
    """The channel, made as soon as its host is there; and the phones of all people."""

    channel = msgspec.structs.replace(WebAdapter.channel, access="open")

    def __init__(self, world: World) -> None:
        self._world = world
        self._made: WebAdapter | None = None

    @property
    def _adapter(self) -> WebAdapter:
        if self._made is None:
            self._made = WebAdapter(cast(Host, Around()), Everybody())
        return self._made

    async def receive(self, inbox: Inbox) -> None:
        """Serves, and lets people use their phones."""
        failure: GituError | None = None
        url = f"http://127.0.0.1:{self._adapter._host.config['port']}"
        async with anyio.create_task_group() as group:
            group.start_soon(self._phones, url)
            try:
                await self._adapter.receive(Noting(inbox))
            except GituError as error:
                failure = error
            group.cancel_scope.cancel()
        if failure is not None:
            raise failure

    async def _phones(self, url: str) -> None:
        on = set[str]()
        async with anyio.create_task_group() as group:
            while True:
                for person in set(self._world.people) - on:
                    on.add(person)
                    group.start_soon(self._phone, url, person)
                await anyio.sleep(NEWS)

    async def _phone(self, url: str, person: str) -> None:
        cursor = next((each.id for each in reversed(self._world.events("read")) if each.user == person), "")
        async with Client(url, person, cursor=cursor) as client, anyio.create_task_group() as group:
            group.start_soon(self._speak, client, person)
            async for letter in client.letters():
                self._shown(person, letter)
                self._world.note("read", user=person, id=letter.cursor)

    async def _speak(self, client: Client, person: str) -> None:
        tried = set[str]()
        async with anyio.create_task_group() as group:
            while True:
                for said in self._world.unacknowledged():
                    if said.user == person and said.key not in tried:
                        tried.add(said.key)
                        group.start_soon(self._say, client, said)
                await anyio.sleep(NEWS)

    async def _say(self, client: Client, said: Happening) -> None:
        say = client.choose(said.ask, said.choice, key=said.key) if said.ask else client.say(said.text, key=said.key)
        self._world.note("acked", said.key, id=(await say).id)

    def _shown(self, person: str, letter: Letter) -> None:
        if letter.kind == "said":
            return
        asks = [part for part in letter.parts if isinstance(part, Ask)]
        text = Outgoing("", "", cast(Any, None), letter.parts).text
        self._world.note(
            "sent", letter.key, user=person, text=text, id=letter.key, cause=letter.cause,
            ask=asks[0].id if asks else "", choice="\n".join(asks[0].choices if asks else ()),
            reactions=tuple(chosen(each.id, "yes", person) for each in asks),
        )  # fmt: skip

    async def send(self, outgoing: Outgoing) -> Delivery:
        """Sends, and waits until the phone showed it."""
        hit("world.send.before")
        delivery = await self._adapter.send(outgoing)
        hit("world.send.after")
        with anyio.move_on_after(5):
            while delivery.state == "sent" and not self._world.delivered(outgoing.key):  # noqa: ASYNC110 - a file
                await anyio.sleep(NEWS)
        return delivery

    def __getattr__(self, name: str) -> Any:
        return getattr(self._adapter, name)


def adapter(world: World) -> Dying:
    """For `crash_test`."""
    return Dying(world)


def plugins(world: World) -> list[Any]:
    """For `crash_test`."""
    return [Hosts()]
