"""What comes in: files, places, edits, whom it is from and for, and servers that misbehave."""

from __future__ import annotations

import json
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import anyio
import pytest

from gitu_core.contracts import Location, Media, Text
from gitu_core.errors import AuthFailed, GituError, NotReady
from gitu_telegram.adapter import TelegramAdapter
from gitu_telegram.transport import PIECE

from .around import Box, HostHere
from .fake import TOKEN, Fake

pytestmark = pytest.mark.anyio


@asynccontextmanager
async def receiving(host: HostHere) -> AsyncIterator[Box]:
    """What the channel hands over meanwhile."""
    box = Box()
    async with anyio.create_task_group() as group:
        group.start_soon(TelegramAdapter(host).receive, box)
        yield box
        group.cancel_scope.cancel()


async def until(true: Callable[[], Any]) -> None:
    """Waits until *true* gives something."""
    with anyio.fail_after(5):
        while not true():  # noqa: ASYNC110 - the server tells nobody
            await anyio.sleep(0.005)


async def taken(fake: Fake, host: HostHere, count: int) -> Box:
    """The inbox when so many messages are in it, and Telegram has nothing left."""
    async with receiving(host) as box:
        await until(lambda: len(box.messages) >= count and not fake.updates)
    assert len(box.messages) == count
    return box


@pytest.mark.parametrize("apart", [False, True])
@pytest.mark.parametrize("ranges", [False, True])
async def test_files_become_blobs(fake: Fake, apart: bool, ranges: bool) -> None:
    host, fake.ranges = HostHere(fake, apart), ranges
    fake.files = {"small": b"s", "photo": b"p" * 10, "big": bytes(range(256)) * (PIECE // 256) + b"end", "v": b"ogg"}
    sizes = [
        {"file_id": name, "file_unique_id": name, "width": n, "height": n} for name, n in (("small", 1), ("photo", 9))
    ]
    document = {"file_id": "big", "file_unique_id": "d", "file_name": "plan.pdf", "mime_type": "application/pdf"}
    voice = {"file_id": "v", "file_unique_id": "v", "duration": 3, "mime_type": "audio/ogg"}
    fake.push(message=fake.message(photo=sizes, caption="look"))
    fake.push(message=fake.message(document=document))
    fake.push(message=fake.message(voice=voice))
    parts = [each.parts[0] for each in (await taken(fake, host, 3)).messages]
    assert all(isinstance(each, Media) for each in parts)
    assert [host.blobs.data[each.blob.digest] for each in parts] == [fake.files[n] for n in ("photo", "big", "v")]
    assert [(each.kind, each.caption, each.seconds) for each in parts] == [
        ("image", "look", None), ("file", "", None), ("voice", "", 3.0),
    ]  # fmt: skip
    assert (parts[1].blob.name, parts[1].blob.media_type) == ("plan.pdf", "application/pdf")


async def test_a_file_that_cannot_be_had_is_named_and_its_words_come_all_the_same(fake: Fake) -> None:
    big = {"file_id": "x", "file_unique_id": "x", "file_name": "film.mkv", "file_size": 1 << 30}
    fake.push(message=fake.message(document=big, caption="watch this"))
    fake.push(message=fake.message(document={**big, "file_size": 5}))
    first, second = (await taken(fake, HostHere(fake), 2)).messages
    assert first.text.startswith("watch this")
    assert "too large" in first.text
    assert "film.mkv" in second.text


async def test_places_edits_and_answers(fake: Fake) -> None:
    said = fake.message("old words")
    spot = {"latitude": 52.5, "longitude": 13.4}
    fake.push(message=said)
    fake.push(edited_message={**said, "text": "new words", "edit_date": 1_800_000_009})
    fake.push(message=fake.message(location=spot))
    fake.push(message=fake.message(venue={"location": spot, "title": "Cafe", "address": "Main St"}, location=spot))
    fake.push(message=fake.message("as I said", reply_to_message=said))
    old, new, place, venue, reply = (await taken(fake, HostHere(fake), 5)).messages
    assert (new.action, new.target, new.text, new.at) == ("edit", old.key, "new words", 1_800_000_009)
    assert new.key != old.key
    assert place.parts == (Location(52.5, 13.4),)
    assert venue.parts == (Location(52.5, 13.4, "Cafe, Main St"),)
    assert reply.reply_to == str(said["message_id"])


@pytest.mark.parametrize(
    ("groups", "fields", "heard"),
    [
        ("mentioned", {"text": "hello all"}, False),
        ("mentioned", {"text": "/status"}, True),
        ("mentioned", {"text": "/status@gitu_bot"}, True),
        ("mentioned", {"text": "/status@other_bot"}, False),
        ("mentioned", {"text": "😀 @Gitu_Bot hi", "entities": [{"type": "mention", "offset": 3, "length": 9}]}, True),
        ("mentioned", {"text": "@gitu_bots hi", "entities": [{"type": "mention", "offset": 0, "length": 10}]}, False),
        ("all", {"text": "hello all"}, True),
        ("none", {"text": "/status@gitu_bot"}, False),
    ],
)
async def test_what_counts_as_said_to_it_in_a_group(fake: Fake, groups: str, fields: Any, heard: bool) -> None:
    fake.push(message=fake.message(chat=-7, **fields))
    fake.say("the end")
    box = await taken(fake, HostHere(fake, groups=groups), 1 + heard)
    assert box.messages[-1].text == "the end"
    assert not heard or (box.messages[0].conversation.kind, box.messages[0].conversation.id) == ("group", "-7")


async def test_who_is_not_on_the_list_or_is_nobody_is_not_heard(fake: Fake) -> None:
    fake.say("stranger", user=3)
    fake.push(message={**fake.message("bot"), "from": {"id": 8, "is_bot": True, "first_name": "B"}})
    fake.push(message={name: value for name, value in fake.message("channel").items() if name != "from"})
    fake.say("by number", user=1)
    fake.say("by name", user=2)
    box = await taken(fake, HostHere(fake, allow=[1, "@User2"]), 2)
    assert [each.text for each in box.messages] == ["by number", "by name"]


async def test_what_the_library_cannot_read_and_what_is_new_hold_up_nothing(fake: Fake) -> None:
    fake.push(message={"message_id": "no number", "chat": 5})
    fake.push(hologram={"of": "the future"})
    fake.push(message=fake.message(None, from_the_future=[1]))
    fake.push(message=fake.message("deep", entities=[{"type": "new", "offset": 0, "length": 4}]))
    box = await taken(fake, HostHere(fake), 1)
    assert box.messages[0].parts == (Text("deep"),)


async def test_out_of_order_and_twice(fake: Fake) -> None:
    fake.say("one")
    fake.say("two")
    fake.updates = dict(reversed(fake.updates.items()))
    async with receiving(HostHere(fake)) as box:
        await until(lambda: len(box.messages) == 2)
        fake.forced = [{"update_id": 1, "message": fake.message("an old number")}]
        await until(lambda: len(box.messages) == 3)
        fake.say("three")
        await until(lambda: len(box.messages) == 4)
    assert [each.text for each in box.messages] == ["one", "two", "an old number", "three"]


@pytest.mark.parametrize("apart", [False, True])
@pytest.mark.parametrize(
    ("fault", "kind"),
    [("409", NotReady), ("502", NotReady), ("drop", NotReady), ("garbage", NotReady), ("429", NotReady),
     ("401", AuthFailed)],
)  # fmt: skip
async def test_what_goes_wrong_is_typed_and_says_no_token(
    fake: Fake, apart: bool, fault: str, kind: type[GituError]
) -> None:
    fake.faults.append(("getUpdates", fault))
    adapter = TelegramAdapter(HostHere(fake, apart))
    with pytest.raises(kind) as caught:
        await adapter.receive(Box())
    assert TOKEN not in json.dumps([str(caught.value), caught.value.hint, caught.value.details])
    assert (await adapter.health()).state == ("failed" if kind is AuthFailed else "ok")


@pytest.mark.parametrize(
    ("token", "why"), [("", "not set"), ("no token", "no token of a bot"), ("1:aaaaaaaaaaaa", "ref")]
)
async def test_a_missing_wrong_or_refused_token_is_for_a_person_to_mend(fake: Fake, token: str, why: str) -> None:
    adapter = TelegramAdapter(HostHere(fake, token=token))
    with pytest.raises(AuthFailed, match=why):
        await adapter.receive(Box())
    assert (await adapter.health()).state == "failed"


class Keeping(logging.Handler):
    """Keeps all that a record says, what is only attached to it included."""

    def __init__(self) -> None:
        super().__init__(logging.NOTSET)
        self.said: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keeps one."""
        self.said.append(f"{self.format(record)} {vars(record)}")


@pytest.mark.parametrize("apart", [False, True])
async def test_the_token_stands_in_no_log_of_any_level(fake: Fake, apart: bool) -> None:
    root, keeping = logging.getLogger(), Keeping()
    level = root.level
    root.addHandler(keeping)
    root.setLevel(logging.NOTSET)
    fake.files = {"f": b"x"}
    try:
        fake.push(message=fake.message(document={"file_id": "f", "file_unique_id": "f"}))
        await taken(fake, HostHere(fake, apart), 1)
        fake.faults.append(("getUpdates", "garbage"))
        with pytest.raises(NotReady):
            await TelegramAdapter(HostHere(fake, apart)).receive(Box())
    finally:
        root.removeHandler(keeping)
        root.setLevel(level)
    assert keeping.said
    assert [line for line in keeping.said if TOKEN in line] == []
