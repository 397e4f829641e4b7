"""A right channel with the people on it, and channels that each break one law."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from itertools import count
from typing import Any, ClassVar

import anyio
import anyio.lowlevel
import msgspec

from gitu_core.contracts import Channel, Inbox
from gitu_core.errors import GituError, NotReady
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
    Text,
    TurnEvent,
)


class People:
    """The channel's server and whoever uses it. It hands a message over until it is told that it is safe."""

    failures = ("refused", "lost", "down")

    def __init__(self) -> None:
        self.waiting: list[str] = []
        self.parts: dict[str, Part] = {}
        self.safe: set[str] = set()
        self.screen: dict[str, str] = {}
        self.keys: dict[str, str] = {}
        self.failing = ""
        self.broken = False
        self._ids = count(1)

    def shown(self) -> list[str]:
        """What people see."""
        return list(self.screen.values())

    def say(self, text: str, name: str) -> None:
        """Somebody speaks."""
        self._put(Text(text), name)

    def again(self, name: str) -> None:
        """The same once more."""
        self.waiting.append(name)

    def acknowledged(self, name: str) -> bool:
        """Whether the server was told."""
        return name in self.safe

    def choose(self, ask: Ask, choice: str) -> None:
        """Somebody presses a button."""
        self._put(Answer(ask.id, choice), f"answer {ask.id}")

    def break_off(self) -> None:
        """The server goes away."""
        self.broken = True

    def fail(self, how: str) -> None:
        """The next post fails."""
        self.failing = how

    def remove(self, id: str) -> None:
        """A message is deleted."""
        del self.screen[id]

    def _put(self, part: Part, name: str) -> None:
        self.parts[name] = part
        self.waiting.append(name)

    def post(self, key: str, text: str, replaces: str = "") -> str:
        """Shows something; gives its id. `LookupError` if what it replaces is gone."""
        how, self.failing = self.failing, ""
        if how in ("refused", "down"):
            raise ConnectionRefusedError(how)
        if replaces and replaces not in self.screen:
            raise LookupError(replaces)
        id = replaces or f"id-{next(self._ids)}"
        self.screen[id] = text
        self.keys[key] = id
        if how == "lost":
            raise TimeoutError(how)
        return id


class Right:
    """An adapter that keeps every law."""

    delivery: Any = "idempotent"

    def __init__(self, people: People) -> None:
        self.channel = Channel("toy", delivery=self.delivery, edits=True, markdown=True)
        self.people = people

    async def receive(self, inbox: Inbox) -> None:
        """Hands over what waits."""
        while True:
            if self.people.broken:
                self.people.broken = False
                raise self.gone()
            if not self.people.waiting:
                await anyio.sleep(0.002)
                continue
            name = self.people.waiting[0]
            await self.take(inbox, name)

    def gone(self) -> Exception:
        """What is raised when the server is away."""
        return NotReady("the server is away")

    async def take(self, inbox: Inbox, name: str) -> None:
        """Hands one message over."""
        await inbox.accept(self.message(name))
        self.done(name)

    def done(self, name: str) -> None:
        """Tells the server that a message is safe."""
        self.people.safe.add(name)
        if name in self.people.waiting:
            self.people.waiting.remove(name)

    def message(self, name: str) -> Message:
        """One message."""
        part = self.people.parts[name]
        return Message(self.key(name), Conversation("toy", "ana"), Account("toy", "ana"), (part,))

    def key(self, name: str) -> str:
        """What tells messages apart."""
        return name

    async def send(self, outgoing: Outgoing) -> Delivery:
        """Shows it."""
        await anyio.lowlevel.checkpoint()
        if self.seen(outgoing.key):
            return Delivery("sent", (self.people.keys[outgoing.key],))
        try:
            id = self.people.post(outgoing.key, self.words(outgoing), outgoing.replaces)
        except ConnectionRefusedError as error:
            return self.refused(error)
        except TimeoutError:
            return self.lost()
        except LookupError:
            return Delivery("not_sent", final=True)
        await anyio.lowlevel.checkpoint()
        return Delivery("sent", (id,))

    def seen(self, key: str) -> bool:
        """Whether the server drops this key."""
        return self.delivery == "idempotent" and key in self.people.keys

    def refused(self, error: Exception) -> Delivery:
        """Nobody saw it."""
        return Delivery("not_sent")

    def lost(self) -> Delivery:
        """Nobody knows."""
        return Delivery("unknown")

    def words(self, outgoing: Outgoing) -> str:
        """How it looks."""
        asks = [part for part in outgoing.parts if isinstance(part, Ask)]
        return "\n".join([outgoing.text, *(f"[{choice}]" for ask in asks for choice in self.buttons(ask))])

    def buttons(self, ask: Ask) -> Sequence[str]:
        """The choices that are shown."""
        return ask.choices

    async def verify(self, outgoing: Outgoing) -> Delivery:
        """Asks the server."""
        if self.delivery == "blind":
            return Delivery("unknown")
        return Delivery("sent" if outgoing.key in self.people.keys else "not_sent")

    async def show(self, conversation: Conversation, event: TurnEvent) -> None:
        """Shows nothing."""

    async def health(self) -> Health:
        """Well."""
        return Health()


class RightVerifiable(Right):
    """Its server can be asked."""

    delivery = "verifiable"


class RightBlind(Right):
    """Its server can do nothing."""

    delivery = "blind"


class ReturnsWhenNothingWaits(Right):
    """`receive` ends as soon as nobody says anything."""

    async def receive(self, inbox: Inbox) -> None:
        with anyio.move_on_after(0.02):
            await super().receive(inbox)


class RaisesItsLibrarysError(Right):
    """The host cannot tell what to do about an error that it does not know."""

    def gone(self) -> Exception:
        return ConnectionResetError("the server is away")


class LeavesATask(Right):
    """A heartbeat goes on after `receive` was cancelled."""

    async def receive(self, inbox: Inbox) -> None:
        self.beat = asyncio.get_running_loop().create_task(asyncio.sleep(2.0))
        await super().receive(inbox)


class TellsBeforeItIsSafe(Right):
    """The server hears that the message is safe while it is being committed."""

    async def take(self, inbox: Inbox, name: str) -> None:
        self.people.safe.add(name)
        try:
            await inbox.accept(self.message(name))
        except BaseException:  # so that only what dies in between is lost
            self.people.safe.discard(name)
            raise
        self.done(name)


class TellsPeopleTooEarly(Right):
    """`tests.testing.wrong.Hasty`: only a process that dies in that moment shows that the message was not safe."""

    CRASH: ClassVar[Any] = {
        "adapter": "tests.testing.wrong:hasty", "before": "tests.testing.wrong:points", "points": ["wrong.acked"]
    }  # fmt: skip


class GivesUpTheRest(Right):
    """When the inbox has no room for one message, all that wait behind it count as safe."""

    async def take(self, inbox: Inbox, name: str) -> None:
        try:
            await super().take(inbox, name)
        except GituError:
            for each in self.people.waiting[1:]:
                self.done(each)
            raise


class SwallowsItsEnd(Right):
    """A cancellation is taken for an end of its own."""

    async def receive(self, inbox: Inbox) -> None:
        try:
            await super().receive(inbox)
        except asyncio.CancelledError:
            return


class NewKeyEachTry(Right):
    """The same message has another key each time."""

    _tries = count(1)

    def key(self, name: str) -> str:
        return f"try-{next(self._tries)}"


class KeyOfTheWords(Right):
    """Two messages with the same words are one."""

    def key(self, name: str) -> str:
        part = self.people.parts[name]
        return f"key-{part.text}" if isinstance(part, Text) else name


class RaisesWhenRefused(Right):
    """`send` raises what the library raises."""

    def refused(self, error: Exception) -> Delivery:
        raise error


class SaysNotSentWhenInDoubt(Right):
    """A lost answer is taken for a message that nobody saw."""

    def lost(self) -> Delivery:
        return Delivery("not_sent")


class HopesForTheBest(Right):
    """What was refused counts as sent."""

    def refused(self, error: Exception) -> Delivery:
        return Delivery("sent")


class RemembersOneKey(Right):
    """Only the last key is known again."""

    last = ""

    def seen(self, key: str) -> bool:
        known, self.last = key == self.last and key in self.people.keys, key
        return known


class VerifiesAnything(RightVerifiable):
    """As soon as something was sent, everything was."""

    async def verify(self, outgoing: Outgoing) -> Delivery:
        return Delivery("sent" if self.people.keys else "not_sent")


class GuessesWhenBlind(RightBlind):
    """It says what it believes."""

    async def verify(self, outgoing: Outgoing) -> Delivery:
        return Delivery("sent" if outgoing.key in self.people.keys else "not_sent")


class ChokesOnMarkup(Right):
    """What the formatting refuses is not sent at all."""

    async def send(self, outgoing: Outgoing) -> Delivery:
        if outgoing.text.count("**") % 2:
            return Delivery("not_sent", final=True, detail="can't parse entities")
        return await super().send(outgoing)


class EndsAtNul(Right):
    """Text ends where a C string would."""

    def words(self, outgoing: Outgoing) -> str:
        return super().words(outgoing).partition("\x00")[0]


class ForgetsWhatItTook(Right):
    """A message that was taken and not accepted, because `receive` was cancelled, is gone."""

    async def take(self, inbox: Inbox, name: str) -> None:
        self.people.waiting.remove(name)
        try:
            await inbox.accept(self.message(name))
        except GituError:
            self.people.waiting.insert(0, name)
        else:
            self.people.safe.add(name)


class MarksBeforeItPosts(Right):
    """A send that was cut off counts as sent."""

    def __init__(self, people: People) -> None:
        super().__init__(people)
        self.marked: set[str] = set()

    async def send(self, outgoing: Outgoing) -> Delivery:
        if outgoing.key in self.marked:
            return Delivery("sent", (self.people.keys.get(outgoing.key, ""),))
        self.marked.add(outgoing.key)
        return await super().send(outgoing)


class LeavesOutTheDetails(Right):
    """People say yes to something that they do not see."""

    def words(self, outgoing: Outgoing) -> str:
        text = super().words(outgoing)
        for part in outgoing.parts:
            text = text.replace(part.details, "…") if isinstance(part, Ask) and part.details else text
        return text


class HasRoomForThreeButtons(Right):
    """A fourth choice cannot be made."""

    def buttons(self, ask: Ask) -> Sequence[str]:
        return ask.choices[:3]


class AnswersTheNewestQuestion(Right):
    """A choice counts for the question that came last."""

    newest = ""

    def words(self, outgoing: Outgoing) -> str:
        self.newest = next((part.id for part in outgoing.parts if isinstance(part, Ask)), self.newest)
        return super().words(outgoing)

    def message(self, name: str) -> Message:
        part = self.people.parts[name]
        if isinstance(part, Answer):
            self.people.parts[name] = Answer(self.newest, part.choice)
        return super().message(name)


class SendsAnewInsteadOfChanging(Right):
    """Each change is one more message."""

    async def send(self, outgoing: Outgoing) -> Delivery:
        if outgoing.replaces in self.people.screen:
            outgoing = Outgoing(outgoing.id, outgoing.key, outgoing.conversation, outgoing.parts)
        return await super().send(outgoing)


class NeverGivesUpOnWhatIsGone(Right):
    """A message that is gone is to be tried again."""

    async def send(self, outgoing: Outgoing) -> Delivery:
        delivery = await super().send(outgoing)
        return Delivery("not_sent", retry_after=1.0) if delivery.final else delivery


class AnswersInLowerCase(Right):
    """A choice comes back in another spelling, which is none of the choices."""

    def message(self, name: str) -> Message:
        message = super().message(name)
        parts = [Answer(each.ask, each.choice.lower()) if isinstance(each, Answer) else each for each in message.parts]
        return msgspec.structs.replace(message, parts=tuple(parts))


class CutsChoices(Right):
    """A button has room for a dozen letters."""

    def buttons(self, ask: Ask) -> Sequence[str]:
        return [each[:12] for each in ask.choices]
