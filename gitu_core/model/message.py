"""Messages as every channel hands them over and takes them: parts, accounts, conversations, deliveries."""

from __future__ import annotations

from typing import Any, Literal

from gitu_core.model.base import Value
from gitu_core.model.label import UNLABELLED, Label
from gitu_core.model.spec import ToolSpec

__all__ = [
    "Account", "Answer", "Ask", "AskItem", "BlobRef", "Conversation", "Delivery", "Location", "Media", "Message",
    "Opaque", "Outgoing", "Part", "Reaction", "Receipt", "Text", "text_of",
]  # fmt: skip


class BlobRef(Value, frozen=True):
    """Bytes kept elsewhere. `digest` names their content (``sha256:<hex>``); `size` is in bytes."""

    digest: str
    size: int
    media_type: str = "application/octet-stream"
    name: str = ""


class Text(Value, frozen=True, tag="text", tag_field="type"):
    """Words. `format` is ``plain`` or ``markdown`` (CommonMark)."""

    text: str
    format: Literal["plain", "markdown"] = "plain"


class Media(Value, frozen=True, tag="media", tag_field="type"):
    """An image, sound, video or file. `seconds` is its playing time where it has one."""

    blob: BlobRef
    kind: Literal["image", "audio", "voice", "video", "file", "sticker"] = "file"
    caption: str = ""
    seconds: float | None = None


class Location(Value, frozen=True, tag="location", tag_field="type"):
    """A place, in degrees (WGS 84)."""

    latitude: float
    longitude: float
    name: str = ""


class Reaction(Value, frozen=True, tag="reaction", tag_field="type"):
    """A reaction to the message that the carrying message names as `target`; an empty `emoji` takes it back."""

    emoji: str


class AskItem(Value, frozen=True):
    """One argument of what is asked about: exactly what it is, and where it came from, in words."""

    name: str
    value: str
    source: str = ""


class Ask(Value, frozen=True, tag="ask", tag_field="type"):
    """A question with fixed choices, for instance an approval. A channel shows buttons where it can. `details` say all
    there is to know in lines of text; `items` are the arguments in there, for channels that show them their own way.
    The choice ``until`` is made with a day: ``until 2031-12-31``."""

    id: str
    question: str
    choices: tuple[str, ...]
    details: str = ""
    items: tuple[AskItem, ...] = ()


class Answer(Value, frozen=True, tag="answer", tag_field="type"):
    """The choice that a person made for the `Ask` with this id."""

    ask: str
    choice: str


class Opaque(Value, frozen=True, tag="opaque", tag_field="type"):
    """A part that a newer peer sent and this version does not know. It is kept and passed on as it came."""

    data: dict[str, Any]


Part = Text | Media | Location | Reaction | Ask | Answer | Opaque


class Account(Value, frozen=True):
    """Somebody on a channel. `id` is the channel's own name for them."""

    channel: str
    id: str
    name: str = ""


class Conversation(Value, frozen=True):
    """One chat on one channel; `thread` is a topic inside it, where the channel has topics."""

    channel: str
    id: str
    thread: str = ""
    kind: Literal["direct", "group"] = "direct"


class Spoken(Value, frozen=True):
    """What has `parts`."""

    @property
    def text(self) -> str:
        """The words of all text parts and captions, one a line."""
        return text_of(self.parts)  # type: ignore[attr-defined]


class Message(Spoken, frozen=True):
    """What somebody said. `key` is the channel's idempotency key: the same key again is the same message.

    `action` tells whether it is new, replaces or removes the message whose `key` is `target`, or reacts to the one
    with the channel's id `target`; `reply_to` is the channel's id. `at` is in seconds since 1970, UTC. `tools` are
    those that whoever speaks offers for the answer to it, and carries out; each is called ``<channel>__<name>``.
    """

    key: str
    conversation: Conversation
    sender: Account
    parts: tuple[Part, ...] = ()
    action: Literal["new", "edit", "delete", "react"] = "new"
    target: str = ""
    reply_to: str = ""
    at: float = 0.0
    id: str = ""
    label: Label = UNLABELLED
    tools: tuple[ToolSpec, ...] = ()


def same_author(one: Message, other: Message) -> bool:
    """True if two messages come from the same account in the same conversation."""
    here, there = one.conversation, other.conversation
    same_place = (here.channel, here.id, here.thread) == (there.channel, there.id, there.thread)
    return same_place and one.sender.id == other.sender.id


class Outgoing(Spoken, frozen=True):
    """What Gitu wants said. `key` stays the same over every try; `replaces` names a delivered message to edit."""

    id: str
    key: str
    conversation: Conversation
    parts: tuple[Part, ...]
    reply_to: str = ""
    replaces: str = ""
    cause: str = ""
    label: Label = UNLABELLED


class Delivery(Value, frozen=True):
    """What became of an `Outgoing`. `unknown` is never sent again blindly; `retry_after` is in seconds."""

    state: Literal["sent", "not_sent", "unknown"]
    ids: tuple[str, ...] = ()
    retry_after: float | None = None
    final: bool = False
    detail: str = ""


class Receipt(Value, frozen=True):
    """The gateway's word that a message is committed. `fresh` is False when its key was known already, `mine`
    where another worker has its lane."""

    id: str
    fresh: bool = True
    mine: bool = True


def text_of(parts: tuple[Part, ...]) -> str:
    """The words in *parts*, one part a line; a question with what it is about."""
    words: list[str] = []
    for part in parts:
        if isinstance(part, Text):
            words.append(part.text)
        elif isinstance(part, Media) and part.caption:
            words.append(part.caption)
        elif isinstance(part, Ask):
            words += filter(None, (part.question, part.details))
    return "\n".join(words)
