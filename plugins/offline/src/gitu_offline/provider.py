"""The provider: reads the last thing a person said, calls the tools that fit, and tells what they
answered."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence

import msgspec

from gitu_core.contracts import (
    CallDelta,
    Finish,
    ModelEvent,
    ModelInfo,
    ModelMessage,
    ModelRequest,
    TextDelta,
    Usage,
)  # fmt: skip

_PIECE = 48
_BYTES_A_TOKEN = 4


class OfflineProvider:
    """A `ModelProvider` that needs neither network nor key. The same request gives the same answer (on one
    day)."""

    name = "offline"

    async def catalogue(self) -> Sequence[ModelInfo]:
        """The one model, free of charge."""
        return (
            ModelInfo(
                "offline",
                window=1_000_000,
                max_output=100_000,
                input_price=0,
                output_price=0,
                cached_price=0,
                capabilities=frozenset({"text", "tools", "stream", "structured"}),
                quality=0.05,
                latency=0.01,
                description="Recognises what the installed tools can do. Understands nothing else.",
            ),
        )

    async def stream(self, request: ModelRequest) -> AsyncGenerator[ModelEvent]:
        """Calls tools for what was asked; once they answered, says so."""
        asked, results = _since_asked(request.messages)
        calls = [] if results else _calls(request, asked)
        text = "" if calls else _text(request, asked, results)
        for start in range(0, len(text), _PIECE):
            yield TextDelta(text[start : start + _PIECE])
        written = len(text)
        for index, (tool, arguments) in enumerate(calls):
            yield CallDelta(index, f"call_{len(request.messages)}_{index}", tool, arguments)
            written += len(arguments)
        read = sum(len(message.text) for message in request.messages)
        usage = Usage(read // _BYTES_A_TOKEN, written // _BYTES_A_TOKEN)
        yield Finish("calls" if calls else "stop", usage, "offline")


def _since_asked(messages: Sequence[ModelMessage]) -> tuple[str, list[tuple[str, str]]]:
    """What the person said last, and what tools answered to it since: (tool, result)."""
    asked = ""
    results: list[tuple[str, str]] = []
    names: dict[str, str] = {}
    for message in messages:
        if message.role == "user":
            asked, results = message.text, []
        elif message.role == "assistant":
            names.update((call.id, call.tool) for call in message.calls)
        elif message.role == "tool":
            results.append((names.get(message.call_id, message.name or "The tool"), message.text))
    return asked, results


def _calls(request: ModelRequest, asked: str) -> list[tuple[str, str]]:
    if not request.tools:
        return []
    from gitu_offline.choose import choose_all

    chosen = choose_all(request.tools, asked)
    return [(choice.tool, msgspec.json.encode(choice.arguments).decode()) for choice in chosen]


def _text(request: ModelRequest, asked: str, results: list[tuple[str, str]]) -> str:
    from gitu_offline.answer import cannot, tell

    said = tell(results, request.tools)
    if request.output_schema is not None:
        from gitu_offline.structured import structure

        return msgspec.json.encode(structure(request.output_schema, said or asked)).decode()
    return said or cannot(request.tools)
