"""Cuts what is said to what a channel takes."""

from __future__ import annotations

from typing import Any

import msgspec

from gitu_core.model import Outgoing, Text


def pieces(outgoing: Outgoing, limit: int) -> list[Outgoing]:
    """*outgoing* in as many messages as the *limit* (characters, 0 = none) asks for, each with its own key."""
    if not limit or all(len(part.text) <= limit for part in outgoing.parts if isinstance(part, Text)):
        return [outgoing]
    parts: list[Any] = []
    for part in outgoing.parts:
        if isinstance(part, Text):
            parts.extend(msgspec.structs.replace(part, text=text) for text in split(part.text, limit))
        else:
            parts.append(part)
    return [
        msgspec.structs.replace(
            outgoing, parts=(part,), key=f"{outgoing.key}.{number}", id=f"{outgoing.id}.{number}",
            replaces="" if number else outgoing.replaces,
        )
        for number, part in enumerate(parts)
    ]  # fmt: skip


def split(text: str, limit: int) -> list[str]:
    """*text* in pieces of at most *limit* characters, cut at paragraphs, lines or words where that is possible."""
    found = []
    while len(text) > limit:
        cut = max((text.rfind(mark, limit // 2, limit) + len(mark) for mark in ("\n\n", "\n", " ")), default=0)
        cut = cut if cut > limit // 2 else limit
        found.append(text[:cut])
        text = text[cut:]
    return [*found, text] if text else found
