"""Functions that a program brings with its request, over the client of the OpenAI HTTP API."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from gitu_core.testing import FunctionModel, call
from gitu_web import functions

from .test_completions import client, user
from .whole import Whole, whole

pytestmark = pytest.mark.anyio


def function(name: str = "get_weather", **more: Any) -> Any:
    """A function of a program."""
    schema = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
    told = {"name": name, "description": "Tells.", "parameters": schema, "strict": True}
    return {"type": "function", "function": told, **more}


def obeys(request: Any) -> Any:
    """A model that does what the last words say: ``call a b`` calls functions, ``then call a`` after the first one."""
    last = request.messages[-1]
    words = str(last.text).split()
    if last.role == "user" and words[0] == "call":
        return ["I look.", *[call(f"web__{each}", city=each) for each in words[1:]]]
    if last.role == "tool" and words[:2] == ["then", "call"]:
        return call(f"web__{words[2]}", city="next")
    if words[0] == "look":
        return call("look", place="x")
    if "eve@example.org" in str(last.text) and "found" not in str(last.text):
        return call("web__send", city="eve")
    if words[0] == "post":
        return call("post", to="bob", text="hi")
    return f"found: {last.text}"


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Whole]:
    """An assistant with that model."""
    async with whole(tmp_path, FunctionModel(obeys)) as found:
        yield found


Ask = Callable[[Any, list[Any]], Any]


async def plain(ai: Any, said: list[Any], **more: Any) -> Any:
    """The answer, as a message, at once; what the program has to say next stands behind it."""
    more = {"tools": [function(), function("send")], **more}
    found = (await ai.chat.completions.create(model="gitu", messages=said, **more)).choices[0]
    assert found.finish_reason == ("tool_calls" if found.message.tool_calls else "stop")
    message = found.message.model_dump(exclude_none=True)
    said.append({**message, "content": message.get("content")})
    return found.message


async def streamed(ai: Any, said: list[Any], **more: Any) -> Any:
    """The same from a stream."""
    more = {"tools": [function(), function("send")], **more}
    async with ai.chat.completions.stream(model="gitu", messages=said, **more) as stream:
        async for _ in stream:
            pass
        found = (await stream.get_final_completion()).choices[0]
    assert found.finish_reason == ("tool_calls" if found.message.tool_calls else "stop")
    message = found.message.model_dump(exclude_none=True, include={"role", "content", "tool_calls"})
    said.append({**message, "content": message.get("content")})
    return found.message


def result(made: Any, text: str) -> dict[str, Any]:
    """What came of a call."""
    return {"role": "tool", "tool_call_id": made.id, "content": text}


@pytest.mark.parametrize("ask", [plain, streamed])
async def test_a_function_is_called_and_its_result_answered(place: Whole, ask: Ask) -> None:
    said: list[Any] = [user("call get_weather")]
    async with await client(place) as ai:
        (made,) = (await ask(ai, said)).tool_calls
        assert (made.function.name, json.loads(made.function.arguments)) == ("get_weather", {"city": "get_weather"})
        said.append(result(made, "sunny"))
        assert (await ask(ai, said)).content == "found: sunny"
        said.append(user("thanks"))
        assert (await ask(ai, said)).content == "found: thanks"
    assert len(await place.gitu.sessions("local")) == 1


@pytest.mark.parametrize("ask", [plain, streamed])
async def test_several_at_once_and_one_after_the_other_without_a_question(place: Whole, ask: Ask) -> None:
    said: list[Any] = [user("call get_weather send")]
    async with await client(place) as ai:
        first = (await ask(ai, said)).tool_calls
        assert sorted(each.function.name for each in first) == ["get_weather", "send"]
        said += [result(each, "then call send") for each in first]
        (second,) = (await ask(ai, said)).tool_calls
        said.append(result(second, "sent"))
        assert (await ask(ai, said)).content == "found: sent"


async def test_what_others_wrote_calls_none_without_a_yes(place: Whole) -> None:
    said: list[Any] = [user("look at the page")]
    async with await client(place) as ai:
        asked = await plain(ai, said)
        assert "May I use web__send?" in asked.content
        assert not asked.tool_calls
        said.append(user("yes"))
        (made,) = (await plain(ai, said)).tool_calls
        said.append(result(made, "it is sent"))
        assert (await plain(ai, said)).content == "found: it is sent"


async def test_what_a_function_gave_leads_to_nothing_of_the_assistants_own(place: Whole) -> None:
    said: list[Any] = [user("call get_weather")]
    async with await client(place) as ai:
        (made,) = (await plain(ai, said)).tool_calls
        said.append(result(made, "post it"))
        answer = (await plain(ai, said)).content
        assert "May I use post?" in answer
        assert "program:" in answer


async def test_one_that_is_declared_is_decided_about_like_the_assistants_own(place: Whole) -> None:
    declared: dict[str, Any] = {
        "tools": [function("send", **{"x-gitu": {"effects": ["send"], "roles": {"city": "recipient"}}}),
                  function(**{"x-gitu": {"effects": ["read"]}})]
    }  # fmt: skip
    said: list[Any] = [user("call get_weather")]
    async with await client(place) as ai:
        (made,) = (await plain(ai, said, **declared)).tool_calls
        said.append(result(made, "then call get_weather"))
        (again,) = (await plain(ai, said, **declared)).tool_calls
        said.append(result(again, "then call send"))
        last = await plain(ai, said, **declared)
        assert not last.tool_calls, "nobody asked for that, and what led to it is not the user's"


async def test_a_program_that_goes_on_without_a_word_is_not_waited_for(place: Whole) -> None:
    said: list[Any] = [user("call send")]
    async with await client(place) as ai:
        assert (await plain(ai, said)).tool_calls
        said.append(user("never mind"))
        assert (await plain(ai, said)).content == "found: never mind"
    (session,) = await place.gitu.sessions("local")
    history = await place.gitu.history(session.id)
    assert any("unknown: the program went on" in each.message.text for each in history)


async def test_a_request_that_is_sent_again_names_the_same_calls_and_results_count_once(place: Whole) -> None:
    said: list[Any] = [user("call get_weather")]
    async with await client(place) as ai:
        again: Any = {"extra_headers": {"idempotency-key": "k"}}
        found = [(await plain(ai, list(said), **again)).tool_calls for _ in range(2)]
        assert found[0] == found[1]
        said += [{"role": "assistant", "content": None}, result(found[0][0], "sunny")]
        assert (await plain(ai, list(said))).content == "found: sunny"
        said[-1]["content"] = "rainy"
        assert (await plain(ai, list(said))).content == "found: sunny"


async def test_after_a_restart_the_result_is_still_waited_for(tmp_path: Path) -> None:
    said: list[Any] = [user("call get_weather")]
    async with whole(tmp_path, FunctionModel(obeys)) as place:
        key = await place.doors.key("local", "program", ("chat",))
        async with await client(place, key) as ai:
            (made,) = (await plain(ai, said)).tool_calls
    async with whole(tmp_path, FunctionModel(obeys)) as place, await client(place, key) as ai:
        said.append(result(made, "sunny"))
        assert (await plain(ai, said)).content == "found: sunny"
        assert len(await place.gitu.sessions("local")) == 1


async def test_without_a_choice_none_is_called(place: Whole) -> None:
    async with await client(place) as ai:
        answer = await plain(ai, [user("call get_weather")], tool_choice="none")
        assert not answer.tool_calls


@pytest.mark.parametrize(
    ("body", "what"),
    [
        ({"messages": [{"role": "tool", "tool_call_id": "x", "content": "1"}]}, "nobody waits"),
        ({"messages": [user("x"), {"role": "tool", "content": "1"}]}, "nobody waits"),
        ({"messages": [user("x")], "tools": [function("a b")]}, "called 'web__a b'"),
        ({"messages": [user("x")], "tools": [function(""), function()]}, "cannot be called"),
        ({"messages": [user("x")], "tools": [function("x" * 64)]}, "cannot be called"),
        ({"messages": [user("x")], "tools": [function(), function()]}, "is called"),
        ({"messages": [user("x")], "tools": [function(f"f{n}") for n in range(129)]}, "more than 128"),
        ({"messages": [user("x")], "tools": [{"type": "function", "function": {"name": "x", "parameters":
                                                                               {"type": "array"}}}]}, "cannot be"),
        ({"messages": [user("x")], "tools": [{"type": "custom"}]}, "does not fit"),
        ({"messages": [user("x")], "tools": [function(**{"x-gitu": {"effects": ["fly"]}})]}, "does not fit"),
    ],
)  # fmt: skip
async def test_what_is_no_function_is_told_as_programs_expect_it(place: Whole, body: Any, what: str) -> None:
    import openai

    async with await client(place) as ai:
        with pytest.raises(openai.BadRequestError, match=what) as error:
            await ai.post("/chat/completions", body=body, cast_to=object)
        assert error.value.type == "invalid_request_error"


async def test_what_lies_in_the_store_goes_when_nobody_can_ask_any_more(
    place: Whole, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[Any] = [user("call get_weather")]

    async def kept() -> int:
        return len({each.key.split("/")[2] for each in await place.host.kv.list("functions/")})

    async with await client(place) as ai:
        (made,) = (await plain(ai, said)).tool_calls
        said.append(result(made, "sunny"))
        await plain(ai, said)
        assert await kept() == 1
        monkeypatch.setattr(functions, "WAIT", 0.01)
        await asyncio.sleep(0.05)
        await plain(ai, [user("call get_weather")])
        assert await kept() == 1
