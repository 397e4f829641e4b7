"""A channel in memory for tests: people speak, what they see is recorded, delivery can be made to fail."""

from __future__ import annotations

import itertools
from collections import deque
from typing import Any, Literal

import anyio

from gitu_core.contracts import Channel, Inbox
from gitu_core.contracts.adapter import Access
from gitu_core.errors import GituError
from gitu_core.model import (
    Account,
    Answer,
    Ask,
    Conversation,
    Delivery,
    Health,
    Message,
    Outgoing,
    Part,
    Receipt,
    Text,
    TurnEvent,
)


class RecordingAdapter:
    """A channel named *name*. It keeps every law of the adapter contract for each kind of *delivery*.

    `sent` is what people saw, in order, changes too; `screen` the words of each message by the channel's id, as they
    are now; `tries` every call of `send`; `events` what `show` was handed.
    `reply` and `talk` wait, at most *patience* seconds each.
    """

    def __init__(
        self,
        name: str = "test",
        *,
        delivery: Literal["idempotent", "verifiable", "blind"] = "idempotent",
        streams: bool = False,
        trusted: bool = True,
        access: Access = "open",
        patience: float = 5.0,
        **channel: Any,
    ) -> None:
        self.channel = Channel(name=name, delivery=delivery, streams=streams, trusted=trusted, access=access, **channel)
        self.sent: list[Outgoing] = []
        self.tries: list[Outgoing] = []
        self.screen: dict[str, str] = {}
        self.events: list[tuple[Conversation, TurnEvent]] = []
        self._patience = patience
        self._failures: deque[tuple[Delivery, bool]] = deque()
        self._delivered: dict[str, Delivery] = {}
        self._keys = itertools.count(1)
        self._read = 0
        self._inbox: Inbox | None = None
        self._broken: GituError | None = None
        self._health = Health()
        self._changed = anyio.Event()

    # ---- what people do ------------------------------------------------------------------------------------

    async def say(
        self,
        text: str = "",
        *,
        user: str = "ana",
        conversation: str = "",
        group: str = "",
        key: str = "",
        parts: tuple[Part, ...] = (),
        **fields: Any,
    ) -> Receipt:
        """*user* says *text* (or *parts*); gives the receipt.

        Without *conversation* or *group* it is the user's own chat. The same *key* again is the same message; *fields*
        are further fields of `Message`.
        """
        inbox = await self._ready()
        message = Message(
            key=key or f"{self.channel.name}-{next(self._keys)}",
            conversation=Conversation(
                channel=self.channel.name, id=group or conversation or user, kind="group" if group else "direct"
            ),
            sender=Account(channel=self.channel.name, id=user, name=user.capitalize()),
            parts=parts or (Text(text),),
            **fields,
        )
        return await inbox.accept(message)

    async def talk(self, text: str, **fields: Any) -> str:
        """Says *text*, waits until the work is done, and gives the words of all that was said back."""
        start = len(self.sent)
        receipt = await self.say(text, **fields)
        with anyio.fail_after(self._patience):
            await (await self._ready()).finished(receipt.id)
        self._read = len(self.sent)
        return "\n".join(outgoing.text for outgoing in self.sent[start:])

    async def reply(self) -> Outgoing:
        """The next thing said to anybody that `reply` has not given yet.

        `TimeoutError` after *patience* seconds.
        """
        with anyio.fail_after(self._patience):
            while self._read >= len(self.sent):
                await self._changed.wait()
        self._read += 1
        return self.sent[self._read - 1]

    async def answer(self, choice: str, *, user: str = "ana", ask: str = "", **fields: Any) -> Receipt:
        """*user* answers the newest question, or the one with the id *ask*.

        `LookupError` if there is none.
        """
        found = next((each for each in reversed(self.asks) if ask in ("", each.id)), None)
        if found is None:
            raise LookupError(f"nobody asked {ask or 'anything'}")
        return await self.say(user=user, parts=(Answer(found.id, choice),), **fields)

    @property
    def asks(self) -> list[Ask]:
        """Every question that people saw, in order."""
        return [part for outgoing in self.sent for part in outgoing.parts if isinstance(part, Ask)]

    # ---- what can go wrong ---------------------------------------------------------------------------------

    def fail(
        self,
        state: Literal["not_sent", "unknown"],
        *,
        seen: bool = False,
        retry_after: float | None = None,
        final: bool = False,
        detail: str = "made to fail by the test",
    ) -> None:
        """Lets the next `send` end like this. *seen*: people see it all the same (only with ``unknown``)."""
        if seen and state == "not_sent":
            raise ValueError("not_sent means that nobody saw anything")
        delivery = Delivery(state=state, retry_after=retry_after, final=final, detail=detail)
        self._failures.append((delivery, seen))

    def break_off(self, error: GituError) -> None:
        """Lets `receive` raise *error*; it can be called again afterwards."""
        self._broken = error
        self._notify()

    def feel(self, health: Health) -> None:
        """Sets what `health` answers."""
        self._health = health

    # ---- the contract --------------------------------------------------------------------------------------

    async def receive(self, inbox: Inbox) -> None:
        """Takes messages from `say` until cancelled, or until `break_off`."""
        self._inbox = inbox
        self._notify()
        try:
            while self._broken is None:
                await self._changed.wait()
            broken, self._broken = self._broken, None
            raise broken
        finally:
            self._inbox = None

    async def send(self, outgoing: Outgoing) -> Delivery:
        """Records *outgoing* as seen, unless it is to fail or, on an idempotent channel, was seen before."""
        self.tries.append(outgoing)
        if self.channel.delivery == "idempotent" and outgoing.key in self._delivered:
            return self._delivered[outgoing.key]
        failure, seen = self._failures.popleft() if self._failures else (None, True)
        id = outgoing.replaces or f"{self.channel.name}-out-{len(self.sent) + 1}"
        if outgoing.replaces and outgoing.replaces not in self.screen:
            return Delivery("not_sent", final=True, detail="there is no message to change")
        delivery = Delivery(state="sent", ids=(id,))
        if seen:
            self._delivered[outgoing.key] = delivery
            self.screen[id] = outgoing.text
            self.sent.append(outgoing)
            self._notify()
        return failure or delivery

    async def verify(self, outgoing: Outgoing) -> Delivery:
        """What became of an earlier `send`, where the channel can be asked."""
        if self.channel.delivery == "blind":
            return Delivery(state="unknown")
        return self._delivered.get(outgoing.key, Delivery(state="not_sent"))

    async def show(self, conversation: Conversation, event: TurnEvent) -> None:
        """Records the event."""
        self.events.append((conversation, event))

    async def health(self) -> Health:
        """Well, unless `feel` said otherwise."""
        return self._health

    # --------------------------------------------------------------------------------------------------------

    async def _ready(self) -> Inbox:
        """The inbox; waits until the host calls `receive`."""
        with anyio.fail_after(self._patience):
            while self._inbox is None:
                await self._changed.wait()
        return self._inbox

    def _notify(self) -> None:
        changed, self._changed = self._changed, anyio.Event()
        changed.set()
