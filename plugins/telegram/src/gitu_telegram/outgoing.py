"""What is said, as calls of Telegram."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import anyio

from gitu_core.contracts import Ask, BlobRef, Delivery, Location, Media, Outgoing, Reaction, Text
from gitu_core.errors import GituError
from gitu_telegram.buttons import buttons
from gitu_telegram.files import read
from gitu_telegram.link import delivery_of, seconds_of
from gitu_telegram.markdown import CAPTION, LIMIT, Rich, cut, plain, render, shortened, units

if TYPE_CHECKING:
    import telegram
    from telegram import Bot

    from gitu_core.contracts import Host

PATIENCE = 40.0
"""Seconds for which what is said in several messages waits between two of them, where Telegram asks for it."""

LARGEST = 11 << 20
"""Bytes of a file that can be sent."""

NOTHING = Rich("")
Buttons = Sequence[tuple[str, str]]


@dataclass(frozen=True)
class Step:
    """One message of Telegram's."""

    rich: Rich = NOTHING
    buttons: Buttons = ()
    media: Media | None = None
    place: Location | None = None


async def steps(host: Host, outgoing: Outgoing, now: float) -> list[Step]:
    """*outgoing* as messages. Words that stand before a question go with it."""
    found: list[Step] = []
    words: list[Rich] = []

    def flush(keys: Buttons = ()) -> None:
        rich = NOTHING
        for each in words:
            rich = rich + plain("\n\n") + each if rich.text else each
        words.clear()
        pieces = [each for each in cut(rich) if each.text.strip()]
        found.extend(Step(each) for each in pieces[:-1])
        found.extend(Step(each, keys) for each in pieces[-1:])

    for part in outgoing.parts:
        if isinstance(part, Text):
            words.append(render(part.text) if part.format == "markdown" else plain(part.text))
        elif isinstance(part, Ask):
            words.extend(plain(each) for each in (part.question, part.details) if each)
            flush(await buttons(host, part, now))
        elif isinstance(part, Media | Location):
            flush()
            found += _shown(part)
        elif not isinstance(part, Reaction):
            words.append(plain(f"[{type(part).__name__.lower()}]"))
    flush()
    return found


def _shown(part: Media | Location) -> list[Step]:
    if isinstance(part, Location):
        return [Step(place=part)]
    rich = plain(part.caption)
    if units(part.caption) <= CAPTION:
        return [Step(rich, media=part)]
    return [Step(media=part), *(Step(each) for each in cut(rich))]


class Speaker:
    """Sends to one chat."""

    def __init__(self, host: Host, bot: Bot, chat: str, thread: str, reply_to: str, previews: bool) -> None:
        self._host, self._bot, self._chat, self._previews = host, bot, int(chat), previews
        self._thread = int(thread) if thread else None
        self._reply = reply_to

    async def say(self, wanted: Sequence[Step], replaces: str) -> Delivery:
        """Sends messages one after the other, the first in the place of what it *replaces*."""
        from telegram.error import TelegramError

        ids: list[str] = []
        patience = PATIENCE
        for number, step in enumerate(wanted):
            change = replaces if not number else ""
            while True:
                try:
                    ids.append(await self._one(step, change))
                    break
                except TelegramError as error:
                    wait = seconds_of(error) if hasattr(error, "retry_after") else PATIENCE + 1
                    if not ids or wait > patience:
                        return self._failed(error, ids)
                    patience -= wait
                    await anyio.sleep(wait)
        return Delivery("sent", tuple(ids))

    def _failed(self, error: telegram.error.TelegramError, ids: Sequence[str]) -> Delivery:
        from telegram.error import ChatMigrated

        if isinstance(error, ChatMigrated) and not ids:
            raise error
        found = delivery_of(error)
        if ids:  # the rest is missing; what was seen cannot be taken back
            return Delivery("unknown", tuple(ids), detail=found.detail)
        return found

    async def _one(self, step: Step, replaces: str) -> str:
        if replaces:
            return await self._change(step, replaces)
        if step.place is not None:
            return await self._location(step.place)
        if step.media is not None:
            return await self._media(step, step.media)
        return await self._formatted(partial(self._text, step.buttons), step.rich)

    async def _formatted(self, send: Callable[..., Awaitable[str]], rich: Rich) -> str:
        """Sends words with their entities; without, where Telegram refuses those."""
        from telegram.error import BadRequest

        try:
            return await send(rich)
        except BadRequest as error:
            if not rich.spans or "entit" not in error.message.lower():
                raise
        return await send(plain(rich.text))

    async def _text(self, keys: Buttons, rich: Rich) -> str:
        sent = await self._bot.send_message(
            self._chat, rich.text, entities=_entities(rich), reply_markup=_keyboard(keys), **self._where(),
            link_preview_options=self._preview(),
        )  # fmt: skip
        return str(sent.message_id)

    async def _change(self, step: Step, replaces: str) -> str:
        from telegram.error import BadRequest

        async def change(rich: Rich) -> str:
            await self._bot.edit_message_text(
                rich.text, self._chat, int(replaces), entities=_entities(rich), reply_markup=_keyboard(step.buttons),
                link_preview_options=self._preview(),
            )  # fmt: skip
            return replaces

        try:
            return await self._formatted(change, step.rich)
        except BadRequest as error:
            if "not modified" in error.message.lower():
                return replaces
            raise

    async def _location(self, place: Location) -> str:
        if place.name:
            title, _, address = place.name.partition(", ")
            sent = await self._bot.send_venue(
                self._chat, place.latitude, place.longitude, title, address or title, **self._where()
            )
        else:
            sent = await self._bot.send_location(self._chat, place.latitude, place.longitude, **self._where())
        return str(sent.message_id)

    async def _media(self, step: Step, media: Media) -> str:
        """A file, as what it is; as a plain file where Telegram does not take it so, and named where it takes none."""
        from telegram.error import BadRequest

        try:
            data = await read(self._host, media.blob) if media.blob.size <= LARGEST else b""
        except GituError:
            data = b""
        if not data:
            return await self._named(step, media)
        try:
            return await self._upload(media.kind, media.blob, data, step, media.seconds)
        except BadRequest:
            pass  # tried below, as a file
        try:
            return await self._upload("file", media.blob, data, step, None)
        except BadRequest:
            return await self._named(step, media)

    async def _named(self, step: Step, media: Media) -> str:
        what = f"[{media.blob.name or media.kind}: a file of {media.blob.size} bytes that cannot be sent here]"
        rich = shortened(step.rich, LIMIT - units(what) - 2)
        return await self._text((), (rich + plain("\n\n") if rich.text else rich) + plain(what))

    async def _upload(self, kind: str, blob: BlobRef, data: bytes, step: Step, seconds: float | None) -> str:
        from telegram import InputFile

        bot: Any = self._bot
        name = blob.name or {"image": "picture", "voice": "voice.ogg"}.get(kind, "file")
        file = InputFile(data, filename=name)
        more: dict[str, Any] = {"caption": step.rich.text or None, **self._where()}
        if kind in ("voice", "audio", "video") and seconds is not None:
            more["duration"] = round(seconds)
        if kind == "sticker" and more.pop("caption"):
            kind, more["caption"] = "file", step.rich.text
        send = {"image": bot.send_photo, "voice": bot.send_voice, "audio": bot.send_audio, "video": bot.send_video,
                "sticker": bot.send_sticker}.get(kind, bot.send_document)  # fmt: skip
        sent = await send(self._chat, file, **more)
        return str(sent.message_id)

    def _where(self) -> dict[str, Any]:
        """Where a message belongs: into its topic, and once below the one that it answers."""
        from telegram import ReplyParameters

        reply, self._reply = self._reply, ""
        known = ReplyParameters(int(reply), allow_sending_without_reply=True) if reply.isdecimal() else None
        return {"message_thread_id": self._thread, "reply_parameters": known}

    def _preview(self) -> telegram.LinkPreviewOptions:
        from telegram import LinkPreviewOptions

        return LinkPreviewOptions(is_disabled=not self._previews)


def _entities(rich: Rich) -> list[telegram.MessageEntity] | None:
    from telegram import MessageEntity

    return [
        MessageEntity(each.kind, each.offset, each.length, url=each.url or None, language=each.language or None)
        for each in rich.spans
    ] or None


def _keyboard(keys: Buttons) -> telegram.InlineKeyboardMarkup | None:
    """Short choices stand side by side, three in a row."""
    from telegram import InlineKeyboardButton, InlineKeyboardMarkup

    if not keys:
        return None
    made = [InlineKeyboardButton(label, callback_data=data) for label, data in keys]
    width = 3 if all(len(label) <= 12 for label, _ in keys) else 1
    return InlineKeyboardMarkup([made[start : start + width] for start in range(0, len(made), width)])
