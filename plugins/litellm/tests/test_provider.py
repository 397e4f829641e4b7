"""LiteLLM for real, against a server on this machine."""

from __future__ import annotations

import subprocess
import sys
from typing import Any, cast

import pytest

from gitu_core.contracts import (
    CallDelta,
    Finish,
    Host,
    ModelEvent,
    ModelMessage,
    ModelRequest,
    Text,
    TextDelta,
    ToolCall,
    ToolSpec,
    user_message,
)  # fmt: skip
from gitu_core.errors import AuthFailed, ContextOverflow, GituError, NotReady, RateLimited, Rejected
from gitu_core.testing.model_server import Fail, ModelServer, Say
from gitu_litellm import gitu_model_providers
from gitu_litellm.catalogue import catalogue

pytestmark = pytest.mark.anyio
KEY = "sk-local-key"


class HostHere:
    """A host with one key."""

    def __init__(self, **config: Any) -> None:
        self.config = config
        self.secrets = self
        self.blobs = self

    async def reveal(self, name: str) -> str:
        """The key."""
        return KEY


async def ask(server: ModelServer, **options: Any) -> list[ModelEvent]:
    """All events of an answer."""
    (provider,) = gitu_model_providers(cast(Host, HostHere(api_base=server.url)))
    options = {"messages": (user_message("hello"),), "credential": "platform:X_API_KEY", **options}
    return [event async for event in provider.stream(ModelRequest("openai/local", **options))]


async def test_words_calls_and_usage_come_through() -> None:
    tools = (ToolSpec("basics.clock", "Tells the time."),)
    made = ModelMessage("assistant", calls=(ToolCall("c1", "basics.clock", {"place": "Rome"}),))
    asked = ModelMessage("user", (Text("hi"),), name="Ana_1a2b")
    history = (asked, made, ModelMessage("tool", (Text("12:00"),), call_id="c1"))
    async with ModelServer([Say("Hello!", usage=(10, 3, 4))], key=KEY) as server:
        events = await ask(server, max_tokens=9, messages=history, tools=tools)
        assert server.last.request.max_tokens == 9
        name = server.last.request.tools[0].function.name  # type: ignore[index]
        assert b"Ana_1a2b" in server.last.body
    assert "".join(event.text for event in events if isinstance(event, TextDelta)) == "Hello!"
    last = events[-1]
    assert isinstance(last, Finish)
    assert (last.reason, last.usage.input_tokens, last.usage.output_tokens, last.usage.cached_tokens) == (
        "stop",
        10,
        3,
        4,
    )
    async with ModelServer([Say(calls=[(name, '{"place": "Tokyo"}')])]) as server:
        events = await ask(server, tools=tools)
    calls = [event for event in events if isinstance(event, CallDelta)]
    assert [call.tool for call in calls if call.tool] == ["basics.clock"]
    assert "".join(call.arguments for call in calls) == '{"place": "Tokyo"}'
    assert isinstance(events[-1], Finish)
    assert events[-1].reason == "calls"


@pytest.mark.parametrize(
    ("fail", "kind"),
    [
        (Fail(401, f"bad key {KEY}"), AuthFailed),
        (Fail(429), RateLimited),
        (Fail(500), NotReady),
        (Fail(400, "maximum context length is 8"), ContextOverflow),
        (Fail(404, "no such model"), Rejected),
    ],
)
async def test_failures_are_typed_and_hide_the_key(fail: Fail, kind: type[GituError]) -> None:
    async with ModelServer([fail]) as server:
        with pytest.raises(kind) as caught:
            await ask(server)
    assert type(caught.value) is kind
    assert KEY not in str(caught.value) + repr(caught.value.__cause__)


async def test_an_answer_that_breaks_midway_is_a_typed_failure_and_has_no_finish() -> None:
    async with ModelServer([Say("a long answer " * 20, break_after=4, gap=0.02)]) as server:
        with pytest.raises(GituError):
            await ask(server)


def test_the_catalogue_is_read_without_importing_litellm() -> None:
    code = (
        "import sys, gitu_litellm.catalogue as c, gitu_litellm.provider; n = len(c.catalogue());"
        "print('litellm' in sys.modules, n > 500)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "True"]


def test_the_catalogue_knows_prices_windows_and_capabilities() -> None:
    known = {info.id: info for info in catalogue()}
    priced = [info for info in known.values() if info.input_price and info.output_price]
    assert len(priced) > len(known) // 2
    assert all("/" in name for name in known)
    assert any({"tools", "images"} <= info.capabilities for info in known.values())
