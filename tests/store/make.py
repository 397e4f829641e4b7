"""Values for the tests of the store."""

from __future__ import annotations

from typing import Any

from gitu_core.contracts.ports import HistoryEntry, InboxEntry, OutboxEntry, StepEntry
from gitu_core.model import Account, Conversation, Message, ModelMessage, Outgoing, Part, Text, ToolCall
from gitu_core.model.steps import ModelAsked

ANA = Account(channel="terminal", id="ana", name="Ana")
ROOM = Conversation(channel="terminal", id="room")


def message(key: str, text: str = "hello", **more: Any) -> Message:
    """A message with this idempotency key."""
    return Message(key=key, conversation=ROOM, sender=ANA, parts=(Text(text=text),), **more)


def inbox(key: str, text: str = "hello", person: str = "ana", **more: Any) -> InboxEntry:
    """An accepted message."""
    return InboxEntry(message=message(key, text, **more), person=person, session="s")


def said(n: int, session: str = "s", role: Any = "user", tokens: int = 1, person: str = "ana") -> HistoryEntry:
    """The nth message of a session."""
    calls = (ToolCall(id=f"c{n}", tool="t"),) if role == "assistant" else ()
    parts: tuple[Part, ...] = (Text(text=f"words {n}"),)
    content = ModelMessage(role=role, parts=parts, calls=calls, id=f"m{n}")
    return HistoryEntry(session=session, person=person, message=content, tokens=tokens, at=float(n))


def step(n: int, turn: str = "t", person: str = "ana") -> StepEntry:
    """The nth step of a turn."""
    return StepEntry(turn=turn, n=n, step=ModelAsked(model=f"m{n}"), session="s", person=person, at=float(n))


def outgoing(id: str, state: Any = "queued", channel: str = "terminal", **more: Any) -> OutboxEntry:
    """Something to be said."""
    room = Conversation(channel=channel, id="room")
    what = Outgoing(id=id, key=f"k-{id}", conversation=room, parts=(Text(text="answer"),))
    return OutboxEntry(outgoing=what, person="ana", session="s", state=state, **more)
