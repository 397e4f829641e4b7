"""Takes what a visitor says: into the mailbox of its person, and to the inbox."""

from __future__ import annotations

import time
from collections.abc import Sequence
from urllib.parse import quote

from msgspec.structs import replace

from gitu_core.contracts import Answer, Conversation, Location, Media, Message, Part, Receipt, Text, check_name
from gitu_core.errors import Denied, InputError
from gitu_web.files import mine, own_only
from gitu_web.mailbox import Kept
from gitu_web.site import Site
from gitu_web.visitor import CHANNEL, Visitor

MOST_KEY, MOST_CHAT, MOST_PARTS, MOST_CHOICE = 128, 64, 32, 512


def place(person: str, chat: str = "") -> Conversation:
    """A chat of a person on this channel."""
    return Conversation(CHANNEL, person, chat)


def message_of(visitor: Visitor, key: str, parts: Sequence[Part], chat: str, reply_to: str = "") -> Message:
    """What a visitor says, as a message. `InputError` where that is none."""
    if len(check_name(key, "key")) > MOST_KEY:
        raise InputError(f"the key has more than {MOST_KEY} characters", hint="use a shorter one", field="key")
    if chat and len(check_name(chat, "chat")) > MOST_CHAT:
        raise InputError(f"the chat has more than {MOST_CHAT} characters", hint="use a shorter one", field="chat")
    if not parts or len(parts) > MOST_PARTS:
        raise InputError(f"a message has 1 to {MOST_PARTS} parts", hint="send text, or parts", field="parts")
    for part in parts:
        if not isinstance(part, Text | Media | Location | Answer):
            raise InputError(f"people do not send a part of the type {type(part).__name__.lower()}",
                             hint="send text, media, a location or an answer", field="parts")  # fmt: skip
        if isinstance(part, Answer):
            check_name(part.ask, "ask")
            if not 0 < len(part.choice) <= MOST_CHOICE:
                what = f"a choice has 1 to {MOST_CHOICE} characters"
                raise InputError(what, hint="make one of those that are offered", field="choice")
    # Keys are the channel's: those of two people never meet.
    whole = f"{quote(visitor.person, safe='')}/{key}"
    where = place(visitor.person, chat)
    return Message(whole, where, visitor.account, tuple(parts), reply_to=reply_to[:MOST_KEY], at=time.time())


async def take(site: Site, visitor: Visitor, message: Message) -> Receipt:
    """Commits a message and puts it into the mailbox, so that the person's other devices show it; the same key again is
    the same message. `Denied` where the person may not talk here."""
    message = replace(message, parts=await own_only(site.host, visitor.person, message.parts))
    key = message.key.partition("/")[2]
    kept = Kept("said", f"in:{key}", message.at, message.parts, message.conversation.thread,
                reply_to=message.reply_to, device=visitor.device)  # fmt: skip

    async def accept() -> Receipt:
        receipt = await site.inbox.accept(message)
        if not receipt.id:
            raise Denied(
                f"{visitor.person} may not talk here", hint="have whoever runs this assistant look at the user"
            )
        return receipt

    return await site.boxes.hold(visitor.person, kept, mine(visitor.person), accept)
