"""What comes from Telegram, as Gitu's messages."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from gitu_core.contracts import Account, Conversation, Location, Media, Message, Part, Text
from gitu_telegram.files import Files, Sent
from gitu_telegram.settings import NAME, Settings

if TYPE_CHECKING:
    import telegram

_COMMAND = re.compile(r"/([A-Za-z0-9_]{1,32})@([A-Za-z0-9_]{3,64})(?=\s|$)")

Kind = Literal["image", "audio", "voice", "video", "file", "sticker"]


@dataclass(frozen=True)
class Me:
    """Who the bot is."""

    id: int
    username: str


class Moves:
    """Groups get another id when they become supergroups; here they keep the one that they had."""

    def __init__(self) -> None:
        self._old: dict[str, str] = {}
        self._new: dict[str, str] = {}

    def add(self, old: str, new: str) -> None:
        """A group moved."""
        old = self.name(old)
        if old != new:
            self._old[new], self._new[old] = old, new

    def name(self, id: str) -> str:
        """What a chat is called in Gitu."""
        return self._old.get(id, id)

    def address(self, name: str) -> str:
        """What it is called at Telegram today."""
        return self._new.get(name, name)


def key_of(me: Me, message: telegram.Message) -> str:
    """The key of a message: ids are counted anew in every chat, and for every bot in private ones."""
    return f"{me.id}:{message.chat.id}:{message.message_id}"


def place(message: Any, moves: Moves) -> Conversation:
    """The conversation of a message: a chat, or a topic of one."""
    thread = getattr(message, "message_thread_id", None) if getattr(message, "is_topic_message", False) else None
    kind: Literal["direct", "group"] = "direct" if message.chat.type == "private" else "group"
    return Conversation(NAME, moves.name(str(message.chat.id)), str(thread or ""), kind)


def account(user: telegram.User) -> Account:
    """Somebody on Telegram."""
    return Account(NAME, str(user.id), user.full_name)


def allowed(user: telegram.User | None, settings: Settings) -> bool:
    """True if this is a person who may be heard at all."""
    if user is None or user.is_bot:  # who speaks as a group or a channel is nobody in particular
        return False
    names = {str(user.id), (user.username or "").lower()}
    return not settings.allow or bool(names & set(settings.allow))


def meant(message: telegram.Message, me: Me, settings: Settings) -> bool:
    """True if a message is for the bot: in a group, if it is mentioned, answered or commanded there."""
    text = message.text or message.caption or ""
    named = _COMMAND.match(text)
    if named and named[2].lower() != me.username.lower():
        return False
    if message.chat.type == "private":
        return True
    if settings.groups != "mentioned":
        return settings.groups == "all"
    entities = message.entities or message.caption_entities or ()
    reply = message.reply_to_message
    replied = reply is not None and reply.from_user is not None and reply.from_user.id == me.id
    # In a topic the message that opened it counts as what is replied to.
    replied = replied and not (reply is not None and reply.forum_topic_created)
    return replied or text.startswith("/") or any(_mentions(each, text, me) for each in entities)


def _mentions(entity: telegram.MessageEntity, text: str, me: Me) -> bool:
    if entity.type == "text_mention":
        return entity.user is not None and entity.user.id == me.id
    raw = text.encode("utf-16-le")[2 * entity.offset : 2 * (entity.offset + entity.length)]
    return entity.type == "mention" and raw.decode("utf-16-le", "replace").lower() == f"@{me.username.lower()}"


def words(text: str, me: Me) -> str:
    """What somebody wrote, without the bot's name where it only says whom it is for."""
    text = _COMMAND.sub(r"/\1", text, count=1) if _COMMAND.match(text) else text
    name = f"@{me.username}"
    if text.lower().startswith(name.lower()) and not text[len(name) : len(name) + 1].isalnum():
        text = text[len(name) :].lstrip(" ,:") or text
    if text == "/start" or text.startswith("/start "):
        code = text.removeprefix("/start").strip()
        return f"/link {code}" if code else "/help"
    return text


async def message_of(
    update: telegram.Update, message: telegram.Message, me: Me, moves: Moves, files: Files, edited: bool
) -> Message | None:
    """A message as Gitu's; None where it says nothing."""
    parts = await _parts(message, me, files)
    if not parts or message.from_user is None:
        return None
    key, reply = key_of(me, message), message.reply_to_message
    at = (message.edit_date if edited and message.edit_date else message.date).timestamp()
    return Message(
        f"{key}:{update.update_id}" if edited else key, place(message, moves), account(message.from_user), tuple(parts),
        action="edit" if edited else "new", target=key if edited else "",
        reply_to=str(reply.message_id) if reply is not None and not reply.forum_topic_created else "", at=at,
    )  # fmt: skip


async def _parts(message: telegram.Message, me: Me, files: Files) -> list[Part]:
    parts: list[Part] = []
    if message.text:
        parts.append(Text(words(message.text, me)))
    if message.venue or message.location:
        parts.append(_location(message))
    elif message.contact:
        who = " ".join(filter(None, (message.contact.first_name, message.contact.last_name)))
        parts.append(Text(f"[contact] {who} {message.contact.phone_number}"))
    elif message.poll:
        parts.append(Text(f"[poll] {message.poll.question}: {', '.join(each.text for each in message.poll.options)}"))
    elif message.dice:
        parts.append(Text(f"[{message.dice.emoji}] {message.dice.value}"))
    sent = sent_with(message)
    if sent is not None:
        caption = words(message.caption or "", me)
        found = await files.fetched(sent)
        if isinstance(found, str):
            parts.append(Text(f"{caption}\n[{found}]".strip()))
        else:
            parts.append(Media(found, sent.kind, caption, sent.seconds))
    return parts


def _location(message: telegram.Message) -> Location:
    where = message.venue.location if message.venue else message.location
    assert where is not None
    name = f"{message.venue.title}, {message.venue.address}" if message.venue else ""
    return Location(where.latitude, where.longitude, name)


_FILES: Sequence[tuple[str, Kind, str, str]] = (
    ("animation", "video", "video/mp4", "animation.mp4"), ("document", "file", "application/octet-stream", "file"),
    ("voice", "voice", "audio/ogg", "voice.ogg"), ("audio", "audio", "audio/mpeg", "audio.mp3"),
    ("video", "video", "video/mp4", "video.mp4"), ("video_note", "video", "video/mp4", "video.mp4"),
    ("sticker", "sticker", "image/webp", "sticker.webp"),
)  # fmt: skip


def sent_with(message: telegram.Message) -> Sent | None:
    """The file that came with a message; of a picture the largest copy."""
    if message.photo:
        best = max(message.photo, key=lambda each: each.width * each.height)
        return Sent(best.file_id, "image", "image/jpeg", "photo.jpg", best.file_size or 0)
    for field, kind, media, name in _FILES:
        found: Any = getattr(message, field)
        if found:
            seconds: Any = getattr(found, "duration", None)
            seconds = seconds.total_seconds() if hasattr(seconds, "total_seconds") else seconds
            if field == "sticker" and (found.is_animated or found.is_video):
                media = "video/webm" if found.is_video else "application/gzip"
            return Sent(
                found.file_id, kind, getattr(found, "mime_type", None) or media,
                getattr(found, "file_name", None) or name, found.file_size or 0,
                None if seconds is None else float(seconds),
            )  # fmt: skip
    return None
