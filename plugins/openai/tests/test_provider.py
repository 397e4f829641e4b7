"""The provider against a real server on this machine, over real connections."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, cast

import anyio
import msgspec
import pytest

from gitu_core.contracts import (
    BlobRef,
    CallDelta,
    Finish,
    Host,
    Media,
    ModelEvent,
    ModelMessage,
    ModelRequest,
    ReasoningDelta,
    Text,
    TextDelta,
    ToolCall,
    ToolSpec,
    user_message,
)  # fmt: skip
from gitu_core.errors import (
    AuthFailed,
    ConfigError,
    ContextOverflow,
    GituError,
    NotReady,
    RateLimited,
    Rejected,
    StreamBroken,
)  # fmt: skip
from gitu_core.testing.model_server import Fail, ModelServer, Say, Script, echo
from gitu_openai import gitu_model_providers, gitu_stop
from gitu_openai.encode import safe_name
from gitu_openai.provider import OpenAIProvider

from .conftest import KEY, HostHere

pytestmark = pytest.mark.anyio
HELLO = (user_message("hello there"),)
CLOCK = ToolSpec("basics.clock", "Tells the time.", {"type": "object", "properties": {"place": {"type": "string"}}})


@asynccontextmanager
async def both(script: Script = echo, **config: Any) -> AsyncIterator[tuple[ModelServer, OpenAIProvider]]:
    """A server and a provider that points at it."""
    async with ModelServer(script, key=KEY) as server:
        host = cast(Host, HostHere(base_url=server.url, **config))
        (provider,) = gitu_model_providers(host)
        try:
            yield server, cast(OpenAIProvider, provider)
        finally:
            await gitu_stop(host)


async def ask(provider: OpenAIProvider, request: ModelRequest | None = None, **options: Any) -> list[ModelEvent]:
    """All events of an answer."""
    return [event async for event in provider.stream(request or ModelRequest("test-model", HELLO, **options))]


def words(events: list[ModelEvent]) -> str:
    """The answer's text."""
    return "".join(event.text for event in events if isinstance(event, TextDelta))


@pytest.mark.parametrize("stream", [True, False])
async def test_an_answer_comes_with_words_usage_and_one_finish_at_the_end(stream: bool) -> None:
    async with both([Say("Good morning!", usage=(100, 7, 64))], stream=stream) as (server, provider):
        events = await ask(provider, max_tokens=50, temperature=0.5, seed=3)
    assert words(events) == "Good morning!"
    assert [type(event) for event in events].count(Finish) == 1
    last = events[-1]
    assert isinstance(last, Finish)
    assert (last.reason, last.usage.input_tokens, last.usage.output_tokens, last.usage.cached_tokens) == (
        "stop",
        100,
        7,
        64,
    )
    sent = server.last.request
    assert (sent.model, bool(sent.stream), sent.max_tokens, sent.temperature, sent.seed) == (
        "test-model",
        stream,
        50,
        0.5,
        3,
    )


@pytest.mark.parametrize("stream", [True, False])
async def test_parallel_calls_keep_their_order_names_and_argument_text(stream: bool) -> None:
    safe = safe_name("basics.clock")
    calls = [(safe, '{"place": "Tokyo"}'), ("other", '{"broken": ')]
    tools = (CLOCK, ToolSpec("other", "Another one."))
    async with both([Say(calls=calls, cut=3)], stream=stream) as (_, provider):
        events = await ask(provider, tools=tools)
    deltas = [event for event in events if isinstance(event, CallDelta)]
    assert safe.startswith("basics_clock_")
    for index, name in enumerate(("basics.clock", "other")):
        mine = [delta for delta in deltas if delta.index == index]
        assert [delta.tool for delta in mine if delta.tool] == [name]
        assert [delta.id for delta in mine if delta.id] == [f"call_{index}"]
        assert "".join(delta.arguments for delta in mine) == calls[index][1]
    assert isinstance(events[-1], Finish)
    assert events[-1].reason == "calls"


async def test_thoughts_are_kept_apart_from_the_answer() -> None:
    async with both([Say("4", reasoning="two and two")]) as (_, provider):
        events = await ask(provider)
    assert "".join(event.text for event in events if isinstance(event, ReasoningDelta)) == "two and two"
    assert words(events) == "4"


async def test_a_whole_conversation_with_calls_results_and_images_is_sent_as_documented() -> None:
    picture = BlobRef("sha256:1", 12, "image/png", "cat.png")
    call = ToolCall("c1", "basics.clock", {"place": "Tokyo"})
    messages = (
        ModelMessage("system", (Text("Be brief."),)),
        ModelMessage("user", (Text("What is this?"), Media(picture, "image", "a picture"))),
        ModelMessage("assistant", calls=(call, ToolCall("c2", "other", raw="{broken"))),
        ModelMessage("tool", (Text("12:00"),), call_id="c1"),
        ModelMessage("tool", (Text("error"),), call_id="c2"),
        ModelMessage("assistant", (Text("A cat at noon."),)),
        ModelMessage("user", (Media(BlobRef("sha256:2", 3, "text/plain", "notes.txt")),)),
    )
    async with both() as (server, provider):
        cast(HostHere, provider.host).blobs.data["sha256:1"] = b"not really a"
        await ask(provider, ModelRequest("m", messages, tools=(CLOCK,)))
        body = msgspec.json.decode(server.last.body)
    image = body["messages"][1]["content"][1]["image_url"]["url"]
    assert image == "data:image/png;base64,bm90IHJlYWxseSBh"
    assert body["messages"][2]["content"] is None
    assert body["messages"][2]["tool_calls"][1]["function"]["arguments"] == "{broken"
    assert body["messages"][6]["content"] == "[file: notes.txt]"


@pytest.mark.parametrize("closed", [True, False])
async def test_structured_output_is_strict_where_the_schema_allows_it(closed: bool) -> None:
    schema: dict[str, Any] = {"type": "object", "properties": {"n": {"type": "integer"}}}
    if closed:
        schema |= {"required": ["n"], "additionalProperties": False}
    async with both(['{"n": 1}']) as (server, provider):
        assert words(await ask(provider, output_schema=schema)) == '{"n": 1}'
        form = server.last.request.response_format
    assert form is not None
    assert form.json_schema is not None
    assert (form.json_schema.strict, form.json_schema.schema) == (closed, schema)


@pytest.mark.parametrize(
    ("fail", "kind", "wait"),
    [
        (Fail(401), AuthFailed, None),
        (Fail(403), AuthFailed, None),
        (Fail(429, headers={"Retry-After": "7"}), RateLimited, 7.0),
        (Fail(429, headers={"Retry-After-Ms": "250"}), RateLimited, 0.25),
        (Fail(429, headers={"x-ratelimit-reset-tokens": "1m2s"}), RateLimited, 62.0),
        (Fail(429, code="insufficient_quota"), AuthFailed, None),
        (Fail(408), NotReady, None),
        (Fail(409), NotReady, None),
        (Fail(500), NotReady, None),
        (Fail(503, headers={"Retry-After": "3"}), NotReady, 3.0),
        (Fail(503, raw=b"<html>oops"), NotReady, None),
        (Fail(400, code="context_length_exceeded"), ContextOverflow, None),
        (Fail(400, "This model's maximum context length is 8 tokens"), ContextOverflow, None),
        (Fail(413), ContextOverflow, None),
        (Fail(400, "temperature is not supported"), Rejected, None),
        (Fail(404, "no such model"), Rejected, None),
        (Fail(302, headers={"Location": "http://127.0.0.1:1/"}), Rejected, None),
    ],
)
async def test_every_status_becomes_its_typed_failure(fail: Fail, kind: type[GituError], wait: float | None) -> None:
    async with both([fail]) as (_, provider):
        with pytest.raises(kind) as caught:
            await ask(provider)
    assert type(caught.value) is kind
    if wait is not None:
        assert isinstance(caught.value, NotReady)
        assert caught.value.retry_after == pytest.approx(wait)
    if kind is Rejected and fail.status != 302:
        assert fail.message in str(caught.value)


async def test_a_retry_date_is_read_as_seconds_from_now() -> None:
    date = time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(time.time() + 30))
    async with both([Fail(429, headers={"Retry-After": date})]) as (_, provider):
        with pytest.raises(RateLimited) as caught:
            await ask(provider)
    assert 20 < (caught.value.retry_after or 0) <= 30


async def test_a_key_that_the_server_repeats_does_not_reach_the_error() -> None:
    async with both() as (_, provider):
        cast(HostHere, provider.host).secrets.keys["OPENAI_API_KEY"] = "sk-wrong-key"
        with pytest.raises(AuthFailed) as caught:
            await ask(provider)
    assert "Incorrect API key" in str(caught.value)
    assert "sk-wrong-key" not in repr(caught.value) + str(caught.value.details)


@pytest.mark.parametrize("key", ["sk-\nX: y", "sk-ä", "sk-\x00"])
async def test_a_key_that_no_header_can_carry_is_refused_without_being_shown(key: str) -> None:
    async with both() as (_, provider):
        cast(HostHere, provider.host).secrets.keys["OPENAI_API_KEY"] = key
        with pytest.raises(AuthFailed) as caught:
            await ask(provider)
    assert key not in str(caught.value)


async def test_the_credential_of_the_request_is_the_one_that_is_sent() -> None:
    async with both() as (server, provider):
        server._key = "sk-ana"
        assert words(await ask(provider, credential="personal:ana:OPENAI_API_KEY")) == "echo: hello there"


async def test_nobody_there_is_not_ready() -> None:
    async with both() as (server, provider):
        await server.__aexit__()
        with pytest.raises(NotReady):
            await ask(provider)


async def test_a_slow_first_byte_is_not_ready_after_the_timeout() -> None:
    async with both([Say("late", delay=5)]) as (_, provider):
        with anyio.fail_after(2), pytest.raises(NotReady):
            await ask(provider, timeout=0.1)


@pytest.mark.parametrize(
    "say",
    [
        Say("half of a long answer", break_after=3, gap=0.01),
        Say("no end", tail=b"data: {garbage\n\n"),
        Say("cut", reason="stop", break_after=2, gap=0.01),
        Say("error", tail=b'data: {"error": {"message": "overloaded"}}\n\n', gap=0.01),
    ],
)
async def test_an_answer_that_breaks_midway_says_so(say: Say) -> None:
    async with both([say]) as (_, provider):
        with pytest.raises(StreamBroken) as caught:
            await ask(provider)
    assert ("overloaded" in str(caught.value)) == (say.text == "error")


async def test_an_error_as_the_first_event_of_a_stream_is_typed() -> None:
    frame = b'{"error": {"message": "slow down", "code": "rate_limit_exceeded"}}'

    async with both([Fail(200, raw=frame)], stream=True) as (_, provider):
        with pytest.raises(RateLimited, match="slow down"):
            await ask(provider)


async def test_a_connection_is_used_again_after_an_answer_and_not_after_a_break() -> None:
    async with both() as (_, provider):
        for _ in range(3):
            await ask(provider)
        assert provider._pool is not None
        assert provider._pool.server().idle == 1


async def test_closing_early_frees_the_connection_and_ends_the_stream_at_the_server() -> None:
    async with both([Say("many words " * 50, gap=0.05)]) as (server, provider):
        stream = provider.stream(ModelRequest("m", HELLO))
        await anext(stream)
        assert server.open_streams == 1
        await stream.aclose()
        with anyio.fail_after(2):
            while server.open_streams:  # noqa: ASYNC110 - the server tells nobody when a stream ends
                await anyio.sleep(0.01)


async def test_an_address_that_is_none_is_a_configuration_error() -> None:
    host = cast(Host, HostHere(base_url="not an address"))
    (provider,) = gitu_model_providers(host)
    with pytest.raises(ConfigError) as caught:
        await ask(cast(OpenAIProvider, provider))
    assert caught.value.details["field"] == "base_url"


async def test_a_changed_message_with_the_same_id_is_encoded_anew() -> None:
    secret = ModelMessage("user", (Text("my number is 1234"),), id="m1")
    cleaned = msgspec.structs.replace(secret, parts=(Text("my number is ****"),))
    async with both() as (_, provider):
        for message in (secret, cleaned, cleaned):
            assert words(await ask(provider, ModelRequest("m", (message,)))) == f"echo: {message.text}"


async def test_settings_reach_the_server_and_cannot_replace_the_request() -> None:
    async with both() as (server, provider):
        await ask(provider, settings={"top_p": 0.2, "messages": [], "model": "other"})
    assert (server.last.request.top_p, server.last.request.model) == (0.2, "test-model")


async def test_the_configured_model_leads_the_catalogue_without_network_or_key() -> None:
    (provider,) = gitu_model_providers(cast(Host, HostHere(model="my-own-model")))
    infos = await provider.catalogue()
    assert infos[0].id == "my-own-model"
    assert infos[0].input_price is None
    assert all(info.input_price and info.output_price and info.window > 8192 for info in infos[1:])


async def test_many_requests_at_once_all_get_their_own_answer() -> None:
    async with both() as (_, provider):
        answers: dict[int, str] = {}

        async def one(number: int) -> None:
            request = ModelRequest("m", (user_message(f"number {number}"),))
            answers[number] = words(await ask(provider, request))

        async with anyio.create_task_group() as group:
            for number in range(50):
                group.start_soon(one, number)
    assert answers == {number: f"echo: number {number}" for number in range(50)}
