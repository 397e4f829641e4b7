"""The inbox that the kit hands to an adapter: it keeps what it accepted, and can dawdle or refuse."""

from __future__ import annotations

import anyio
import anyio.lowlevel

from gitu_core.errors import GituError, NotReady
from gitu_core.model import Answer, Message, Receipt


class Box:
    """An `Inbox`. While `gate` is not set it waits before it commits; with an `error` it raises that; it has room for
    `most` messages."""

    def __init__(self) -> None:
        self.begun: list[Message] = []
        self.messages: list[Message] = []
        self.error: GituError | None = None
        self.most: int | None = None
        self.gate = anyio.Event()
        self.gate.set()

    async def accept(self, message: Message) -> Receipt:
        """Commits a message."""
        self.begun.append(message)
        await anyio.lowlevel.checkpoint()
        await self.gate.wait()
        if self.error is not None:
            raise self.error
        if self.most is not None and len(self.messages) >= self.most:
            raise NotReady("there is no room", retry_after=0.0)
        fresh = message.key not in {each.key for each in self.messages}
        self.messages.append(message)
        await anyio.lowlevel.checkpoint()
        return Receipt(message.key, fresh)

    async def finished(self, id: str) -> None:
        """Its work is done at once."""
        await anyio.lowlevel.checkpoint()

    def of(self, text: str) -> list[Message]:
        """The accepted messages that say *text*."""
        return [each for each in self.messages if each.text.strip() == text]

    def says(self, answer: Answer) -> bool:
        """True if this choice was accepted."""
        return answer in self.answers()

    def has(self, count: int) -> bool:
        """True if so many messages were accepted."""
        return len(self.messages) >= count

    def keyed(self, count: int) -> bool:
        """True if messages with so many keys were accepted; the same one may have been handed over again."""
        return len({each.key for each in self.messages}) >= count

    def twice(self, text: str) -> bool:
        """True if a message that says *text* was accepted a second time."""
        return len(self.of(text)) == 2

    def answers(self) -> list[Answer]:
        """The choices that were accepted, in order."""
        return [part for message in self.messages for part in message.parts if isinstance(part, Answer)]
