"""The client: whatever happens to its connections, what it says is safe once and what it hears comes once."""

from __future__ import annotations

from typing import cast

import anyio
import pytest

from gitu_core.contracts import Conversation, Host, Message, Outgoing, Text
from gitu_core.errors import AuthFailed, InputError, NotReady
from gitu_web.adapter import WebAdapter
from gitu_web.client import Client
from gitu_web.protocol import Delta, Letter, Welcome

from .around import Box, HostHere, Known, served, up

pytestmark = pytest.mark.anyio

ANA = Conversation("web", "ana")


def words(text: str, cause: str = "") -> Outgoing:
    """Something that the assistant says."""
    return Outgoing(text, text, ANA, (Text(text),), cause=cause)


async def some(client: Client, count: int, kind: str = "told") -> list[str]:
    """The words of the next messages."""
    found = list[str]()
    with anyio.fail_after(10):
        async for letter in client.letters():
            if letter.kind == kind:
                found.append(letter.text)
            if len(found) == count:
                break
    return found


async def test_it_says_and_hears() -> None:
    async with served() as place:

        async def answer(message: Message, id: str) -> None:
            await place.adapter.send(words(f"you said {message.text}", id))

        place.box.on_accept = answer
        async with Client(place.host.url, "ana-phone") as client:
            ack = await client.say("hi", key="k1")
            async for letter in client.letters():
                if letter.cause == ack.id:
                    assert letter.text == "you said hi"
                    break
            assert client.cursor == letter.cursor


async def test_it_comes_back_after_the_server_does_and_misses_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """The server ends and begins anew five times; between, while and after that things are said on both sides."""
    monkeypatch.setattr("gitu_web.client.FIRST_WAIT", 0.02)
    host, box = HostHere(), Box()
    adapter = WebAdapter(cast(Host, host), Known())
    async with Client(host.url, "ana-phone") as client, anyio.create_task_group() as group:
        for lap in range(5):
            async with anyio.create_task_group() as server:
                server.start_soon(adapter.receive, box)
                await up(host.config["port"])
                await adapter.send(words(f"up {lap}"))
                await client.say(f"said {lap}", key=f"k{lap}")
                server.cancel_scope.cancel()
            await adapter.send(words(f"down {lap}"))
            group.start_soon(lambda lap=lap: client.say(f"said down {lap}", key=f"d{lap}"))
        group.start_soon(adapter.receive, box)
        assert await some(client, 10) == [f"{way} {lap}" for lap in range(5) for way in ("up", "down")]
        with anyio.fail_after(10):
            while len({each.key for each in box.messages}) < 10:  # noqa: ASYNC110 - the box tells nobody
                await anyio.sleep(0.01)
        await anyio.sleep(0.05)
        group.cancel_scope.cancel()
    assert {each.text for each in box.messages} == {
        f"{way} {lap}" for lap in range(5) for way in ("said", "said down")
    }  # fmt: skip


async def test_what_the_server_cannot_take_now_is_said_again() -> None:
    async with served() as place, Client(place.host.url, "ana-phone") as client, anyio.create_task_group() as group:
        place.box.refuses = NotReady("the queue is deep", retry_after=0.05)
        group.start_soon(client.say, "hi")
        await anyio.sleep(0.2)
        assert place.box.messages == []
        place.box.refuses = None
        with anyio.fail_after(5):
            while not place.box.messages:  # noqa: ASYNC110 - the box tells nobody
                await anyio.sleep(0.01)


async def test_what_can_never_be_taken_is_told() -> None:
    async with served() as place, Client(place.host.url, "ana-phone") as client:
        with pytest.raises(InputError), anyio.fail_after(5):
            await client.say("hi", chat="c" * 65)


@pytest.mark.parametrize("later", [False, True])
async def test_a_device_that_is_not_welcome_is_told(later: bool) -> None:
    async with served() as place, Client(place.host.url, "ana-phone" if later else "forged") as client:
        if later:
            await client.say("hi")
            place.guard.unlink("ana-phone")
        with pytest.raises(AuthFailed):
            await some(client, 1)
        with pytest.raises(AuthFailed), anyio.fail_after(5):
            await client.say("hi again")


async def test_it_goes_on_from_the_cursor_of_an_earlier_time() -> None:
    async with served() as place:
        for number in range(3):
            await place.adapter.send(words(f"m{number}"))
        async with Client(place.host.url, "ana-phone") as client:
            assert await some(client, 2) == ["m0", "m1"]
        async with Client(place.host.url, "ana-phone", cursor=client.cursor) as again:
            assert await some(again, 1) == ["m2"]
        async with Client(place.host.url, "ana-phone", recent=1) as other:
            assert await some(other, 1) == ["m2"]


async def test_a_mailbox_that_was_reset_is_noticed() -> None:
    events = list[object]()
    async with served() as place, Client(
        place.host.url, "ana-phone", cursor="other.7", on_event=events.append
    ) as client:  # fmt: skip
        await place.adapter.send(words("m0"))
        assert await some(client, 1) == ["m0"]
        assert client.resets == 1
        assert isinstance(events[0], Welcome)


async def test_devices_of_a_person_hear_of_each_other() -> None:
    events = list[object]()
    async with served() as place, Client(place.host.url, "ana-phone", on_event=events.append) as phone:
        await phone.connected.wait()
        async with Client(place.host.url, "ana-tablet") as tablet, Client(place.host.url, "bob-phone") as bob:
            await tablet.connected.wait()
            await bob.connected.wait()
            await tablet.present("away")
            await tablet.typing()
            await bob.typing()
            ack = await tablet.say("hello from the tablet")
            assert await some(phone, 1, "said") == ["hello from the tablet"]
            assert ack.fresh
        with anyio.fail_after(5):
            while getattr(events[-1], "state", "") != "gone":  # noqa: ASYNC110 - it is a list
                await anyio.sleep(0.01)
    told = [(type(each).__name__, getattr(each, "state", ""), getattr(each, "device", "")) for each in events[1:]]
    assert told == [
        ("Presence", "active", "ana-tablet"), ("Presence", "away", "ana-tablet"), ("Typing", "", "ana-tablet"),
        ("Presence", "gone", "ana-tablet"),
    ]  # fmt: skip


def test_frames_are_what_they_are_called() -> None:
    from gitu_web.protocol import decode_told, encode

    for each in (Delta("x", "c"), Welcome("p", "d", ""), Letter("e.1", "told", "k", (Text("hi"),))):
        assert decode_told(encode(each)) == each
