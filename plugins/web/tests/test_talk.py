"""Talking over REST and WebSocket to a real server: what is said arrives once, and what was missed is made up for."""

from __future__ import annotations

import json
from typing import Any

import anyio
import pytest

from gitu_core.contracts import AnswerDelta, Ask, Conversation, Message, Outgoing, Text
from gitu_core.errors import NotReady

from .around import Place, heard, say, served

pytestmark = pytest.mark.anyio

ANA = Conversation("web", "ana")


def words(text: str, key: str, cause: str = "", chat: str = "") -> Outgoing:
    return Outgoing(key, key, Conversation("web", "ana", chat), (Text(text),), cause=cause)


def answers(place: Place) -> None:
    """Everything is answered with its own words."""

    async def answer(message: Message, id: str) -> None:
        await place.adapter.show(message.conversation, AnswerDelta(message.text[:3]))
        await place.adapter.send(words(f"you said {message.text}", f"out-{id}", f"{id}-1", message.conversation.thread))
        place.box.done.set()

    place.box.on_accept = answer


async def test_a_stranger_learns_that_the_server_is_there_and_nothing_else() -> None:
    async with served() as place, place.client() as http:
        assert [(await http.get(path)).json() for path in ("/healthz", "/readyz")] == [
            {"status": "ok"}, {"status": "ready"},
        ]  # fmt: skip
        for path in ("/v1/messages", "/v1/stream"):
            refused = await http.get(path)
            assert (refused.status_code, refused.headers["content-type"]) == (401, "application/problem+json")
            assert refused.json()["hint"]


async def test_a_message_is_answered_in_one_request() -> None:
    async with served() as place, place.client("ana-phone") as http:
        answers(place)
        sent = await http.post("/v1/messages", json={"text": "hi", "key": "k1", "wait": 5})
        assert sent.status_code == 200
        told = sent.json()
        assert [told["fresh"], told["complete"]] == [True, True]
        assert [part["text"] for each in told["messages"] for part in each["parts"]] == ["you said hi"]


async def test_the_same_key_again_is_the_same_message() -> None:
    async with served() as place, place.client("ana-phone") as http:
        answers(place)
        first, again = [
            (await http.post("/v1/messages", json={"text": "hi", "wait": 5}, headers={"idempotency-key": "k1"})).json()
            for _ in range(2)
        ]
        assert (first["id"], first["messages"]) == (again["id"], again["messages"])
        assert [first["fresh"], again["fresh"]] == [True, False]
        kept = (await http.get("/v1/messages")).json()["messages"]
        assert [(each["kind"], each["parts"][0]["text"]) for each in kept] == [("said", "hi"), ("told", "you said hi")]


async def test_an_answer_is_streamed() -> None:
    async with served() as place, place.client("ana-phone", headers={"accept": "text/event-stream"}) as http:
        answers(place)
        sent = await http.post("/v1/messages", json={"text": "hello", "key": "k1"})
        events = [each.split("\n") for each in sent.text.strip().split("\n\n")]
        kinds = [next(line for line in each if line.startswith("event: ")).removeprefix("event: ") for each in events]
        assert kinds == ["ack", "delta", "letter", "done"]


async def test_an_answer_that_the_server_lets_go_of_is_not_done() -> None:
    """The server ends, or the device was unlinked: whoever reads must not take what came so far for all of it."""
    async with served() as place, place.client("ana-phone", headers={"accept": "text/event-stream"}) as http:
        seen = list[str]()
        async with http.stream("POST", "/v1/messages", json={"text": "hello", "key": "k1"}) as sent:
            async for line in sent.aiter_lines():
                if line == "event: ack":
                    place.guard.unlink("ana-phone")
                seen.append(line)
        assert [each for each in seen if each.startswith("event: ")] == ["event: ack", "event: error"]
        told = json.loads(seen[-2].removeprefix("data: "))
        assert (told["title"], told["key"], bool(told["hint"])) == ("NotReady", "k1", True)


async def test_what_a_refused_message_said_is_nowhere() -> None:
    async with served() as place, place.client("ana-phone") as http:
        place.box.refuses = NotReady("the queue is deep", retry_after=2.0)
        refused = await http.post("/v1/messages", json={"text": "hi", "key": "k1"})
        assert (refused.status_code, refused.headers["retry-after"]) == (503, "2")
        assert (await http.get("/v1/messages")).json()["messages"] == []
        place.box.refuses = None
        answers(place)
        assert (await http.post("/v1/messages", json={"text": "hi", "key": "k1", "wait": 5})).status_code == 200


async def test_news_comes_to_whoever_waits_for_it() -> None:
    async with served() as place, place.client("ana-phone") as http, anyio.create_task_group() as group:
        found: list[Any] = []

        async def wait() -> None:
            found.append((await http.get("/v1/messages", params={"wait": 5})).json())

        group.start_soon(wait)
        await anyio.sleep(0.1)
        await place.adapter.send(words("good morning", "o1"))
        with anyio.fail_after(5):
            while not found:  # noqa: ASYNC110 - the request tells nobody
                await anyio.sleep(0.01)
        assert [each["parts"][0]["text"] for each in found[0]["messages"]] == ["good morning"]


async def test_a_socket_hears_everything_as_it_happens() -> None:
    async with served() as place, place.talk("ana-phone") as phone, place.talk("ana-tablet") as tablet:
        answers(place)
        assert (await heard(phone))["type"] == "welcome"
        await heard(tablet, "welcome")
        await say(phone, type="message", text="hello", key="k1")
        for each in (phone, tablet):
            frames = [await heard(each, "letter", "ack", "delta") for _ in range(4 if each is phone else 3)]
            letters = [one for one in frames if one["type"] == "letter"]
            assert [(one["kind"], one["parts"][0]["text"]) for one in letters] == [
                ("said", "hello"), ("told", "you said hello"),
            ]  # fmt: skip
            assert letters[0]["key"] == "k1"
            assert [one["text"] for one in frames if one["type"] == "delta"] == ["hel"]
            assert [one["key"] for one in frames if one["type"] == "ack"] == ["k1"] * (each is phone)


async def test_who_comes_back_gets_what_was_missed_and_nothing_else() -> None:
    async with served() as place:
        async with place.talk("ana-phone") as phone:
            await heard(phone, "welcome")
            await place.adapter.send(words("one", "o1"))
            cursor = (await heard(phone, "letter"))["cursor"]
        for number in range(120):  # more than is looked up at once, and than is held in memory
            await place.adapter.send(words(f"missed {number}", f"m{number}"))
        async with place.talk("ana-phone", cursor) as phone:
            assert (await heard(phone, "welcome"))["reset"] is False
            found = [(await heard(phone, "letter"))["parts"][0]["text"] for _ in range(120)]
            assert found == [f"missed {number}" for number in range(120)]
            with anyio.move_on_after(0.1):
                raise AssertionError(f"there is more: {await phone.recv()}")


async def test_a_cursor_of_another_mailbox_is_noticed() -> None:
    async with served() as place:
        await place.adapter.send(words("one", "o1"))
        async with place.talk("ana-phone", "other.17") as phone:
            assert (await heard(phone, "welcome"))["reset"] is True
            assert (await heard(phone, "letter"))["parts"][0]["text"] == "one"


async def test_a_question_is_answered_with_its_choice() -> None:
    async with served() as place, place.talk("ana-phone") as phone:
        ask = Ask("a1", "May I?", ("yes", "no"), "to: bob")
        await place.adapter.send(Outgoing("o1", "o1", ANA, (ask,)))
        assert (await heard(phone, "letter"))["parts"] == [
            {"type": "ask", "id": "a1", "question": "May I?", "choices": ["yes", "no"], "details": "to: bob"}
        ]
        await say(phone, type="answer", key="k1", ask="a1", choice="yes")
        await heard(phone, "ack")
        assert json.loads(json.dumps([each.parts[0].choice for each in place.box.messages])) == ["yes"]


async def test_an_unlinked_device_is_gone_at_once() -> None:
    async with served() as place, place.talk("ana-phone") as phone, place.talk("ana-tablet") as tablet:
        await heard(phone, "welcome")
        await heard(tablet, "welcome")
        place.guard.unlink("ana-phone")
        with anyio.fail_after(2):
            await phone.wait_closed()
        assert phone.close_code == 4401
        await place.adapter.send(words("only for the tablet", "o1"))
        assert (await heard(tablet, "letter"))["parts"][0]["text"] == "only for the tablet"
