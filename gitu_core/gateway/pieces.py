"""Cuts what is said to what a channel takes."""

from __future__ import annotations

from itertools import chain

import msgspec

from gitu_core.contracts import Channel
from gitu_core.model import Outgoing, Text


def pieces(outgoing: Outgoing, channel: Channel) -> list[Outgoing]:
    """*outgoing* in as many messages as the *channel* asks for, each with its own key."""
    found = [[msgspec.structs.replace(part, text=text) for text in split(part.text, channel)]
             if isinstance(part, Text) else [part] for part in outgoing.parts]  # fmt: skip
    if all(len(each) < 2 for each in found):
        return [outgoing]
    return [
        msgspec.structs.replace(
            outgoing, parts=(part,), key=f"{outgoing.key}.{number}", id=f"{outgoing.id}.{number}",
            replaces="" if number else outgoing.replaces,
        )
        for number, part in enumerate(chain.from_iterable(found))
    ]  # fmt: skip


def room(text: str, channel: Channel, taken: int = 0) -> int:
    """How many characters of *text* fit into one message in which so much is *taken*."""
    most = channel.max_text - taken if channel.max_text else 2 * len(text)
    units = text.encode("utf-16-le", "surrogatepass")[: 2 * most]
    return len(units.decode("utf-16-le", "ignore")) or 1 if channel.utf16 else most


def split(text: str, channel: Channel) -> list[str]:
    """*text* in pieces that fit, cut at paragraphs, else at lines, else at words, where that is possible."""
    found = []
    while len(text) > (most := room(text, channel)):
        cuts = (text.rfind(mark, most // 2, most) + len(mark) for mark in ("\n\n", "\n", " "))
        cut = next((cut for cut in cuts if cut > most // 2), most)
        found.append(text[:cut])
        text = text[cut:]
    return [*found, text] if text else found
