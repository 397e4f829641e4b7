"""Who hears what is said in a conversation, and what of a history may be read there."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

import msgspec

from gitu_core.model.chat import ModelMessage
from gitu_core.model.label import Label, group
from gitu_core.model.message import Conversation


def audience(where: Conversation | None, principal: str) -> str:
    """The reader who has to be allowed what is said there: whoever is in the group, else *principal*."""
    return group(where.channel, where.id) if where is not None and where.kind == "group" else principal


def readable(messages: Iterable[ModelMessage], reader: str) -> list[ModelMessage]:
    """What of a history *reader* may read, and never half an exchange: where one of its results is left out, its calls
    and its other results are left out with it."""
    found = list(messages)
    mine = [each for each in found if each.label.readable_by(reader)]
    if len(mine) == len(found):
        return found
    seen, whole = {each.call_id for each in mine}, {""}
    for each in mine:
        if seen.issuperset(call.id for call in each.calls):
            whole.update(call.id for call in each.calls)
    return [each for each in mine if each.call_id in whole and all(call.id in whole for call in each.calls)]


@lru_cache(1_000)
def with_reader(label: Label, reader: str) -> Label:
    """The label of what *reader* may see as well."""
    if label.readers is None or reader in label.readers:
        return label
    return msgspec.structs.replace(label, readers=label.readers | {reader})
