"""The channel in processes that die: the server of Telegram lives on in the process of the test, with a bot for every
world. What it shows stands in the world, and so does what people say."""

from __future__ import annotations

import os
import time
import zlib
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, cast

import msgspec

from gitu_core.contracts import Answer, Delivery, Inbox, Message, Outgoing, Receipt
from gitu_core.testing.faults import hit
from gitu_core.testing.world import Happening, World, chosen, shown_as
from gitu_telegram.adapter import TelegramAdapter

from .around import HostHere
from .fake import Fake, Handler, Server, buttons_of

VARIABLE = "GITU_TEST_TELEGRAM"
"""Names the address of the server for the processes."""


def number_of(user: str) -> int:
    """A person's number on Telegram."""
    return zlib.crc32(user.encode())


class Noting:
    """The inbox, which notes in the world what was accepted."""

    def __init__(self, inbox: Inbox, world: World) -> None:
        self._inbox, self._world = inbox, world

    async def accept(self, message: Message) -> Receipt:
        """Accepts, and notes it."""
        receipt = await self._inbox.accept(message)
        hit("world.accept")
        said = self._world.events("said")[int(message.key.rpartition(":")[2]) - 1]
        self._world.note("acked", said.key, id=receipt.id)
        return receipt

    async def finished(self, id: str) -> None:
        """As the inbox says."""
        await self._inbox.finished(id)


class Dying(TelegramAdapter):
    """The channel, with the points at which the process can die."""

    channel = msgspec.structs.replace(TelegramAdapter.channel, access="open")

    def __init__(self, world: World) -> None:
        token = f"1:{world.folder.as_posix().encode().hex()}"
        place = cast(Fake, SimpleNamespace(url=os.environ[VARIABLE]))
        super().__init__(cast(Any, HostHere(place, token=token)))
        self._world = world

    async def receive(self, inbox: Inbox) -> None:
        """Notes what was accepted."""
        await super().receive(Noting(inbox, self._world))

    async def send(self, outgoing: Outgoing) -> Delivery:
        """Notes what is on its way: Telegram does not know our keys."""
        hit("world.send.before")
        self._world.note("handing", outgoing.key, user=outgoing.conversation.id, text=outgoing.text, id=outgoing.id,
                         cause=outgoing.cause)  # fmt: skip
        delivery = await super().send(outgoing)
        hit("world.send.after")
        return delivery


def adapter(world: World) -> TelegramAdapter:
    """For `crash_test`."""
    return Dying(world)


class Bot(Fake):
    """The bot of one world."""

    def __init__(self, token: str) -> None:
        super().__init__(serve=False)
        self.token, self._keys = token, dict[int, str]()
        self._world = World(bytes.fromhex(token.partition(":")[2]).decode())

    def _updates(self, given: dict[str, Any], gone: Callable[[], bool]) -> list[Any]:
        until = time.monotonic() + given.get("timeout", 0)
        while True:
            said = list(enumerate(self._world.events("said"), 1))
            found = [self._update(*each) for each in said if each[0] >= given.get("offset", 0)]
            if found or gone() or time.monotonic() > until:
                return found
            self.news.wait(0.01)

    def _update(self, number: int, said: Happening) -> dict[str, Any]:
        user = number_of(said.user)
        if not said.ask:
            return {"update_id": number, "message": {**self.message(said.text, user), "message_id": number}}
        data = f"{said.ask} {said.choice}"
        shown = next(each for each in self.screen.values() if data in (b["callback_data"] for b in buttons_of(each)))
        who = {"id": user, "is_bot": False, "first_name": said.user}
        self.queries.add(str(number))
        query = {"id": str(number), "from": who, "message": shown, "chat_instance": "1", "data": data}
        return {"update_id": number, "callback_query": query}

    def _spoken(self, method: str, given: dict[str, Any]) -> dict[str, Any]:
        shown = super()._spoken(method, given)
        if method == "editMessageReplyMarkup":
            return shown
        user = next(each for each in self._world.people if number_of(each) == given["chat_id"])
        handed = [each for each in self._world.events("handing") if each.user == str(given["chat_id"])][-1]
        replaces = self._keys.setdefault(shown["message_id"], shown_as(handed.key)) if "edit" in method else ""
        self._keys.setdefault(shown["message_id"], shown_as(handed.key))
        asks = [Answer(*data.partition(" ")[::2]) for data in (each["callback_data"] for each in buttons_of(shown))]
        reactions = tuple(chosen(each.ask, "yes", user) for each in asks if each.choice == "yes")
        self._world.note(
            "sent", handed.key, user=user, text=given["text"], id=handed.id, cause=handed.cause,
            ask=asks[0].ask if asks else "", choice="\n".join(each.choice for each in asks), replaces=replaces,
            reactions=reactions,
        )  # fmt: skip
        return shown


class Bots(Fake):
    """A server with a bot for every token that comes."""

    def __init__(self) -> None:
        super().__init__(serve=False)
        self.bots: dict[str, Bot] = {}
        self._server = Server(("127.0.0.1", 0), type("OwnBots", (Many,), {"fake": self}))
        self._begin()

    def bot(self, token: str) -> Bot:
        """The bot that a token belongs to."""
        with self.lock:
            if token not in self.bots:
                self.bots[token] = Bot(token)
            return self.bots[token]


class Many(Handler):
    """A connection that names its bot."""

    def do_POST(self) -> None:
        self.fake = cast(Bots, type(self).fake).bot(self.path.removeprefix("/bot").partition("/")[0])
        super().do_POST()
