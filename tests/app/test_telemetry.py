"""Spans for OpenTelemetry: the conventional names, and never a word of what was said."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

pytest.importorskip("opentelemetry.sdk", reason="no OpenTelemetry: pip install opentelemetry-sdk")

from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode

from gitu_core import Gitu, tool
from gitu_core.errors import Rejected
from gitu_core.telemetry import span
from gitu_core.testing import ScriptedModel, call

SECRET = "the red door opens at nine"


@tool
def whisper(word: str) -> str:
    """Whispers a word."""
    if word == "fail":
        raise ValueError(SECRET)
    return f"{SECRET}: {word}"


@pytest.fixture
def exporter(monkeypatch: pytest.MonkeyPatch) -> Iterator[InMemorySpanExporter]:
    """Every span that ended during the test."""
    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(trace, "get_tracer", provider.get_tracer)
    yield exporter
    provider.shutdown()


def everything_in(spans: tuple[ReadableSpan, ...]) -> str:
    """All that leaves this process with the spans, as one text."""
    parts: list[Any] = [(each.name, dict(each.attributes or {}), each.status.description) for each in spans]
    parts += [(event.name, dict(event.attributes or {})) for each in spans for event in each.events]
    return repr(parts)


@pytest.mark.anyio
async def test_a_turn_is_a_tree_of_spans_with_conventional_names_and_no_content(exporter: InMemorySpanExporter) -> None:
    model = ScriptedModel([call("whisper", word=SECRET), call("whisper", word="fail"), SECRET])
    async with Gitu(model=model, tools=[whisper], instructions=SECRET) as gitu:
        assert (await gitu.send(SECRET, user="u")).text == SECRET
    spans = exporter.get_finished_spans()
    (turn,) = [each for each in spans if each.name == "invoke_agent"]
    inner = [each for each in spans if each is not turn]
    assert sorted(each.name for each in inner) == ["chat"] * 3 + ["execute_tool"] * 2
    assert all(each.parent and each.parent.span_id == turn.context.span_id for each in inner)
    known = {each.name: dict(each.attributes or {}) for each in spans}
    assert known["invoke_agent"] == {"gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": "default"}
    assert known["chat"]["gen_ai.operation.name"] == "chat"
    assert known["chat"]["gen_ai.request.model"] == "scripted/scripted"
    assert known["execute_tool"] == {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "whisper"}
    assert SECRET not in everything_in(spans)


@pytest.mark.anyio
async def test_a_model_that_fails_leaves_the_class_of_its_error_and_not_its_words(
    exporter: InMemorySpanExporter,
) -> None:
    async with Gitu(model=ScriptedModel([Rejected(SECRET)])) as gitu:
        with pytest.raises(Rejected, match=SECRET):
            await gitu.send("go", user="u")
    spans = exporter.get_finished_spans()
    (chat,) = [each for each in spans if each.name == "chat"]
    assert (chat.status.status_code, chat.status.description) == (StatusCode.ERROR, "Rejected")
    assert (chat.attributes or {})["error.type"] == "Rejected"
    assert SECRET not in everything_in(spans)


def test_attributes_without_a_value_are_left_out(exporter: InMemorySpanExporter) -> None:
    with span("chat", gen_ai__request__model=None, gen_ai__operation__name="chat"):
        pass
    (found,) = exporter.get_finished_spans()
    assert dict(found.attributes or {}) == {"gen_ai.operation.name": "chat"}


def test_where_nobody_uses_opentelemetry_a_span_is_one_shared_nothing() -> None:
    code = (
        "import sys; from gitu_core.telemetry import span\n"
        "assert span('a') is span('b', gen_ai__tool__name='x')\n"
        "with span('a') as nothing: assert nothing is None\n"
        "assert not any(name.startswith('opentelemetry') for name in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
