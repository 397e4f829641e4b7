"""Takes updates one by one: each is handed over before the next one, and what cannot be read holds up nothing."""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import anyio

from gitu_core.contracts import Entry, Message, Receipt
from gitu_core.errors import GituError, InputError, NotReady
from gitu_telegram.buttons import pressed
from gitu_telegram.files import Files
from gitu_telegram.incoming import account, allowed, meant, message_of, place

if TYPE_CHECKING:
    import telegram
    from anyio.abc import TaskGroup

    from gitu_core.contracts import Host, Inbox
    from gitu_telegram.incoming import Me, Moves
    from gitu_telegram.settings import Settings
    from gitu_telegram.transport import Client

log = logging.getLogger("gitu.plugins.telegram")

AGAIN, TYPES, LONGEST = 1.0, 4.5, 300.0
"""Seconds until a message that the host could not take is handed over again; for which Telegram shows that somebody
types; and for which it is shown at most."""

EXPIRED = "This button has expired. /questions shows what waits for your answer."
STRANGER = "This button is for somebody else."


class Desk:
    """Hands over what comes."""

    def __init__(
        self, host: Host, bot: Client, me: Me, settings: Settings, moves: Moves, inbox: Inbox, group: TaskGroup,
        failures: dict[str, int],
    ) -> None:  # fmt: skip
        self._host, self._bot, self._me, self._settings, self._moves = host, bot, me, settings, moves
        self._inbox, self._group = inbox, group
        self._files = Files(host, bot, settings.max_file, failures)

    async def take(self, raw: dict[str, Any]) -> None:
        """Deals with one update; when it returns, Telegram may forget it."""
        from telegram import Update

        try:
            update = Update.de_json(raw, self._bot)
        except Exception as error:  # noqa: BLE001 - whatever the library makes of it: the next ones have to come through
            log.error("update %s cannot be read: %s", raw.get("update_id"), type(error).__name__)
            return
        if update.callback_query is not None:
            await self._press(update.callback_query)
        elif update.message is not None:
            await self._message(update, update.message, edited=False)
        elif update.edited_message is not None:
            await self._message(update, update.edited_message, edited=True)

    async def _message(self, update: telegram.Update, message: telegram.Message, edited: bool) -> None:
        if message.migrate_to_chat_id:
            return await self._moved(str(message.chat.id), str(message.migrate_to_chat_id))
        if message.migrate_from_chat_id:
            return await self._moved(str(message.migrate_from_chat_id), str(message.chat.id))
        if not allowed(message.from_user, self._settings) or not meant(message, self._me, self._settings):
            return None
        found = await message_of(update, message, self._me, self._moves, self._files, edited)
        receipt = await self._accepted(found) if found is not None else None
        if receipt is not None and receipt.id and receipt.fresh and not edited:
            self._group.start_soon(self._type, message, receipt.id)
        return None

    async def _moved(self, old: str, new: str) -> None:
        self._moves.add(old, new)
        await self._host.kv.put(Entry(f"moved:{new}", self._moves.name(new)))

    async def _accepted(self, message: Message) -> Receipt | None:
        """The receipt of a message; None for one that can never be accepted."""
        while True:
            try:
                return await self._inbox.accept(message)
            except InputError as error:
                log.info("a message cannot be accepted: %s", error)
                return None
            except NotReady as error:
                await anyio.sleep(AGAIN if error.retry_after is None else error.retry_after)

    # ---- buttons -------------------------------------------------------------------------------------------------

    async def _press(self, query: telegram.CallbackQuery) -> None:
        answer = await pressed(self._host, query.data or "")
        if not allowed(query.from_user, self._settings):
            return await self._tell(query, STRANGER)
        if answer is None or query.message is None:
            return await self._tell(query, EXPIRED)
        message = Message(
            f"{self._me.id}:press:{query.id}", place(query.message, self._moves), account(query.from_user), (answer,),
            at=time.time(),
        )  # fmt: skip
        receipt = await self._accepted(message)
        if receipt is None or not receipt.id:
            return await self._tell(query, EXPIRED if receipt is None else STRANGER)
        await self._tell(query, "")
        if query.message.chat.type == "private":
            await self._mark(query, answer.choice)
        return None

    async def _tell(self, query: telegram.CallbackQuery, text: str) -> None:
        """Ends the waiting that Telegram shows on the button."""
        await self._best(self._bot.answer_callback_query(query.id, text or None, show_alert=bool(text)))

    async def _mark(self, query: telegram.CallbackQuery, choice: str) -> None:
        """Leaves of all buttons the one that was pressed. In a group others may have pressed it."""
        from telegram import InlineKeyboardButton, InlineKeyboardMarkup

        button = InlineKeyboardButton(f"✓ {choice}", callback_data=query.data)
        if query.message is not None:
            await self._best(
                self._bot.edit_message_reply_markup(
                    query.message.chat.id, query.message.message_id, reply_markup=InlineKeyboardMarkup([[button]])
                )
            )

    async def _best(self, call: Awaitable[object]) -> None:
        """What is done where it can be done: nothing depends on it."""
        from telegram.error import TelegramError

        with suppress(TelegramError):
            await call

    async def _type(self, message: telegram.Message, id: str) -> None:
        """Shows that somebody types until an answer is there."""
        thread = message.message_thread_id if message.is_topic_message else None

        async def types() -> None:
            while True:
                await self._best(self._bot.send_chat_action(message.chat.id, "typing", message_thread_id=thread))
                await anyio.sleep(TYPES)

        with anyio.move_on_after(LONGEST):
            async with anyio.create_task_group() as group:
                group.start_soon(types)
                with suppress(GituError):  # whoever hands over messages is told of it at the next one
                    await self._inbox.finished(id)
                group.cancel_scope.cancel()
