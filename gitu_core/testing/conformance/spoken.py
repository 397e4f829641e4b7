"""What the kit lets an adapter say."""

from __future__ import annotations

import itertools
from typing import Any

from gitu_core.model import Ask, Conversation, Outgoing, Part
from gitu_core.testing.conformance.base import of

_numbers = itertools.count(1)


def serial() -> int:
    """A number that nothing else has."""
    return next(_numbers)


def speak(conversation: Conversation, *parts: Part, replaces: str = "") -> Outgoing:
    name = f"kit-{serial()}"
    return Outgoing(name, name, conversation, parts, replaces=replaces)


def question(name: str, choices: tuple[str, ...]) -> Ask:
    number = serial()
    return Ask(
        f"ask-{number}", f"May I do number {number} ({name})?", choices, f"to: bob{number}\namount: {number} euro"
    )


async def seen_of(remote: Any, word: str) -> int:
    """How often people see *word* now."""
    return sum(str(text).count(word) for text in await of(remote.shown()))
