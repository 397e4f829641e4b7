"""What the tests of broken runs and channels share."""

from __future__ import annotations

from contextlib import asynccontextmanager

import anyio

from gitu_core import Gitu, tool
from gitu_core.contracts.ports import InboxEntry
from gitu_core.model import Account, Conversation, Message, Text
from gitu_core.testing import FunctionModel
from gitu_core.testing.invariants import open_messages

SENT: list[str] = []
"""Where the mails of `mail` went to."""

OK = FunctionModel(lambda request: "ok")
ECHO = FunctionModel(lambda request: f"you said {request.messages[-1].text}")


@tool(effects=["send"], roles={"to": "recipient"})
def mail(to: str) -> str:
    """Sends a mail."""
    SENT.append(to)
    return "sent"


@tool(writers={"": "outside"})
def web() -> str:
    """Reads the web."""
    return "words from outside"


class On:
    """A plugin that offers one adapter."""

    def __init__(self, adapter):
        self._adapter = adapter

    def gitu_adapters(self):
        return [self._adapter]


@asynccontextmanager
async def on(adapter, model, *plugins, **options):
    """An assistant that talks on one channel."""
    gitu = Gitu(model=model, plugins=[On(adapter), *plugins], use=["*"], **options)
    async with gitu, anyio.create_task_group() as group:
        group.start_soon(gitu.serve)
        yield gitu
        group.cancel_scope.cancel()


async def until(true, seconds: float = 5.0) -> None:
    """Waits until *true* gives something true."""
    with anyio.fail_after(seconds):
        while not (await found if hasattr(found := true(), "__await__") else found):  # noqa: ASYNC110 - no event
            await anyio.sleep(0.01)


def slow(seconds: float = 30.0, started: anyio.Event | None = None) -> FunctionModel:
    """A model that takes its time."""

    async def answer(request):
        if started is not None:
            started.set()
        await anyio.sleep(seconds)
        return "slow answer"

    return FunctionModel(answer)


async def pending(gitu) -> int:
    """How many messages nobody dealt with."""
    await gitu.house.store.write()
    return len(await open_messages(gitu.house.store))


async def left_over(gitu, text: str, key: str = "k", channel: str = "test", user: str = "ana") -> str:
    """Commits a message that nobody works off, as a crash leaves it behind; gives its id."""
    store = gitu.house.store
    account, conversation = Account(channel, user), Conversation(channel, user)
    person = await store.person_for(account)
    session = await store.session_for(conversation, person.id)
    message = Message(key, conversation, account, (Text(text),))
    return (await store.accept(InboxEntry(message, person.id, session.id))).id
