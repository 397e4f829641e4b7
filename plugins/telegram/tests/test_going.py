"""What goes out: cut, formatted, with files; and what is made of every answer of the server."""

from __future__ import annotations

from typing import Any

import pytest

from gitu_core.contracts import Ask, Conversation, Delivery, Location, Media, Outgoing, Part, Text
from gitu_telegram.adapter import TelegramAdapter
from gitu_telegram.buttons import MOST

from .around import HostHere
from .fake import Fake, buttons_of

pytestmark = pytest.mark.anyio

DIRECT = Conversation("telegram", "1")
GROUP = Conversation("telegram", "-9", "5", kind="group")


async def say(host: HostHere, *parts: Part, where: Conversation = DIRECT, **fields: Any) -> Delivery:
    """Says something on a new connection."""
    return await TelegramAdapter(host).send(Outgoing("o", "k", where, parts, **fields))


async def test_a_long_question_comes_whole_with_its_buttons_last(fake: Fake) -> None:
    ask = Ask("q" * 60, "May I?", ("yes", "no"), details="detail " * 1500)
    delivery = await say(HostHere(fake), ask)
    shown = list(fake.screen.values())
    assert (delivery.state, len(delivery.ids)) == ("sent", len(shown))
    assert "".join(each["text"] for each in shown).count("detail") == 1500
    assert [bool(buttons_of(each)) for each in shown] == [False] * (len(shown) - 1) + [True]
    assert all(len(each["callback_data"].encode()) <= MOST for each in buttons_of(shown[-1]))


async def test_every_kind_of_file_and_a_caption_that_is_too_long(fake: Fake) -> None:
    host = HostHere(fake)
    for kind in ("image", "voice", "audio", "video", "file", "sticker"):
        part = Media(host.blobs.put(b"data of it", name=f"a.{kind}"), kind, "words", 2.0)  # type: ignore[arg-type]
        assert (await say(host, part)).state == "sent"
    methods = [name for name, _ in fake.calls if name.startswith("send")]
    assert methods == ["sendPhoto", "sendVoice", "sendAudio", "sendVideo", "sendDocument", "sendDocument"]
    assert (await say(host, Media(host.blobs.put(b"x"), "image", "long " * 300))).state == "sent"
    assert fake.shown()[-1].count("long") == 300


async def test_a_file_that_telegram_refuses_is_sent_as_a_file_and_else_named(fake: Fake) -> None:
    host = HostHere(fake)
    fake.faults.extend([("sendPhoto", "400"), ("sendDocument", "400")])
    assert (await say(host, Media(host.blobs.put(b"x", name="odd.png"), "image", "see"))).state == "sent"
    assert "odd.png" in fake.shown()[-1]
    assert "see" in fake.shown()[-1]


async def test_places_replies_and_topics(fake: Fake) -> None:
    await say(HostHere(fake), Location(1.5, 2.5), Location(1.5, 2.5, "Cafe, Main St"), where=GROUP, reply_to="77")
    first, second = fake.called("sendLocation")[0], fake.called("sendVenue")[0]
    assert (first["message_thread_id"], first["reply_parameters"]["message_id"]) == (5, 77)
    assert first["reply_parameters"]["allow_sending_without_reply"] is True
    assert (second["title"], second["address"]) == ("Cafe", "Main St")


async def test_entities_that_telegram_refuses_are_left_out(fake: Fake) -> None:
    delivery = await say(HostHere(fake), Text("see [this](https://bad.example) **now**", "markdown"))
    assert delivery.state == "sent"
    assert fake.shown() == ["see this now"]


async def test_changing_nothing_is_no_failure_and_groups_are_changed_seldom(fake: Fake) -> None:
    host = HostHere(fake)
    first = await say(host, Text("same"), where=GROUP)
    again = await say(host, Text("same"), where=GROUP, replaces=first.ids[0])
    assert (again.state, again.ids, again.retry_after) == ("sent", first.ids, 3.0)


async def test_a_group_that_moved_is_found_again_also_by_a_new_process(fake: Fake) -> None:
    host, fake.moved[-9] = HostHere(fake), -1009
    assert (await say(host, Text("one"), where=Conversation("telegram", "-9", kind="group"))).state == "sent"
    count = len(fake.calls)
    assert (await say(host, Text("two"), where=Conversation("telegram", "-9", kind="group"))).state == "sent"
    assert [given["chat_id"] for name, given in fake.calls[count:] if name == "sendMessage"] == [-1009]


@pytest.mark.parametrize("apart", [False, True])
@pytest.mark.parametrize(
    ("fault", "wanted", "seen"),
    [
        ("429", Delivery("not_sent", retry_after=1.0), 0),
        ("400", Delivery("not_sent", final=True), 0),
        ("403", Delivery("not_sent", final=True), 0),
        ("401", Delivery("not_sent"), 0),
        ("500", Delivery("unknown"), 0),
        ("drop", Delivery("unknown"), 0),
        ("lost", Delivery("unknown"), 1),
        ("garbage", Delivery("unknown"), 0),
    ],
)
async def test_what_became_of_it(fake: Fake, apart: bool, fault: str, wanted: Delivery, seen: int) -> None:
    fake.faults.append(("sendMessage", fault))
    found = await say(HostHere(fake, apart), Text("word"))
    assert (found.state, found.retry_after, found.final) == (wanted.state, wanted.retry_after, wanted.final)
    assert len(fake.shown()) == seen


@pytest.mark.parametrize("apart", [False, True])
async def test_a_server_that_is_not_there_saw_nothing(fake: Fake, apart: bool) -> None:
    host, other = HostHere(fake, apart), Fake()
    other.close()
    host.config["base_url"] = other.url if not apart else ""
    host.http.netloc = other.url.removeprefix("http://")
    found = await say(host, Text("word"))
    assert (found.state, found.final) == ("not_sent", False)


async def test_of_several_messages_the_rest_waits_or_is_unknown(fake: Fake) -> None:
    host = HostHere(fake)
    parts = (Text("a " * 2000), Text("b " * 2000))
    fake.faults.extend([("sendMessage", "slow"), ("sendMessage", "429")])
    assert (await say(host, *parts)).state == "sent"
    fake.faults.extend([("sendMessage", "slow"), ("sendMessage", "403")])
    found = await say(host, *parts)
    assert (found.state, len(found.ids)) == ("unknown", 1)


async def test_a_block_of_code_goes_on_in_the_next_piece(fake: Fake) -> None:
    adapter = TelegramAdapter(HostHere(fake))
    texts = ("Look:\n```python\na = 1\n", "b = 2\n```\nand **so** on ", "~~~\nplain")
    for number, text in enumerate(texts):
        piece = Outgoing(f"o.{number}", f"k.{number}", DIRECT, (Text(text, "markdown"),))
        assert (await adapter.send(piece)).state == "sent"
    kinds = [[each["type"] for each in shown.get("entities", ())] for shown in fake.screen.values()]
    assert kinds == [["pre"], ["pre", "bold"], ["pre"]]
    assert fake.shown() == ["Look:\n\na = 1", "b = 2\n\nand so on", "plain"]


@pytest.mark.parametrize("where", [Conversation("telegram", "ana"), Conversation("telegram", "1", "topic")])
async def test_a_chat_that_cannot_be_is_a_final_no(fake: Fake, where: Conversation) -> None:
    found = await say(HostHere(fake), Text("x"), where=where)
    assert (found.state, found.final) == ("not_sent", True)
