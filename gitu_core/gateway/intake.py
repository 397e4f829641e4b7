"""Looks at a message before it is committed: can it be accepted, and what does it say once it is cleaned?"""

from __future__ import annotations

import re

import msgspec

from gitu_core.errors import InputError
from gitu_core.model.base import check_name, clean_text
from gitu_core.model.label import Label, from_outside, group, private_to, user
from gitu_core.model.message import Answer, Ask, Location, Media, Message, Part, Reaction, Text

MAX_TEXT = 1_000_000
"""The longest message, in characters. More belongs into a file."""

MAX_PARTS = 100

# Tools that a message may bring, and their size, in bytes of JSON.
MAX_TOOLS, MAX_TOOLS_SIZE = 128, 256 << 10

MAX_DEPTH = 64
"""How deep their schemas may be nested: whoever reads them later has less room than whoever read the message."""

TOOL_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}").fullmatch  # what every provider of models takes


def normalise(message: Message) -> Message:
    """*message* as it will be stored. `InputError` if it can never be accepted."""
    check_name(message.key, "key")
    check_name(message.conversation.channel, "channel")
    check_name(message.conversation.id, "conversation")
    if message.conversation.thread:
        check_name(message.conversation.thread, "thread")
    check_name(message.sender.id, "sender")
    if message.action == "new" and not message.parts:
        raise InputError("the message is empty", hint="say something")
    if len(message.parts) > MAX_PARTS:
        raise InputError(f"the message has {len(message.parts)} parts, {MAX_PARTS} are allowed", hint="split it")
    if message.tools:
        _brought(message)
    parts = tuple(map(_clean, message.parts))
    if sum(len(part.text) for part in parts if isinstance(part, Text)) > MAX_TEXT:
        raise InputError(f"the message is longer than {MAX_TEXT} characters", hint="send it as a file")
    return message if parts == message.parts else msgspec.structs.replace(message, parts=parts)


def _brought(message: Message) -> None:
    """Looks at the tools that a message brings: models are told of them, and of nothing that cannot be stored."""
    names, prefix = [each.name for each in message.tools], f"{message.conversation.channel}__"
    try:
        size = len(msgspec.json.encode(message.tools))
    except (msgspec.MsgspecError, TypeError, ValueError, RecursionError) as error:
        raise InputError(f"the tools of the message are no JSON data: {error}", hint="correct them") from error
    if len(names) > MAX_TOOLS or size > MAX_TOOLS_SIZE:
        most = f"{MAX_TOOLS} tools, or {MAX_TOOLS_SIZE >> 10} KiB"
        raise InputError(f"the message brings more than {most}", hint="bring fewer", field="tools")
    if any(_deeper(each.input_schema, MAX_DEPTH) or _deeper(each.output_schema, MAX_DEPTH) for each in message.tools):
        raise InputError("a schema of the message's tools is nested too deep", hint="make it flat", field="tools")
    for name in names:
        if not (name.startswith(prefix) and TOOL_NAME(name)) or names.count(name) > 1:
            raise InputError(f"a tool of the message is called {name[:100]!r}", field="tools",
                             hint=f"{prefix}NAME: 64 letters, digits, _ and - at most, each once")  # fmt: skip


def _deeper(value: object, most: int) -> bool:
    """True if *value* is nested deeper than *most*."""
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list | tuple) else ()
    return not most or any(_deeper(each, most - 1) for each in inner)


def _clean(part: Part) -> Part:
    match part:
        case Text():
            text = clean_text(part.text)
            return part if text == part.text else msgspec.structs.replace(part, text=text)
        case Media():
            return msgspec.structs.replace(part, caption=clean_text(part.caption))
        case Answer():
            return msgspec.structs.replace(part, ask=clean_text(part.ask), choice=clean_text(part.choice))
        case Location():
            if not (-90 <= part.latitude <= 90 and -180 <= part.longitude <= 180):
                raise InputError("the location is not on this planet", hint="send degrees, WGS 84")
            return msgspec.structs.replace(part, name=clean_text(part.name))
        case Reaction():
            return msgspec.structs.replace(part, emoji=clean_text(part.emoji))
        case Ask():
            raise InputError("a message cannot hold a question of ours", hint="send an Answer")
        case _:
            return part


def split(text: str) -> tuple[str, str]:
    """The word after the slash that a text begins with, if it is one, and the words after it."""
    word, *more = text.split(None, 1) or [""]
    return word[1:].lower() if word.startswith("/") else "", more[0].strip() if more else ""


def label_of(message: Message, person: str, vouched: bool = True) -> Label:
    """Who wrote a message and who may see it: what is said in private only its author, in a group whoever is there as
    well. Where nobody vouches for its author, somebody outside may have written it in their name, and it brings no
    tools: `InputError`."""
    if message.tools and not vouched:
        raise InputError("anybody may have brought these tools", hint="bring tools on a trusted channel only")
    where, label = message.conversation, message.label.join(private_to(person))
    if where.kind == "group":
        who = user(person)
        here = Label(origins=frozenset((who,)), readers=frozenset((who, group(where.channel, where.id))))
        label = message.label.join(here)
    return label if vouched else label.join(from_outside(f"{where.channel}:{message.sender.id}"))
