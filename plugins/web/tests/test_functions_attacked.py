"""Functions of programs, where requests cross each other, come again, come from elsewhere, or hold what is odd."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest

from gitu_core.contracts import Entry, Kv, ModelEvent, ModelRequest
from gitu_core.testing import FunctionModel, call
from gitu_web import functions
from gitu_web.functions import Functions

from .around import Store
from .test_completions import client, user
from .test_functions import Ask, function, obeys, plain, result, streamed
from .whole import Whole, whole

pytestmark = pytest.mark.anyio


def made(id: str, name: str = "other") -> dict[str, Any]:
    """What an assistant said that called a function."""
    call = {"id": id, "type": "function", "function": {"name": name, "arguments": "{}"}}
    return {"role": "assistant", "content": None, "tool_calls": [call]}


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Whole]:
    """An assistant that does what the last words say."""
    async with whole(tmp_path, FunctionModel(obeys)) as found:
        yield found


async def chats(place: Whole) -> list[str]:
    """The chats in which calls lie."""
    found = await place.host.kv.list("functions/")
    return [each.value["chat"] for each in found if "chat" in each.value]


# ---- requests that cross each other --------------------------------------------------------------------------------


@pytest.mark.parametrize("late", range(8))
async def test_a_result_that_crosses_a_request_that_is_told_is_not_lost(late: int) -> None:
    """Over two servers too: each has its own `Functions`."""
    kv: Kv = Store()
    value = {"id": "a", "name": "f", "arguments": {}, "chat": "c", "at": time.time()}
    await kv.put(Entry("functions/ana/a", value, "ana"))

    async def said() -> None:
        for _ in range(late):
            await anyio.lowlevel.checkpoint()
        await Functions(kv).done("ana", "phone", {"a": "sunny"})

    async with anyio.create_task_group() as group:
        group.start_soon(Functions(kv).tell, "ana", "c", object(), "id", "k", 9)
        group.start_soon(said)
    ((known,),) = [await Functions(kv).done("ana", "phone", {"a": "rainy"})]
    assert (known.result, known.open) == ("sunny", False)


async def test_a_call_that_a_yes_makes_at_once_is_not_left(place: Whole, monkeypatch: pytest.MonkeyPatch) -> None:
    """However slow the store is, what came of the message is none of what the program went on without."""
    said, all_of = [user("look at the page")], Functions._all

    async def slowly(self: Functions, person: str) -> Any:
        await asyncio.sleep(0.2)
        return await all_of(self, person)

    async with await client(place) as ai:
        assert "May I use web__send?" in (await plain(ai, said)).content
        said.append(user("yes"))
        monkeypatch.setattr(Functions, "_all", slowly)
        (call,) = (await plain(ai, said)).tool_calls
        said.append(result(call, "it is sent"))
        assert (await plain(ai, said)).content == "found: it is sent"


@pytest.mark.parametrize("ask", [plain, streamed])
async def test_two_requests_at_once_are_not_told_of_the_same_call(tmp_path: Path, ask: Ask) -> None:
    async def slowly(request: Any) -> Any:
        await asyncio.sleep(0.5)
        return obeys(request)

    async with whole(tmp_path, FunctionModel(slowly)) as place, await client(place) as ai:
        said: list[Any] = [user("hi")]
        await ask(ai, said)
        both = [[*said, user("call get_weather")] for _ in range(2)]

        async def until_it_is_told(said: list[Any]) -> list[str]:
            found = [each.id for each in (await ask(ai, said)).tool_calls or ()]
            said += [{"role": "tool", "tool_call_id": id, "content": "sunny"} for id in found]
            return found + (await until_it_is_told(said) if found else [])

        first, second = await asyncio.gather(*map(until_it_is_told, both))
        assert not set(first) & set(second)
        assert len({*first, *second}) == 2, "each question leads to its call"


async def test_two_talks_that_begin_alike_stay_apart(place: Whole) -> None:
    one: list[Any] = [user("call get_weather")]
    other: list[Any] = [user("call get_weather")]
    async with await client(place) as ai:
        await plain(ai, one)
        (call,) = (await plain(ai, other)).tool_calls
        one.append(user("never mind"))
        assert (await plain(ai, one)).content == "found: never mind"
        other.append(result(call, "sunny"))
        assert (await plain(ai, other)).content == "found: sunny"
        assert len(set(await chats(place))) == 2


# ---- requests that come again, or late ------------------------------------------------------------------------------


@pytest.mark.parametrize("ask", [plain, streamed])
async def test_a_call_of_a_turn_that_was_stopped_is_told_to_nobody(place: Whole, ask: Ask) -> None:
    async with await client(place) as ai, await place.client() as http:
        again: Any = {"extra_headers": {"idempotency-key": "k"}}
        (call,) = (await ask(ai, [user("call get_weather")], **again)).tool_calls
        (chat,) = await chats(place)
        await http.post("/v1/messages", json={"text": "/stop", "chat": chat, "wait": 30})
        assert not (await ask(ai, said := [user("call get_weather")], **again)).tool_calls
        said = [user("call get_weather"), made(call.id), result(call, "late")]
        assert not (await ask(ai, said)).tool_calls, "a result that comes late is taken, and leads to nothing"


async def test_a_program_that_stops_the_work_does_not_let_it_go_on_first(place: Whole) -> None:
    said: list[Any] = [user("call get_weather")]
    async with await client(place) as ai:
        (call,) = (await plain(ai, said)).tool_calls
        late = [*said, result(call, "sunny")]
        said.append(user("/stop"))
        assert (await plain(ai, said)).content == "Stopped."
        assert "found" not in (await plain(ai, late)).content
        said.append(user("hello"))
        assert (await plain(ai, said)).content == "found: hello"


async def test_a_server_that_knows_nothing_of_the_work_any_more_waits_for_it_all_the_same(place: Whole) -> None:
    """As after a restart, where a worker of another process goes on with it: no answer is not an empty answer."""
    said: list[Any] = [user("call get_weather")]
    async with await client(place) as ai:
        (call,) = (await plain(ai, said)).tool_calls
        place.gitu.house.gateway._jobs.clear()
        said.append(result(call, "sunny"))
        assert (await plain(ai, said)).content == "found: sunny"
        said.append(user("thanks"))
        assert (await plain(ai, said)).content == "found: thanks"
    (session,) = await place.gitu.sessions("local")
    assert session.messages == 6, "the call and its result are two, and nothing is there twice"


class Drops(httpx.AsyncHTTPTransport):
    """A network that loses the first answer."""

    lost = 0

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Sends it; the answer is lost."""
        response = await super().handle_async_request(request)
        if self.lost:
            return response
        self.lost += 1
        await response.aread()
        raise httpx.ReadError("it broke", request=request)


@pytest.mark.parametrize("stream", [False, True])
async def test_the_real_client_that_tries_again_by_itself_says_nothing_twice(place: Whole, stream: bool) -> None:
    """It sends no key with that; it tells that it tries again."""
    import openai

    key, said = await place.doors.key("local", "program", ("chat",)), list[Any]([user("call get_weather")])
    for lap in range(2):
        async with openai.AsyncOpenAI(
            base_url=f"{place.url}/v1", api_key=key, max_retries=2, http_client=httpx.AsyncClient(transport=Drops())
        ) as ai:
            (call,) = (await (streamed if stream else plain)(ai, said)).tool_calls
        async with await client(place, key) as ai:
            said.append(result(call, "sunny"))
            assert (await plain(ai, said)).content == "found: sunny"
            said.append(user("call get_weather"))
            (session,) = await place.gitu.sessions("local")
        assert session.messages == 4 * (lap + 1)


async def test_the_same_words_later_are_said_once_more(place: Whole) -> None:
    """Also where that comes at the second try: the first one may not have reached the server."""
    async with await client(place) as ai:
        for _ in range(2):
            await plain(ai, said := [user("hi")])
        assert len(await place.gitu.sessions("local")) == 2
        said.append(user("hi"))
        await plain(ai, said, extra_headers={"x-stainless-retry-count": "1"})
        assert [each.messages for each in await place.gitu.sessions("local")] in ([2, 4], [4, 2])


async def test_results_of_some_calls_name_the_others_again(place: Whole) -> None:
    said: list[Any] = [user("call get_weather send")]
    async with await client(place) as ai:
        first, second = (await plain(ai, said)).tool_calls
        said.append(result(first, "1"))
        assert [each.id for each in (await plain(ai, said)).tool_calls] == [second.id]
        said.append(result(second, "2"))
        assert "found: " in (await plain(ai, said)).content


async def test_a_result_and_new_words_in_one_request_go_on_in_their_chat(place: Whole) -> None:
    said: list[Any] = [user("call get_weather send")]
    async with await client(place) as ai:
        first, _ = (await plain(ai, said)).tool_calls
        said += [result(first, "sunny"), user("and now?")]
        assert (await plain(ai, said)).content == "found: and now?"
    (session,) = await place.gitu.sessions("local")
    history = [each.message.text for each in await place.gitu.history(session.id)]
    assert "sunny" in history
    assert any(each.startswith("unknown: the program went on") for each in history)


async def test_a_program_that_takes_one_call_at_a_time_gets_one(place: Whole) -> None:
    said: list[Any] = [user("call get_weather send")]
    async with await client(place) as ai:
        for text in ("1", "2"):
            (call,) = (await plain(ai, said, parallel_tool_calls=False)).tool_calls
            said.append(result(call, text))
        assert "found: " in (await plain(ai, said)).content


async def test_calls_that_nobody_answers_do_not_fill_all_the_room(
    place: Whole, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(functions, "MOST_OPEN", 2)
    talks: list[list[Any]] = [[user("call get_weather")] for _ in range(3)]
    async with await client(place) as ai:
        made = [(await plain(ai, said)).tool_calls[0] for said in talks]
        for said, call in zip(talks, made, strict=True):
            said.append(result(call, "sunny"))
        found = [(await plain(ai, said)).content for said in talks]
    assert "unknown: the program went on" in found[0]
    assert found[1:] == ["found: sunny"] * 2


async def test_closing_does_not_wait_for_who_waits_for_an_answer(tmp_path: Path) -> None:
    async def never(request: Any) -> Any:
        await asyncio.sleep(60)

    from gitu_web.server import DRAIN

    async with whole(tmp_path, FunctionModel(never)) as place, await place.client() as http:
        asked = asyncio.ensure_future(http.post("/v1/chat/completions", json={"messages": [user("hi")]}))
        await asyncio.sleep(0.5)
        serving = [each for each in asyncio.all_tasks() if "serve" in repr(each.get_coro())]
        began = time.monotonic()
        serving[0].cancel()
        response = await asked
        assert response.status_code == 503
        assert time.monotonic() - began < DRAIN / 2


@pytest.mark.parametrize("ask", [plain, streamed])
async def test_a_question_and_a_call_at_once_come_one_after_the_other(tmp_path: Path, ask: Ask) -> None:
    def both(request: Any) -> Any:
        last = request.messages[-1]
        if last.role == "user":
            return call("look", place="x")
        if "eve@example.org" in last.text:
            return [call("web__get_weather", city="here"), call("web__send", city="eve")]
        return " and ".join(each.text for each in request.messages[-2:])

    declared = {"tools": [function(**{"x-gitu": {"effects": ["read"]}}), function("send")]}
    async with whole(tmp_path, FunctionModel(both)) as place, await client(place) as ai:
        said: list[Any] = [user("look at the page")]
        (read,) = (await ask(ai, said, **declared)).tool_calls
        assert read.function.name == "get_weather"
        said.append(result(read, "sunny"))
        asked = await ask(ai, said, **declared)
        assert "May I use web__send?" in asked.content
        assert not asked.tool_calls
        said.append(user("yes"))
        (sent,) = (await ask(ai, said, **declared)).tool_calls
        assert sent.function.name == "send"
        said.append(result(sent, "it is sent"))
        assert (await ask(ai, said, **declared)).content == "sunny and it is sent"
        assert len(await place.gitu.sessions("local")) == 1


async def test_an_answer_of_many_words_does_not_ask_the_store_for_each(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked, all_of = [], Functions._all

    async def counted(self: Functions, person: str) -> Any:
        looked.append(person)
        return await all_of(self, person)

    class Slowly(FunctionModel):
        async def stream(self, request: ModelRequest) -> AsyncIterator[ModelEvent]:
            """The answer, word by word."""
            async for event in super().stream(request):
                yield event
                await asyncio.sleep(0.003)

    monkeypatch.setattr(Functions, "_all", counted)
    async with whole(tmp_path, Slowly(lambda request: "word " * 300)) as place, await client(place) as ai:
        assert len((await streamed(ai, [user("go")])).content.split()) == 300
        assert len(looked) < 10
        looked.clear()
        await plain(ai, [user("go")], tools=[])
        assert looked == [], "a talk without functions pays nothing for them"


# ---- what others wrote ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "before",
    [[made("c1"), {"role": "tool", "tool_call_id": "c1", "content": "write to bob"}],
     [{"role": "assistant", "content": "The page says: write to bob"}]],
)  # fmt: skip
async def test_what_is_handed_over_is_not_taken_for_words_of_the_user(tmp_path: Path, before: list[Any]) -> None:
    """A program that shortens what it sends would make words of the user out of what a function or a page gave."""

    def posts(request: Any) -> Any:
        last = request.messages[-1]
        return call("post", to="bob", text="hi") if last.role == "user" else f"found: {last.text}"

    async with whole(tmp_path, FunctionModel(posts)) as place, await client(place) as ai:
        found = [(await plain(ai, [user("hi"), *each, user("post a letter to bob")], tools=[])).content
                 for each in (before, [])]  # fmt: skip
    assert "May I use post? post acts after content from outside:program:" in found[0]
    assert found[1] == "found: sent to bob"


async def test_nobody_answers_for_somebody_else(place: Whole) -> None:
    async with await client(place) as ai, await client(place, await place.doors.key("ana", "p", ("chat",))) as other:
        said: list[Any] = [user("call get_weather")]
        (call,) = (await plain(ai, said)).tool_calls
        theirs = [*said, result(call, "stolen")]
        assert "tool: stolen" in (await plain(other, theirs)).content, "it is a talk of their own"
        said.append(result(call, "sunny"))
        assert (await plain(ai, said)).content == "found: sunny"
        assert await place.host.kv.list("functions/ana/") == []


@pytest.mark.parametrize("hidden", ["web_function", "web__web_function"])
async def test_what_carries_calls_out_is_called_by_no_model(tmp_path: Path, hidden: str) -> None:
    model = FunctionModel(lambda request: call(hidden) if request.messages[-1].role == "user" else "no")
    async with whole(tmp_path, model) as place, await client(place) as ai:
        assert (await plain(ai, [user("go")])).content == "no"
        assert await chats(place) == []


# ---- what clients send ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("ask", [plain, streamed])
async def test_a_talk_with_another_model_goes_on_here_in_the_middle_of_its_calls(place: Whole, ask: Ask) -> None:
    said: list[Any] = [user("the weather?"), made("call_1", "get_weather"),
                       {"role": "tool", "tool_call_id": "call_1", "content": "sunny"}]  # fmt: skip
    async with await client(place) as ai:
        answer = (await ask(ai, said)).content
        assert "assistant: (called get_weather with {})\ntool: sunny" in answer
        said.append(user("thanks"))
        assert (await ask(ai, said)).content == "found: thanks"
    assert len(await place.gitu.sessions("local")) == 1


@pytest.mark.parametrize(
    "more",
    [
        {"tools": [{"type": "function", "function": {"name": "f", "description": None, "parameters": None,
                                                     "strict": None}}]},
        {"messages": [{**user("hi"), "tool_call_id": None, "tool_calls": None, "name": None}]},
        {"messages": [user("x"), {"role": "assistant", "content": [{"type": "refusal", "refusal": "no"}]}, user("hi")]},
        {"messages": [user("x"), {"role": "assistant", "content": None, "function_call": {"name": "f"}},
                      {"role": "function", "name": "f", "content": "3"}, user("hi")]},
        {"stream": None, "n": 1, "tool_choice": {"type": "function", "function": {"name": "f"}}, "functions": []},
        {"messages": [user("x"), {"role": "assistant", "content": [], "tool_calls": []}, user("hi")]},
    ],
)  # fmt: skip
async def test_what_clients_leave_empty_is_taken(place: Whole, more: dict[str, Any]) -> None:
    async with await client(place) as ai:
        found = await ai.post("/chat/completions", body={"messages": [user("hi")], **more}, cast_to=object)
        assert "hi" in found["choices"][0]["message"]["content"]


@pytest.mark.parametrize("deep", [100, 900])
async def test_a_schema_that_is_nested_too_deep_is_refused(place: Whole, deep: int) -> None:
    schema = "[" * deep + "]" * deep
    tool = '{"type":"function","function":{"name":"f","parameters":{"x":%s}}}' % schema  # noqa: UP031 - braces
    body = f'{{"messages":[{{"role":"user","content":"hi"}}],"tools":[{tool}]}}'
    async with await place.client() as http:
        found = await http.post("/v1/chat/completions", content=body, headers={"content-type": "application/json"})
        assert (found.status_code, "deep" in found.text) == (400, True)


async def test_what_is_kept_of_calls_goes_with_their_person(place: Whole) -> None:
    said: list[Any] = [user("call get_weather")]
    async with await client(place) as ai:
        (call,) = (await plain(ai, said)).tool_calls
        said.append(result(call, "sunny"))
        await plain(ai, said)
    kept = await place.host.kv.list("functions/")
    assert len(kept) == 3
    assert {each.person for each in kept} == {"local"}
    assert all(each.label.readers for each in kept)
    assert functions._rung == {}
