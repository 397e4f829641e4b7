"""A channel, tools and a model that live in a `World`: they count, and what they counted survives the process.

They keep the laws of their contracts, so that whatever is counted wrong is the host's doing. Each reaches the points
``world.*`` of `faults`, where a process dies with the outside already changed.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any, Literal

import anyio

from gitu_core.contracts import Channel, Context, Inbox
from gitu_core.errors import InputError
from gitu_core.model import (
    Account,
    Answer,
    Ask,
    Conversation,
    Delivery,
    ErrorInfo,
    Finish,
    Health,
    Message,
    ModelEvent,
    ModelRequest,
    Outgoing,
    Part,
    Text,
    ToolCall,
    ToolResult,
    ToolSpec,
    TurnEvent,
)
from gitu_core.testing.faults import hit
from gitu_core.testing.models import Answer as Said
from gitu_core.testing.models import FunctionModel
from gitu_core.testing.world import Happening, World, chosen, shown_as

NOT_DONE = ToolResult("error", error=ErrorInfo("error", "it was not done", "do it, if it is still wanted"))
"""What the remote side says of something that never reached it."""

NEWS = 0.01
"""Seconds between two looks of the channel for something new."""

WORDS = ("plain", "effect", "approval", "grow")
"""What a message to `CountingModel` begins with; behind it stands whatever makes it unique."""


class CountingAdapter:
    """A channel on which the people of a world speak.

    A message whose channel was not told that it is safe is handed over again by the next process. *answers*: what a
    person says to every question as soon as they see it; empty = nothing. *then*: what they say, once, as soon as they
    see anything.
    """

    def __init__(
        self,
        world: World,
        name: str = "world",
        *,
        delivery: Literal["idempotent", "verifiable", "blind"] = "idempotent",
        answers: str = "yes",
        edits: bool = False,
        then: str = "",
    ) -> None:
        self.channel = Channel(name=name, delivery=delivery, trusted=True, edits=edits, access="open")
        self.world = world
        self._answers, self._then = answers, then
        self._taken: set[str] = set()

    async def receive(self, inbox: Inbox) -> None:
        """Hands over what people say, until cancelled."""
        while True:
            for said in self.world.unacknowledged():
                if said.key not in self._taken:
                    await self._hand_over(inbox, said)
            await anyio.sleep(NEWS)

    async def _hand_over(self, inbox: Inbox, said: Happening) -> None:
        try:
            receipt = await inbox.accept(self.message(said))
        except InputError:  # it can never be accepted: a channel drops it
            self.world.note("acked", said.key)
            return
        hit("world.accept")
        self._taken.add(said.key)
        self.world.note("acked", said.key, id=receipt.id)

    def message(self, said: Happening) -> Message:
        """What a person said, as the message that the channel hands over."""
        part: Part = Answer(said.ask, said.choice) if said.ask else Text(said.text)
        name = self.channel.name
        return Message(said.key, Conversation(name, said.user), Account(name, said.user), (part,))

    async def send(self, outgoing: Outgoing) -> Delivery:
        """Shows it to people."""
        hit("world.send.before")
        asks, where = [part for part in outgoing.parts if isinstance(part, Ask)], outgoing.conversation
        # People live outside of the process: that it dies as soon as they saw something does not keep them from it.
        reactions = [chosen(ask.id, self._choice(ask), where.id) for ask in asks if self._answers]
        reactions += [Happening("said", "then", user=where.id, text=self._then)] if self._then else []
        self.world.note(
            "sent",
            outgoing.key,
            user=where.id,
            text=outgoing.text,
            id=outgoing.id,
            cause=outgoing.cause,
            ask=asks[0].id if asks else "",
            choice="\n".join(asks[0].choices if asks else ()),
            replaces=outgoing.replaces,
            reactions=tuple(reactions),
        )
        hit("world.send.after")
        return Delivery("sent", ids=(outgoing.replaces or shown_as(outgoing.key),))

    def _choice(self, ask: Ask) -> str:
        # Where what they say is no choice, whatever changes least: by custom it stands last.
        return self._answers if self._answers in ask.choices else ask.choices[-1]

    async def verify(self, outgoing: Outgoing) -> Delivery:
        """Whether people saw it, where the channel can be asked."""
        if self.channel.delivery == "blind":
            return Delivery("unknown")
        seen = self.world.delivered(outgoing.key)
        self.world.note("verified", outgoing.key, text="sent" if seen else "not_sent")
        return Delivery("sent", ids=(outgoing.replaces or shown_as(outgoing.key),)) if seen else Delivery("not_sent")

    async def show(self, conversation: Conversation, event: TurnEvent) -> None:
        """Shows nothing while a turn runs."""

    async def health(self) -> Health:
        """Always well."""
        return Health()


class CountingTool:
    """``pay``: an effect on a remote side that never forgets and never refuses a second time, so that it counts."""

    def __init__(self, world: World, name: str = "pay", *, verifiable: bool = True) -> None:
        self.world = world
        schema = {"type": "object", "properties": {"item": {"type": "string"}}, "required": ["item"]}
        self.spec = ToolSpec(name, "Pays for an item.", schema, ("spend",), {"item": "recipient"},
                             verifiable=verifiable)  # fmt: skip

    async def run(self, call: ToolCall, context: Context) -> ToolResult:
        """Lets the remote side do it."""
        hit("world.effect.before")
        item = str(call.arguments["item"])
        self.world.note("effect", context.info.key, text=item)
        hit("world.effect.after")
        return ToolResult(content=f"ok: {self.spec.name} {item}")

    async def verify(self, call: ToolCall, context: Context) -> ToolResult:
        """Asks the remote side."""
        done = self.world.happened(context.info.key)
        self.world.note("checked", context.info.key, text="ok" if done else "error")
        return ToolResult(content=f"ok: {self.spec.name} {call.arguments['item']}") if done else NOT_DONE


class OutsidePage:
    """``page``: something to read that an outsider wrote. What acts after it needs a yes."""

    def __init__(self, name: str = "page") -> None:
        self.spec = ToolSpec(name, "Reads a page.", writers={"": "outside"})

    async def run(self, call: ToolCall, context: Context) -> ToolResult:
        """Reads."""
        return ToolResult(content="Words from outside.")

    async def verify(self, call: ToolCall, context: Context) -> ToolResult:
        """Reading leaves nothing to ask about."""
        return ToolResult("unknown")


class CountingModel(FunctionModel):
    """A model that does what a message says: ``plain …`` is answered at once, ``grow …`` bit by bit, ``effect …`` after
    a call of the tool *effect* with the whole message as its *argument*, ``approval …`` the same after ``page`` was
    read. Every answer begins with ``answer to <message>`` and ends with what the last tool said. Each request is noted
    under the message and the number of results it holds."""

    def __init__(self, world: World, name: str = "world", *, effect: str = "pay", argument: str = "item") -> None:
        super().__init__(self._says, name=name, chunk=12)
        self.world = world
        self._effect, self._argument = effect, argument

    async def stream(self, request: ModelRequest) -> AsyncIterator[ModelEvent]:
        """Answers, and notes when it was asked and when it had said all."""
        key = "#".join(map(str, _asked(request)[:2]))
        self.world.note("model.begun", key)
        hit("world.model.begun")
        async for event in super().stream(request):
            if isinstance(event, Finish):
                self.world.note("model.finished", key)
                hit("world.model.finished")
            yield event
            if key.startswith("grow"):
                await anyio.sleep(5 * NEWS)

    def _says(self, request: ModelRequest) -> Said:
        ask, number, last = _asked(request)
        word = ask.split(" ")[0]
        tools = {"effect": (self._effect,), "approval": ("page", self._effect)}.get(word, ())
        if number < len(tools):
            arguments: dict[str, Any] = {} if tools[number] == "page" else {self._argument: ask}
            return ToolCall(f"call-{number}", tools[number], arguments)
        return answer_to(ask) + (f": {last}" if last else "")


def answer_to(text: str) -> str:
    """What `CountingModel`'s answer to a message begins with."""
    return f"answer to <{text}>"


def _asked(request: ModelRequest) -> tuple[str, int, str]:
    """The newest message for this model, how many results it has so far, and the last of them."""
    results: list[str] = []
    for message in reversed(request.messages):
        if message.role == "tool":
            results.append(message.text)
        elif message.role == "user" and message.text.split(" ")[0] in WORDS:
            return message.text, len(results), results[0] if results else ""
    return "", 0, ""
