"""Whole turns: gateway, runtime, store and registry, with a scripted model."""

from __future__ import annotations

import anyio
import anyio.lowlevel
import pytest

from gitu_core import Gitu, Limits, Profile, ToolContext, tool
from gitu_core.errors import (
    AuthFailed,
    ContextOverflow,
    InputError,
    LimitReached,
    ModelError,
    NotReady,
    StreamBroken,
    Unknown,
)
from gitu_core.model import (
    AnswerDelta,
    Finish,
    ModelInfo,
    Progress,
    TextDelta,
    ToolFinished,
    ToolStarted,
    TurnFinished,
    Usage,
)
from gitu_core.testing import FunctionModel, ScriptedModel, call
from tests.tools import broken, double, refuses, slow, slow_send

pytestmark = pytest.mark.anyio


@tool(output_limit=10)
def chatty() -> str:
    """Says too much."""
    return "x" * 11


async def test_a_message_is_answered_and_remembered():
    model = ScriptedModel(["Hello Anna.", lambda request: f"You said: {request.messages[1].text}"])
    async with Gitu(model=model) as gitu:
        assert (await gitu.send("I am Anna", user="anna")).text == "Hello Anna."
        reply = await gitu.send("What did I say?", user="anna")
        assert reply.text == "You said: I am Anna"
        assert reply.usage.output_tokens > 0
        sessions = await gitu.sessions("anna")
        assert [session.messages for session in sessions] == [4]
        assert len(await gitu.history(sessions[0].id)) == 4
    model.assert_complete()


async def test_the_session_is_still_there_at_the_next_start():
    async with Gitu(model=ScriptedModel(["one"])) as gitu:
        await gitu.send("first", user="anna")
    model = ScriptedModel([lambda request: " ".join(message.text for message in request.messages[1:])])
    async with Gitu(model=model) as gitu:
        assert (await gitu.send("second", user="anna")).text == "first one second"


async def test_users_and_sessions_do_not_see_each_other():
    model = FunctionModel(lambda request: str(len(request.messages)))
    async with Gitu(model=model) as gitu:
        assert (await gitu.send("x", user="anna")).text == "2"
        assert (await gitu.send("x", user="bob")).text == "2"
        assert (await gitu.send("x", user="anna", session="other")).text == "2"
        assert (await gitu.send("x", user="anna")).text == "4"


async def test_tools_run_at_once_and_their_results_come_in_order():
    running = anyio.Event()

    @tool
    async def first() -> str:
        """Waits for the second."""
        await running.wait()
        return "1"

    @tool
    async def second() -> str:
        """Lets the first go on."""
        running.set()
        return "2"

    def answer(request):
        return " ".join(message.text for message in request.messages if message.role == "tool") or [
            call("first"),
            call("second"),
        ]

    async with Gitu(model=FunctionModel(answer), tools=[first, second]) as gitu:
        with anyio.fail_after(5):
            reply = await gitu.send("go", user="u")
    assert [result.content for result in reply.results] == ["1", "2"]
    assert sorted(reply.text.split()) == ["1", "2"]


@pytest.mark.parametrize(
    ("asked", "status", "words"),
    [
        (call("double", number="many"), "error", "number"),
        (call("double", number=1, extra=2), "error", "extra"),
        (call("dubble", number=1), "error", "did you mean 'double'"),
        (call("broken"), "error", "ZeroDivisionError"),
        (call("refuses"), "error", "come back at nine"),
        (call("slow"), "error", "longer than 0.05 s"),
        (call("slow_send"), "unknown", "longer than 0.05 s"),
        (call("chatty"), "error", "10 are allowed"),
    ],
)
async def test_a_call_that_goes_wrong_is_told_to_the_model_and_the_turn_goes_on(asked, status, words):
    model = ScriptedModel([asked, lambda request: request.messages[-1].text, "still here"])
    async with Gitu(model=model, tools=[double, broken, refuses, slow, slow_send, chatty]) as gitu:
        reply = await gitu.send("go", user="u")
        assert reply.results[0].status == status
        assert words in reply.text
        assert (await gitu.send("and now?", user="u")).text == "still here"


async def test_arguments_that_are_no_json_are_told_to_the_model():
    from gitu_core.model import ToolCall

    model = ScriptedModel([ToolCall("1", "double", raw='{"number": '), lambda request: request.messages[-1].text])
    async with Gitu(model=model, tools=[double]) as gitu:
        assert "no JSON object" in (await gitu.send("go", user="u")).text


async def test_a_model_that_calls_tools_forever_is_stopped_and_the_session_stays_usable():
    model = FunctionModel(lambda request: call("double", number=1) if request.tools else "fine")
    profile = Profile(limits=Limits(steps=4))
    async with Gitu(model=model, tools=[double], profiles=[profile]) as gitu:
        with pytest.raises(LimitReached) as caught:
            await gitu.send("go", user="u")
        assert caught.value.details["limit"] == "steps"
        assert len(model.requests) == 4
        model._function = lambda request: f"{len(request.messages)} entries"
        assert (await gitu.send("again", user="u")).text.endswith("entries")
        history = await gitu.history((await gitu.sessions("u"))[0].id)
        open_calls = {each.id for entry in history for each in entry.message.calls}
        assert {entry.message.call_id for entry in history if entry.message.call_id} == open_calls


async def test_the_time_of_a_turn_is_limited():
    async def forever(request):
        await anyio.sleep(60)

    async with Gitu(model=FunctionModel(forever), profiles=[Profile(limits=Limits(seconds=0.1))]) as gitu:
        with pytest.raises(LimitReached, match=r"longer than 0\.1 s"):
            await gitu.send("go", user="u")


async def test_the_cost_of_a_turn_is_limited_before_it_is_spent():
    info = ModelInfo("scripted", window=100_000, max_output=1000, input_price=1_000_000, output_price=1_000_000)
    model = ScriptedModel(["never said"], info=info)
    async with Gitu(model=model, profiles=[Profile(limits=Limits(cost=0.5))]) as gitu:
        with pytest.raises(LimitReached, match="its limit is"):
            await gitu.send("go", user="u")
    assert not model.requests


async def test_the_output_of_a_turn_is_limited():
    model = FunctionModel(
        lambda request: [TextDelta("x"), call("double", number=1), Finish("calls", Usage(1, 600), "m")]
    )
    async with Gitu(model=model, tools=[double], profiles=[Profile(limits=Limits(output_tokens=1000))]) as gitu:
        with pytest.raises(LimitReached) as caught:
            await gitu.send("go", user="u")
    assert caught.value.details["limit"] == "output"
    assert len(model.requests) == 2


async def test_a_stream_that_breaks_midway_is_a_typed_error_and_nothing_is_lost():
    model = ScriptedModel([["half an ans", StreamBroken("the line went dead")], "whole"])
    async with Gitu(model=model) as gitu:
        with pytest.raises(StreamBroken):
            await gitu.send("go", user="u")
        assert (await gitu.send("go", user="u")).text == "whole"
        texts = [entry.message.text for entry in await gitu.history((await gitu.sessions("u"))[0].id)]
        assert texts == ["go", "go", "whole"]


@pytest.mark.parametrize("failure", [NotReady("down"), AuthFailed("bad key"), StreamBroken("cut"), Unknown("?")])
async def test_the_next_model_answers_when_the_first_fails_and_partial_words_are_taken_back(failure):
    first = ScriptedModel([["half", failure]], name="first")
    second = ScriptedModel(["whole"], name="second")

    class Plugin:
        def gitu_model_providers(self):
            return [first, second]

    seen = []
    async with Gitu(model=["first", "second"], plugins=[Plugin()]) as gitu:
        async for event in gitu.stream("go", user="u"):
            seen.append(event)
    assert seen[-1].reply.text == "whole"
    deltas = [event for event in seen if isinstance(event, AnswerDelta)]
    assert deltas[0].text == "half"
    assert any(delta.reset for delta in deltas[1:])


async def test_when_every_model_fails_the_last_error_comes_out():
    async with Gitu(model=ScriptedModel([AuthFailed("no such key")])) as gitu:
        with pytest.raises(AuthFailed, match="no such key"):
            await gitu.send("go", user="u")


async def test_a_message_that_fits_no_window_is_refused_and_a_short_one_still_works():
    model = ScriptedModel(["ok"], info=ModelInfo("scripted", window=2000, max_output=500))
    async with Gitu(model=model) as gitu:
        with pytest.raises(ContextOverflow):
            await gitu.send("word " * 10_000, user="u")
        assert (await gitu.send("short", user="u")).text == "ok"


@pytest.mark.parametrize("text", ["", "   ", "x" * 10_000_000])
async def test_what_cannot_be_accepted_is_refused_and_not_stored(text):
    async with Gitu(model=ScriptedModel([])) as gitu:
        with pytest.raises(InputError):
            await gitu.send(text, user="u")
        assert await gitu.sessions("u") == [] or (await gitu.sessions("u"))[0].messages == 0


@pytest.mark.parametrize("text", ["\x00", "a\ud800b", "\U0010ffff\u202e", "💥" * 1000, "{{}}%s\n\r\t"])
async def test_odd_text_goes_through_whole(text):
    model = FunctionModel(lambda request: request.messages[-1].text)
    async with Gitu(model=model) as gitu:
        reply = await gitu.send(f"x{text}x", user="u")
    assert reply.text.startswith("x")
    assert reply.text.endswith("x")
    reply.text.encode()


async def test_a_model_that_streams_forever_is_cut(monkeypatch):
    from gitu_core.runtime import assemble

    monkeypatch.setattr(assemble, "MAX_CHARACTERS", 1000)

    async def stream(request):
        while True:
            yield TextDelta("more ")

    model = FunctionModel(lambda request: "")
    model.stream = stream
    async with Gitu(model=model) as gitu:
        with pytest.raises(LimitReached, match="more than 1000 characters"):
            await gitu.send("go", user="u")


async def test_cancelling_the_caller_stops_the_turn():
    started, stopped = anyio.Event(), anyio.Event()

    @tool
    async def wait() -> str:
        """Waits."""
        started.set()
        try:
            await anyio.sleep(60)
        finally:
            stopped.set()
        return "never"

    async with Gitu(model=ScriptedModel([call("wait"), "second"]), tools=[wait]) as gitu:
        async with anyio.create_task_group() as group:
            group.start_soon(lambda: gitu.send("go", user="u"))
            await started.wait()
            group.cancel_scope.cancel()
        with anyio.fail_after(5):
            await stopped.wait()
            assert (await gitu.send("again", user="u")).text == "second"


async def test_messages_of_one_session_are_answered_in_order_and_sessions_run_at_once():
    order = []
    gate = anyio.Event()

    async def answer(request):
        text = request.messages[-1].text
        if text == "a1":
            await gate.wait()
        order.append(text)
        return text

    async with Gitu(model=FunctionModel(answer)) as gitu, anyio.create_task_group() as group:
        group.start_soon(lambda: gitu.send("a1", user="a"))
        await anyio.sleep(0.05)
        group.start_soon(lambda: gitu.send("a2", user="a"))
        assert (await gitu.send("b1", user="b")).text == "b1"
        gate.set()
    assert order == ["b1", "a1", "a2"]


async def test_progress_and_steps_are_streamed_and_leaving_early_stops_the_turn():
    @tool
    async def work(ctx: ToolContext[str]) -> str:
        """Works."""
        await ctx.progress("half way", 0.5)
        return ctx.deps

    model = ScriptedModel([call("work"), "done", "never"])
    async with Gitu(model=model, tools=[work], deps="the deps") as gitu:
        events = [event async for event in gitu.stream("go", user="u")]
        started = next(event for event in events if isinstance(event, ToolStarted))
        assert Progress("half way", started.call.id, 0.5) in events
        finished = next(event for event in events if isinstance(event, ToolFinished))
        assert finished.result.content == "the deps"
        assert isinstance(events[-1], TurnFinished)
        async for _ in gitu.stream("again", user="u"):
            break


async def test_structured_output_is_corrected_and_finally_refused():
    from pydantic import BaseModel

    class City(BaseModel):
        name: str
        people: int

    good = ScriptedModel(['{"name": "Rome"}', "```json\n" + '{"name": "Rome", "people": 3}' + "\n```"])
    async with Gitu(model=good) as gitu:
        reply = await gitu.send("Rome", user="u", output=City)
        assert reply.data == City(name="Rome", people=3)
    async with Gitu(model=ScriptedModel(["no"] * 3)) as gitu:
        with pytest.raises(ModelError, match="no JSON"):
            await gitu.send("Rome", user="v", output=City)


async def test_a_profile_asks_another_one_on_its_own_envelope():
    model = ScriptedModel([call("ask_writer", task="a poem"), "the poem", "here: the poem"])
    profiles = [
        Profile(delegates=("writer",)),
        Profile(name="writer", description="Writes poems.", instructions="You write."),
    ]
    async with Gitu(model=model, profiles=profiles) as gitu:
        reply = await gitu.send("a poem please", user="u")
    assert reply.text == "here: the poem"
    assert reply.results[0].content == "the poem"
    assert model.requests[1].messages[0].text == "You write."
    assert [message.role for message in model.requests[1].messages] == ["system", "user"]


async def test_profiles_cannot_call_each_other_forever():
    profiles = [Profile(delegates=("b",)), Profile(name="b", delegates=("default",))]

    def answer(request):
        names = [spec.name for spec in request.tools]
        return request.messages[-1].text if request.messages[-1].role == "tool" else call(names[0], task="go on")

    async with Gitu(model=FunctionModel(answer), profiles=profiles) as gitu:
        assert "would call itself" in (await gitu.send("go", user="u")).text


async def test_hooks_watch_filter_and_guard_a_turn():
    import msgspec

    from gitu_core.model import Text

    seen = []

    class Plugin:
        def gitu_filter_message(self, message):
            return msgspec.structs.replace(message, parts=(Text(message.text.upper()),))

        def gitu_filter_request(self, request):
            return msgspec.structs.replace(request, temperature=0.25)

        def gitu_filter_call(self, call):
            return msgspec.structs.replace(call, arguments={"number": 21}) if call.arguments["number"] == 1 else None

        def gitu_guard_call(self, call):
            return "not that one" if call.arguments["number"] == 13 else None

        async def gitu_filter_result(self, result):
            return msgspec.structs.replace(result, content=f"<{result.content}>")

        def gitu_turn_finished(self, turn, reply):
            seen.append((turn.principal, reply.status))

        def gitu_model_called(self, model):
            seen.append(model)

    script = [
        [call("double", number=1), call("double", number=13)],
        lambda r: "|".join(m.text for m in r.messages[-2:]),
    ]
    model = ScriptedModel(script)
    async with Gitu(model=model, tools=[double], plugins=[Plugin()]) as gitu:
        reply = await gitu.send("hi", user="u")
    assert model.requests[0].messages[-1].text == "HI"
    assert model.requests[0].temperature == 0.25
    assert reply.results[0].content == "<42>"
    assert reply.results[1].status == "denied"
    assert "not that one" in reply.text
    assert seen[-1] == ("user:u", "ok")
    assert seen.count("scripted/scripted") == 2


async def test_the_same_key_is_the_same_message():
    model = ScriptedModel(["once"])
    async with Gitu(model=model) as gitu, anyio.create_task_group() as group:
        replies = []

        async def send():
            replies.append((await gitu.send("go", user="u", key="k1")).text)

        group.start_soon(send)
        group.start_soon(send)
        await anyio.lowlevel.checkpoint()
    assert replies == ["once", "once"]
    assert len(model.requests) == 1
    async with Gitu(model=model) as gitu:
        assert (await gitu.send("go", user="u", key="k1")).text == "once"
        events = [event async for event in gitu.stream("go", user="u", key="k1")]
        assert [type(event) for event in events] == [TurnFinished]
        assert len(model.requests) == 1
        model.add("for another")
        assert (await gitu.send("go", user="v", key="k1")).text == "for another"


async def test_steps_tell_the_whole_turn_and_fold_to_its_end():
    from gitu_core.runtime.fold import fold

    async with Gitu(model=ScriptedModel([call("double", number=4), "eight"]), tools=[double]) as gitu:
        reply = await gitu.send("go", user="u")
        entries = await gitu.house.store.steps(reply.turn)
    assert [entry.n for entry in entries] == list(range(len(entries)))
    state = fold(entry.step for entry in entries)
    assert state.reply.text == "eight"
    assert state.results[reply.calls[0].id].content == 8
    assert state.asked == 2
