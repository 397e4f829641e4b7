"""The client of the OpenAI HTTP API talks to the assistant: plain, streaming, going on; and is told what is wrong."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from .whole import Whole, whole

pytestmark = pytest.mark.anyio


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Whole]:
    """An assistant."""
    async with whole(tmp_path) as found:
        yield found


async def client(place: Whole, key: str = "") -> Any:
    """The real client."""
    import openai

    key = key or await place.doors.key("local", "program", ("chat",))
    return openai.AsyncOpenAI(base_url=f"{place.url}/v1", api_key=key, max_retries=0)


def user(text: str) -> dict[str, str]:
    """Words of the user."""
    return {"role": "user", "content": text}


async def test_a_talk_goes_on_in_one_session(place: Whole) -> None:
    async with await client(place) as ai:
        said: list[Any] = [user("good morning")]
        first = await ai.chat.completions.create(model="gitu", messages=said)
        assert first.choices[0].message.content == "you said: good morning"
        assert first.choices[0].finish_reason == "stop"
        said += [{"role": "assistant", "content": first.choices[0].message.content}, user("and again")]
        second = await ai.chat.completions.create(model="gitu", messages=said)
        assert second.choices[0].message.content == "you said: and again", "nothing is said twice"
        (session,) = await place.gitu.sessions("local")
        assert session.messages == 4
        other = await ai.chat.completions.create(model="gitu", messages=[user("another talk")])
        assert "another talk" in (other.choices[0].message.content or "")
        assert len(await place.gitu.sessions("local")) == 2
        assert [each.id async for each in await ai.models.list()] == ["gitu"]
        assert (await ai.models.retrieve("gitu")).id == "gitu"


async def test_it_streams_and_the_stream_is_the_answer(place: Whole) -> None:
    async with await client(place) as ai:
        found, reasons = [], []
        said: list[Any] = [user("one two three four five")]
        async for chunk in await ai.chat.completions.create(model="gitu", messages=said, stream=True):
            found.append(chunk.choices[0].delta.content or "")
            reasons.append(chunk.choices[0].finish_reason)
        assert "".join(found) == "you said: one two three four five"
        assert len([each for each in found if each]) > 1
        assert reasons[-1] == "stop"
        said += [{"role": "assistant", "content": "".join(found)}, user("go on")]
        await ai.chat.completions.create(model="gitu", messages=said)
        assert len(await place.gitu.sessions("local")) == 1


async def test_a_tool_of_the_assistant_asks_first_and_the_next_message_answers(place: Whole) -> None:
    async with await client(place) as ai:
        said: list[Any] = [user("look at the page")]
        first = (await ai.chat.completions.create(model="gitu", messages=said)).choices[0].message.content
        assert first is not None
        assert "eve@example.org" in first
        assert "(yes / no" in first
        said += [{"role": "assistant", "content": first}, user("no")]
        second = (await ai.chat.completions.create(model="gitu", messages=said)).choices[0].message.content
        assert "the user said no" in (second or ""), "what came of it is the answer"
        assert await place.gitu.approvals("local") == []


async def test_what_was_said_elsewhere_is_handed_over_once(place: Whole) -> None:
    async with await client(place) as ai:
        said: list[Any] = [
            {"role": "system", "content": "be brief"}, user("I am Ana"), {"role": "assistant", "content": "Hello Ana"},
            {"role": "user", "content": [{"type": "text", "text": "who am I?"}]},
        ]  # fmt: skip
        found = (await ai.chat.completions.create(model="gitu", messages=said)).choices[0].message.content
        assert found is not None
        for words in ("Instructions of the program: be brief", "user: I am Ana", "assistant: Hello Ana", "who am I?"):
            assert words in found


@pytest.mark.parametrize(
    ("body", "what"),
    [
        ({"messages": []}, "words of the user"),
        ({"messages": [{"role": "assistant", "content": "x"}]}, "words of the user"),
        ({"messages": [{"role": "user", "content": "  "}]}, "words of the user"),
        ({"messages": [{"role": "user", "content": [{"type": "image_url"}]}]}, "image_url"),
        ({"messages": [user("x")], "tools": [{"type": "function"}]}, "missing required field `function`"),
        ({"messages": [{"role": "king", "content": "x"}]}, "does not fit"), ({}, "does not fit"),
    ],
)  # fmt: skip
async def test_what_is_wrong_is_told_as_programs_expect_it(place: Whole, body: Any, what: str) -> None:
    import openai

    async with await client(place) as ai:
        with pytest.raises(openai.BadRequestError, match=what) as error:
            await ai.post("/chat/completions", body=body, cast_to=object)
        assert error.value.type == "invalid_request_error"
    async with await client(place, "gk1.no.body") as stranger:
        with pytest.raises(openai.AuthenticationError):
            await stranger.chat.completions.create(model="gitu", messages=[user("x")])


async def test_a_request_that_is_sent_again_under_its_key_is_the_same_one(place: Whole) -> None:
    async with await client(place) as ai:
        again: Any = {"model": "gitu", "messages": [user("once")], "extra_headers": {"idempotency-key": "k1"}}
        found = [(await ai.chat.completions.create(**again)).choices[0].message.content for _ in range(2)]
        assert found == ["you said: once"] * 2
        (session,) = await place.gitu.sessions("local")
        assert session.messages == 2


async def test_over_rest_too_the_answer_to_a_yes_is_what_came_of_it(place: Whole) -> None:
    async with await place.client() as http:
        for text, found in (("look at the page", "May I use post?"), ("no", "the user said no")):
            told = (await http.post("/v1/messages", json={"text": text, "wait": 30})).json()
            assert told["complete"]
            assert found in str(told["messages"])
