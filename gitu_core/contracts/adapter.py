"""The adapter: a channel through which people talk to Gitu.

Laws
    A1  `receive` runs until it is cancelled; it raises a typed failure when the channel cannot go on.
    A2  A message is acknowledged to the channel only after ``inbox.accept`` returned its receipt.
    A3  The same message handed over again carries the same `key`; two messages never share one.
    A4  `send` never raises for what a channel may do: it returns `sent`, `not_sent` or `unknown`. `not_sent` means
        that nobody saw anything. When in doubt, the answer is `unknown`.
    A5  On an ``idempotent`` channel, `send` with the same `key` delivers once, however often it is called.
    A6  On a ``verifiable`` channel, `verify` tells whether an outgoing message with this key was delivered.
    A7  Text of any content is delivered: what the channel's formatting refuses is sent as plain text.
    A8  `receive` and `send` survive cancellation at every await without losing an accepted message.
    A9  An `Ask` is shown with its question, details and every choice; the person's choice comes back as an `Answer`.
    A10  On a channel with `edits`, `send` of something with `replaces` changes the message with that id, however often;
        where that message is gone, the answer is a final `not_sent`. The first of `ids` is what `replaces` takes.
"""

from __future__ import annotations

from typing import Literal, Protocol

from gitu_core.contracts.base import contract
from gitu_core.model import Conversation, Delivery, Health, Message, Outgoing, Receipt, TurnEvent, Value

__all__ = ["Adapter", "Channel", "Inbox"]

Access = Literal["open", "paired", "closed"]
"""Who may talk on a channel: anybody, who becomes a user by it; accounts that were linked or paired, others being told
how; only accounts that the operator linked."""


class Channel(Value, frozen=True):
    """What a channel can do.

    `delivery`: ``idempotent`` (the channel drops a key it has seen), ``verifiable`` (it can be asked), ``blind``
    (neither). `max_text` is in characters, or in UTF-16 code units where it says `utf16`; 0 = no limit. `streams`:
    partial answers are handed to `show`. `edits`: what was sent can be changed; where it does not stream, an answer is
    sent early and changed while it grows. `foreground`: it takes over the terminal this process was started
    from, so that only `gitu chat` runs it. `trusted`: nobody can speak there in another one's name; what comes from any
    other channel counts as content from outside, and can neither approve nor link. `access`: who may talk where the
    settings say nothing; None = ``open`` for a `foreground` channel, else ``paired``.
    """

    name: str
    delivery: Literal["idempotent", "verifiable", "blind"] = "blind"
    max_text: int = 0
    markdown: bool = False
    edits: bool = False
    buttons: bool = False
    streams: bool = False
    media: frozenset[str] = frozenset()
    trusted: bool = False
    foreground: bool = False
    access: Access | None = None
    utf16: bool = False


@contract("inbox")
class Inbox(Protocol):
    """What the gateway offers to an adapter."""

    async def accept(self, message: Message) -> Receipt:
        """Commits *message*, then returns. Waits while the queue is deep. `InputError`: it can never be accepted. From
        somebody who may not talk there it is dropped, and the receipt has no id."""

    async def finished(self, id: str) -> None:
        """Waits until the work that the message with this receipt id caused has ended and was answered."""


@contract("adapter")
class Adapter(Protocol):
    """A channel. Its laws stand in the module's docstring."""

    channel: Channel

    async def receive(self, inbox: Inbox) -> None:
        """Hands every message of the channel to *inbox*, until cancelled."""

    async def send(self, outgoing: Outgoing) -> Delivery:
        """Says something on the channel."""

    async def verify(self, outgoing: Outgoing) -> Delivery:
        """What became of an earlier `send` with the same key; ``unknown`` where the channel cannot tell."""

    async def show(self, conversation: Conversation, event: TurnEvent) -> None:
        """Shows what happens while a turn runs: typing, partial words, tools at work. Losing it loses nothing."""

    async def health(self) -> Health:
        """How the channel is, without talking to any person. Answers within a second."""
