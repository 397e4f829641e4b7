"""The fake server is strict, with the description of the API and without it."""

from __future__ import annotations

from typing import Any

import pytest

from gitu_core.contracts import Ask, Conversation, Media, Outgoing, Text
from gitu_telegram.adapter import TelegramAdapter

from .around import HostHere
from .description import described, problems
from .fake import Fake

KNOWN = [described(), None] if described() else [None]
IDS = ["described", "by the library"] if described() else ["by the library"]

WRONG = [
    ("sendNothing", {}),
    ("sendMessage", {"chat_id": 1}),
    ("sendMessage", {"chat_id": 1, "text": "x", "colour": "red"}),
    ("sendMessage", {"chat_id": 1, "text": "x", "entities": [{"type": "bold", "offset": 0, "length": 1, "size": 3}]}),
    ("sendMessage", {"chat_id": 1, "text": "x", "entities": [{"type": "bold"}]}),
    ("sendMessage", {"chat_id": 1, "text": "x", "reply_markup": {"inline_keyboard": 5}}),
]


@pytest.mark.parametrize("known", KNOWN, ids=IDS)
@pytest.mark.parametrize(("method", "given"), WRONG)
def test_what_is_wrong_is_found(method: str, given: dict[str, Any], known: dict[str, Any] | None) -> None:
    assert problems(method, given, known)


@pytest.mark.parametrize("known", KNOWN, ids=IDS)
def test_what_is_right_is_taken(known: dict[str, Any] | None) -> None:
    keys = {"inline_keyboard": [[{"text": "yes", "callback_data": "q yes"}]]}
    right = {"chat_id": 1, "text": "x", "reply_markup": keys, "message_thread_id": 3}
    assert problems("sendMessage", right, known) == []


def test_the_description_knows_types_and_sizes() -> None:
    known = {"methods": {"say": {"fields": [
        {"name": "text", "types": ["String"], "required": True, "description": "1-5 characters"},
        {"name": "keys", "types": ["Array of Key"], "required": False, "description": ""},
    ]}}, "types": {"Key": {"fields": [
        {"name": "data", "types": ["String"], "required": True, "description": "Data, 1-3 bytes"},
    ]}}}  # fmt: skip
    assert problems("say", {"text": "words", "keys": [{"data": "abc"}]}, known) == []
    keys: list[Any] = [{}, [{}], [{"data": "äö"}], [{"data": True}]]
    wrong = [{"text": "too long"}, {"text": 5}, {"text": ""}, *({"text": "x", "keys": each} for each in keys)]
    assert all(problems("say", each, known) for each in wrong)


@pytest.mark.anyio
async def test_without_a_description_the_channel_is_held_against_the_library() -> None:
    fake = Fake(known={})
    host = HostHere(fake)
    parts = (Text("**a**", "markdown"), Ask("q", "?", ("yes", "no")), Media(host.blobs.put(b"x"), "image", "c"))
    delivery = await TelegramAdapter(host).send(Outgoing("o", "k", Conversation("telegram", "1"), parts))
    fake.close()
    assert (delivery.state, fake.complaints) == ("sent", [])
