"""The channel: hands over what people say on Telegram, and says what Gitu wants said."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import anyio
from msgspec.structs import replace

from gitu_core.contracts import Channel, Conversation, Delivery, Entry, Health, Outgoing, Text, TurnEvent
from gitu_core.errors import GituError
from gitu_telegram.incoming import Me, Moves
from gitu_telegram.link import Link, announce, delivery_of
from gitu_telegram.markdown import unclosed
from gitu_telegram.settings import COMMANDS, NAME, UPDATES

if TYPE_CHECKING:
    from gitu_core.contracts import Host, Inbox
    from gitu_telegram.desk import Desk
    from gitu_telegram.outgoing import Step
    from gitu_telegram.transport import Client

GROUP_PAUSE = 3.0
"""Seconds between two changes of a message in a group, where Telegram takes twenty messages a minute."""

MOVED = "moved:"

MOST_OPEN = 1_000
"""Of how many pieces it is remembered what the next one goes on with."""


class TelegramAdapter:
    """Telegram, as a bot."""

    channel = Channel(
        NAME, delivery="blind", max_text=4096, utf16=True, markdown=True, edits=True, buttons=True, trusted=True,
        media=frozenset({"image", "audio", "voice", "video", "file", "sticker", "location"}),
    )  # fmt: skip

    def __init__(self, host: Host) -> None:
        self._host = host
        self._link = Link(host)
        self._moves: Moves | None = None
        self._failures: dict[str, int] = {}
        self._offset: int | None = None
        self._code: dict[str, str] = {}

    # ---- what comes in -------------------------------------------------------------------------------------------

    async def receive(self, inbox: Inbox) -> None:
        """Hands over what people say, until cancelled."""
        from telegram.error import TelegramError

        from gitu_telegram.desk import Desk

        failure: GituError | None = None
        async with self._link.bot() as bot, anyio.create_task_group() as group:
            try:
                settings, moves = self._link.settings, await self._known()
                me = Me(bot.id, bot.username)
                with suppress(TelegramError):  # people can type what is not offered to them
                    await announce(bot, COMMANDS)
                desk = Desk(self._host, bot, me, settings, moves, inbox, group, self._failures)
                if settings.mode == "webhook":
                    from gitu_telegram.webhook import listen

                    await listen(bot, settings, desk, self._link.well)
                else:
                    await self._poll(bot, desk, settings.poll_seconds)
            except TelegramError as error:
                failure = self._link.failed(error)
            except GituError as error:  # raised below, where it does not come out as a group of exceptions
                failure = error
            group.cancel_scope.cancel()
        if failure is not None:
            raise failure

    async def _poll(self, bot: Client, desk: Desk, seconds: int) -> None:
        """An update counts as taken when it is asked for what comes behind it: after it was handed over."""
        await bot.delete_webhook()
        while True:
            found = await bot.polled(self._offset, seconds, UPDATES)
            self._link.well()
            for raw in sorted(filter(_numbered, found), key=lambda each: int(each["update_id"])):
                await desk.take(raw)
                self._offset = int(raw["update_id"]) + 1

    async def _known(self) -> Moves:
        """The groups that moved."""
        if self._moves is None:
            moves = Moves()
            for entry in await self._host.kv.list(MOVED):
                moves.add(str(entry.value), entry.key.removeprefix(MOVED))
            self._moves = moves
        return self._moves

    # ---- what goes out -------------------------------------------------------------------------------------------

    async def send(self, outgoing: Outgoing) -> Delivery:
        """Says something."""
        from telegram.error import ChatMigrated, TelegramError

        from gitu_telegram.outgoing import steps

        try:
            wanted = await steps(self._host, self._carried(outgoing), time.time())
            if not wanted:
                return Delivery("sent", detail="there is nothing to show")
            async with self._link.bot() as bot:
                try:
                    return await self._say(bot, outgoing, wanted)
                except ChatMigrated as error:
                    moves = await self._known()
                    moves.add(outgoing.conversation.id, new := str(error.new_chat_id))
                    await self._host.kv.put(Entry(MOVED + new, moves.name(new)))
                    return await self._say(bot, outgoing, wanted)
        except TelegramError as error:
            self._link.failed(error)
            return delivery_of(error)
        except GituError as error:  # nothing was handed to Telegram yet: what it answers is judged further below
            return Delivery("not_sent", detail=error.message)

    def _carried(self, outgoing: Outgoing) -> Outgoing:
        """One piece of a longer answer, which goes on with the block of code that the piece before left open."""
        base, _, number = outgoing.key.rpartition(".")
        part = outgoing.parts[0] if len(outgoing.parts) == 1 else None
        if not (number.isdecimal() and isinstance(part, Text) and part.format == "markdown"):
            return outgoing
        text = self._code.get(outgoing.key, "") + part.text
        if len(self._code) > MOST_OPEN:
            self._code.clear()
        self._code[f"{base}.{int(number) + 1}"] = unclosed(text)
        return replace(outgoing, parts=(replace(part, text=text),))

    async def _say(self, bot: Client, outgoing: Outgoing, wanted: Sequence[Step]) -> Delivery:
        from gitu_telegram.outgoing import Speaker

        where, moves = outgoing.conversation, await self._known()
        chat = moves.address(where.id)
        if not chat.lstrip("-").isdecimal() or (where.thread and not where.thread.isdecimal()):
            return Delivery("not_sent", final=True, detail="there is no such chat on Telegram")
        previews = self._link.settings.link_previews
        speaker = Speaker(self._host, bot, chat, where.thread, outgoing.reply_to, previews)
        delivery = await speaker.say(wanted, outgoing.replaces)
        if delivery.state == "sent":
            self._link.well()
            if where.kind == "group":
                return Delivery("sent", delivery.ids, retry_after=GROUP_PAUSE)
        return delivery

    async def verify(self, outgoing: Outgoing) -> Delivery:
        """Nobody can ask Telegram what it showed."""
        return Delivery("unknown")

    async def show(self, conversation: Conversation, event: TurnEvent) -> None:
        """Nothing: the answer itself grows, and that somebody types is shown from the moment a message came."""

    async def health(self) -> Health:
        """How the connection is."""
        return await self._link.health()


def _numbered(raw: Any) -> bool:
    return isinstance(raw, dict) and isinstance(raw.get("update_id"), int)
