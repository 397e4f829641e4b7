"""Scripted and function models keep the provider's laws and say clearly when a script does not fit."""

from __future__ import annotations

import functools

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitu_core.errors import RateLimited, Rejected, StreamBroken
from gitu_core.model import (
    CallDelta,
    Finish,
    ModelEvent,
    ModelRequest,
    ReasoningDelta,
    TextDelta,
    ToolCall,
    Usage,
    user_message,
)
from gitu_core.testing import FunctionModel, ScriptedModel, call

pytestmark = pytest.mark.anyio


def request(text: str = "hello") -> ModelRequest:
    """A request with one message."""
    return ModelRequest(model="scripted", messages=(user_message(text),))


async def ask(model: FunctionModel, text: str = "hello") -> list[ModelEvent]:
    """Every event of one answer."""
    return [event async for event in model.stream(request(text))]


def words(events: list[ModelEvent]) -> str:
    """The text of an answer."""
    return "".join(event.text for event in events if isinstance(event, TextDelta))


async def test_replies_come_in_order_and_requests_are_recorded() -> None:
    """One reply a request; the list form and the plain form are the same."""
    for model in (ScriptedModel(["one", "two"]), ScriptedModel("one", "two")):
        assert words(await ask(model, "a")) == "one"
        assert model.remaining == 1
        assert words(await ask(model, "b")) == "two"
        assert [each.messages[0].text for each in model.requests] == ["a", "b"]
        model.assert_complete()


@pytest.mark.parametrize("text", ["", "x", "Grüße, 東京 🙂", "a" * 1000])
async def test_text_streams_in_small_pieces_and_ends_with_one_finish(text: str) -> None:
    """Law P1, and what comes together is what was scripted."""
    events = await ask(ScriptedModel(text, chunk=3))
    assert words(events) == text
    assert all(len(event.text) <= 3 for event in events if isinstance(event, TextDelta))
    assert [n for n, event in enumerate(events) if isinstance(event, Finish)] == [len(events) - 1]


async def test_a_call_streams_its_arguments_as_json_in_pieces() -> None:
    """Law P2; ids count up over the whole script and name the calls of one reply apart."""
    model = ScriptedModel([["Let me look.", call("clock", place="Tokyo"), call("notes")], call("clock")])
    events = await ask(model)
    deltas = [event for event in events if isinstance(event, CallDelta)]
    assert words(events) == "Let me look."
    assert [(each.index, each.id, each.tool) for each in deltas if each.id] == [
        (0, "call_1", "clock"),
        (1, "call_2", "notes"),
    ]
    joined = "".join(each.arguments for each in deltas if each.index == 0)
    assert msgspec.json.decode(joined) == {"place": "Tokyo"}
    assert isinstance(end := events[-1], Finish)
    assert end.reason == "calls"
    again = [event for event in await ask(model) if isinstance(event, CallDelta)]
    assert (again[0].index, again[0].id) == (0, "call_3")


async def test_a_call_may_carry_broken_json_and_its_own_id() -> None:
    """What a model may really do can be scripted."""
    events = await ask(ScriptedModel(ToolCall(id="mine", tool="clock", raw='{"place":')))
    deltas = [event for event in events if isinstance(event, CallDelta)]
    assert deltas[0].id == "mine"
    assert "".join(each.arguments for each in deltas) == '{"place":'


async def test_structured_output_functions_and_events_are_replies_too() -> None:
    """Mappings are said as JSON, functions see the request, events pass unchanged."""

    async def later(request: ModelRequest) -> str:
        return request.messages[0].text.upper()

    end = Finish(reason="length", usage=Usage(input_tokens=7, output_tokens=9), model="other")
    model = ScriptedModel(
        [{"city": "Rome"}, later, functools.partial(lambda n, _: n * 2, "ab"), [ReasoningDelta("hm"), "yes", end]]
    )
    assert msgspec.json.decode(words(await ask(model))) == {"city": "Rome"}
    assert words(await ask(model, "loud")) == "LOUD"
    assert words(await ask(model)) == "abab"
    assert await ask(model) == [ReasoningDelta("hm"), TextDelta("yes"), end]
    model.assert_complete()


async def test_exceptions_are_raised_where_they_stand() -> None:
    """Before the first word, after some words, and by class."""
    model = ScriptedModel([RateLimited("later", retry_after=3), ["half", StreamBroken("gone")], StreamBroken])
    with pytest.raises(RateLimited) as limited:
        await ask(model)
    assert limited.value.retry_after == 3
    seen: list[ModelEvent] = []

    async def listen() -> None:
        async for event in model.stream(request()):
            seen.append(event)

    with pytest.raises(StreamBroken, match="gone"):
        await listen()
    assert words(seen) == "half"
    with pytest.raises(StreamBroken):
        await ask(model)
    model.assert_complete()


async def test_a_script_that_is_used_up_says_so_with_the_request() -> None:
    """The error is a typed failure that nobody retries, and assert_complete repeats it."""
    model = ScriptedModel(["only one"])
    await ask(model)
    with pytest.raises(Rejected, match=r"script of 1 replies is used up, request 2 .*user: 'and now\?'"):
        await ask(model, "and now?")
    with pytest.raises(AssertionError, match="asked 2 times, the script has 1"):
        model.assert_complete()


async def test_replies_that_nobody_asked_for_are_listed() -> None:
    """With their place in the script; added ones count."""
    model = ScriptedModel(["used", "forgotten"])
    model.add(call("clock"))
    await ask(model)
    with pytest.raises(AssertionError, match=r"2 of 3 .* not used:\n  2: 'forgotten'\n  3: ToolCall"):
        model.assert_complete()


async def test_what_cannot_be_said_is_refused_with_its_type() -> None:
    """A mistake in a test must not look like an answer."""
    with pytest.raises(TypeError, match="cannot reply with a int: 42"):
        await ask(ScriptedModel(["fine", 42][1:]))


@given(st.text(max_size=60), st.text(max_size=60), st.integers(1, 20))
async def test_usage_depends_only_on_the_characters(asked: str, answered: str, chunk: int) -> None:
    """The same request and reply always count the same, however they are cut."""
    end = (await ask(FunctionModel(lambda _: answered, chunk=chunk), asked))[-1]
    assert isinstance(end, Finish)
    assert end.usage == Usage(input_tokens=-(-len(asked) // 4), output_tokens=-(-len(answered) // 4))


async def test_the_catalogue_offers_one_free_model_under_the_providers_name() -> None:
    """So that ``scripted/scripted`` can be asked for, and a budget of nothing is enough."""
    model = ScriptedModel("hi")
    (info,) = await model.catalogue()
    assert (model.name, info.id, model.model) == ("scripted", "scripted", "scripted/scripted")
    assert (info.input_price, info.output_price) == (0, 0)
    assert FunctionModel(lambda _: "x", name="mine").model == "mine/mine"
