"""From the bytes of an answer to events, for streams of server-sent events and for whole answers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

import msgspec

from gitu_core.contracts import CallDelta, Finish, ModelEvent, ReasoningDelta, TextDelta, Usage
from gitu_core.errors import StreamBroken
from gitu_openai.failures import frame_failure, read_error, scrub


class _Function(msgspec.Struct, gc=False):
    name: str | None = None
    arguments: str | dict[str, Any] | None = None


class _Call(msgspec.Struct, gc=False):
    index: int | None = None
    id: str | None = None
    function: _Function | None = None


class _Words(msgspec.Struct, gc=False):
    content: str | None = None
    refusal: str | None = None
    reasoning_content: str | None = None
    reasoning: str | None = None
    tool_calls: list[_Call] | None = None


class _Choice(msgspec.Struct, gc=False):
    delta: _Words | None = None
    message: _Words | None = None
    finish_reason: str | None = None


class _Details(msgspec.Struct, gc=False):
    cached_tokens: int | None = None


class _Usage(msgspec.Struct, gc=False):
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    prompt_tokens_details: _Details | None = None


class _Answer(msgspec.Struct, gc=False):
    choices: list[_Choice] | None = None
    usage: _Usage | None = None
    model: str | None = None
    error: msgspec.Raw = msgspec.Raw(b"null")


EVENT_LIMIT = 16 << 20
"""The largest event of a stream that is read, in bytes."""

_decode = msgspec.json.Decoder(_Answer).decode
_REASONS: dict[str, Literal["stop", "calls", "length", "filtered"]] = {
    "stop": "stop",
    "tool_calls": "calls",
    "function_call": "calls",
    "length": "length",
    "content_filter": "filtered",
}


class Decoder:
    """Follows one answer: `feed` takes bytes of a stream, `whole` a plain answer; `finish` ends it."""

    def __init__(self, names: dict[str, str], secret: str) -> None:
        self._names = names
        self._secret = secret
        self._buffer = b""
        self._reason = ""
        self._model = ""
        self._usage = Usage()
        self._calls = 0
        self.started = False
        self.done = False

    def feed(self, data: bytes) -> list[ModelEvent]:
        """The events in *data*; words that came together are handed over together."""
        if b"\r" in data or self._buffer.endswith(b"\r"):
            data = (self._buffer + data).replace(b"\r\n", b"\n")
        else:
            data = self._buffer + data
        *blocks, self._buffer = data.split(b"\n\n")
        if len(self._buffer) > EVENT_LIMIT:
            raise StreamBroken(f"an event of the answer is larger than {EVENT_LIMIT} bytes")
        events: list[ModelEvent] = []
        words: list[str] = []
        for block in blocks:
            payload = _payload(block)
            if not payload or self.done:
                continue
            if payload == b"[DONE]":
                self.done = True
                continue
            self._read(self._parse(payload), events, words)
        _flush(words, events)
        self.started = self.started or bool(events)
        return events

    def whole(self, body: bytes) -> list[ModelEvent]:
        """The events of an answer that came in one piece, without the last one."""
        events: list[ModelEvent] = []
        words: list[str] = []
        self._read(self._parse(body), events, words)
        _flush(words, events)
        return events

    def finish(self) -> Finish:
        """The last event. `StreamBroken` if the answer is not complete."""
        if not self._reason:
            # Some servers end a stream with an event that no empty line follows.
            if self._buffer.strip() and not self.done:
                raise StreamBroken("the answer ended inside an event")
            raise StreamBroken("the answer ended without a reason to stop")
        reason = _REASONS.get(self._reason, "stop")
        if self._calls and reason == "stop":
            reason = "calls"
        return Finish(reason, self._usage, self._model)

    def _parse(self, payload: bytes) -> _Answer:
        try:
            answer = _decode(payload)
        except msgspec.MsgspecError as error:
            raise StreamBroken("the server sent what is not an answer of the protocol") from error
        if bytes(answer.error) != b"null":
            if not self.started:
                raise frame_failure(bytes(answer.error), self._secret)
            message, code = read_error(b'{"error":' + bytes(answer.error) + b"}")
            raise StreamBroken(scrub(message, self._secret) or "the server broke off", reason=code)
        return answer

    def _read(self, answer: _Answer, events: list[ModelEvent], words: list[str]) -> None:
        if answer.model:
            self._model = answer.model
        if answer.usage is not None:
            self._usage = _count(answer.usage)
        if not answer.choices:
            return
        choice = answer.choices[0]
        if choice.finish_reason:
            self._reason = choice.finish_reason
        said = choice.delta or choice.message
        if said is None:
            return
        if text := said.content or said.refusal:
            words.append(text)
        if thought := said.reasoning_content or said.reasoning:
            _flush(words, events)
            events.append(ReasoningDelta(thought))
        if said.tool_calls:
            _flush(words, events)
            events.extend(self._call_events(said.tool_calls))

    def _call_events(self, calls: list[_Call]) -> Iterator[CallDelta]:
        for position, call in enumerate(calls):
            index = call.index
            if index is None:
                # Whole answers and some servers do not number the calls: one that brings an id is a new one.
                index = position if len(calls) > 1 else max(0, self._calls - (0 if call.id else 1))
            self._calls = max(self._calls, index + 1)
            function = call.function or _Function()
            arguments = function.arguments
            if isinstance(arguments, dict):
                arguments = msgspec.json.encode(arguments).decode()
            name = function.name or ""
            yield CallDelta(index, call.id or "", self._names.get(name, name), arguments or "")


def _payload(block: bytes) -> bytes:
    """The data of one event; empty for comments and for events without any."""
    if block.startswith(b"data:") and b"\n" not in block:
        return block[5:].strip()
    lines = [line[5:].strip() for line in block.split(b"\n") if line.startswith(b"data:")]
    return b"\n".join(lines)


def _flush(words: list[str], events: list[ModelEvent]) -> None:
    if words:
        events.append(TextDelta("".join(words)))
        words.clear()


def _count(usage: _Usage) -> Usage:
    cached = usage.prompt_tokens_details.cached_tokens if usage.prompt_tokens_details else 0
    return Usage(usage.prompt_tokens or 0, usage.completion_tokens or 0, cached or 0)
