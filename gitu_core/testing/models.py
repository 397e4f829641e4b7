"""Models for tests: they say what a script or a function tells them to, at no cost and without a network."""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from typing import Any

import msgspec

from gitu_core.errors import Rejected
from gitu_core.model import (
    CallDelta,
    Finish,
    ModelEvent,
    ModelInfo,
    ModelRequest,
    ReasoningDelta,
    TextDelta,
    ToolCall,
    Usage,
)

Piece = str | ToolCall | ModelEvent | Exception
"""A part of a reply: words, a call, an event as it is to be streamed, or what goes wrong at this point."""

Answer = Piece | Mapping[str, Any] | Sequence[Piece]
"""A reply: one piece or several in order; a mapping is structured output and is said as JSON."""

Function = Callable[[ModelRequest], Answer | Awaitable[Answer]]
"""Makes a reply for a request; ``def`` or ``async def``."""


def call(tool: str, /, **arguments: Any) -> ToolCall:
    """A call of *tool* for a script. Its id is given out when it is said: ``call_1``, ``call_2``…"""
    return ToolCall(id="", tool=tool, arguments=arguments)


class FunctionModel:
    """A provider with one model that answers what *function* gives for a request.

    `requests` holds every request so far. Words and arguments stream in pieces of *chunk* characters. Usage
    is counted at four characters a token, so that it is the same in every run; tokens cost nothing unless
    *info* names prices.
    """

    def __init__(
        self, function: Function, *, name: str = "function", chunk: int = 8, info: ModelInfo | None = None
    ) -> None:
        self.name = name
        self.requests: list[ModelRequest] = []
        self._function = function
        self._chunk = max(1, chunk)
        self._calls = 0
        self._info = info or ModelInfo(
            id=name,
            window=1_000_000,
            max_output=100_000,
            input_price=0,
            output_price=0,
            cached_price=0,
            capabilities=frozenset({"text", "tools", "stream", "structured", "images"}),
            latency=0.0,
        )

    @property
    def model(self) -> str:
        """The name to ask for: ``provider/model``."""
        return f"{self.name}/{self._info.id}"

    async def catalogue(self) -> Sequence[ModelInfo]:
        """The one model."""
        return (self._info,)

    async def stream(self, request: ModelRequest) -> AsyncIterator[ModelEvent]:
        """Says the reply in small pieces, then `Finish`.

        An exception in the reply is raised where it stands.
        """
        self.requests.append(request)
        answer = self._function(request)
        if inspect.isawaitable(answer):
            answer = await answer
        said = 0
        calls = 0
        ended = False
        for piece in _pieces(answer):
            if isinstance(piece, Exception):
                raise piece
            for event in self._events(piece, calls):
                said += _size(event)
                ended = isinstance(event, Finish)
                yield event
            calls += isinstance(piece, ToolCall)
        if not ended:
            usage = Usage(input_tokens=count_input(request), output_tokens=_tokens(said))
            yield Finish(reason="calls" if calls else "stop", usage=usage, model=self._info.id)

    def _events(self, piece: Piece, index: int) -> Iterator[ModelEvent]:
        if isinstance(piece, str):
            yield from (TextDelta(part) for part in self._cut(piece))
        elif isinstance(piece, ToolCall):
            self._calls += 1
            yield CallDelta(index=index, id=piece.id or f"call_{self._calls}", tool=piece.tool)
            text = piece.raw if piece.raw is not None else msgspec.json.encode(piece.arguments).decode()
            yield from (CallDelta(index=index, arguments=part) for part in self._cut(text))
        elif not isinstance(piece, Exception):
            yield piece

    def _cut(self, text: str) -> Iterator[str]:
        return (text[start : start + self._chunk] for start in range(0, len(text), self._chunk))


class ScriptedModel(FunctionModel):
    """A provider whose one model gives the replies of a script, one a request.

        ScriptedModel(["Hello!", call("clock"), RateLimited("later", retry_after=1), lambda request: "…"])

    A reply is text, a call, a mapping (structured output), an exception to raise, a function of the request,
    or a sequence of such pieces for one reply: ``["Let me look.", call("a"), call("b")]``. The replies may
    also be passed one by one. A request beyond the script raises `Rejected`, and `assert_complete` reports it
    too.
    """

    def __init__(self, *script: Any, name: str = "scripted", chunk: int = 8, info: ModelInfo | None = None) -> None:
        super().__init__(self._next, name=name, chunk=chunk, info=info)
        if len(script) == 1 and isinstance(script[0], list | tuple):
            script = tuple(script[0])
        self._script: list[Answer | Function] = list(script)
        self._said = 0

    def add(self, *replies: Answer | Function) -> None:
        """Adds replies at the end of the script."""
        self._script.extend(replies)

    @property
    def remaining(self) -> int:
        """How many replies nobody asked for yet."""
        return max(0, len(self._script) - self._said)

    def assert_complete(self) -> None:
        """`AssertionError` if a reply was not used or a request found none; names them."""
        unused = self._script[self._said :]
        if unused:
            listed = "".join(f"\n  {self._said + n}: {_brief(each)}" for n, each in enumerate(unused, 1))
            raise AssertionError(f"{len(unused)} of {len(self._script)} scripted replies were not used:{listed}")
        if self._said > len(self._script):
            raise AssertionError(f"the model was asked {self._said} times, the script has {len(self._script)} replies")

    def _next(self, request: ModelRequest) -> Answer | Awaitable[Answer]:
        self._said += 1
        if self._said > len(self._script):
            last = request.messages[-1] if request.messages else None
            about = f" with {last.role}: {_brief(last.text)}" if last else ""
            raise Rejected(
                f"the script of {len(self._script)} replies is used up, request {self._said} came{about}",
                hint="add a reply to the ScriptedModel, or find out why it is asked again",
            )
        reply: Any = self._script[self._said - 1]
        # Not every callable is a function: an exception class is raised, values are said.
        if isinstance(reply, type) and issubclass(reply, Exception):
            return reply()
        answer: Answer | Awaitable[Answer] = reply(request) if callable(reply) else reply
        return answer


def _pieces(answer: Any) -> Iterator[Piece]:
    """The pieces of a reply. `TypeError` for what can be none."""
    if isinstance(answer, Mapping):
        yield msgspec.json.encode(answer).decode()
    elif isinstance(answer, list | tuple):
        for each in answer:
            yield from _pieces(each)
    elif isinstance(answer, Piece):
        yield answer
    else:
        raise TypeError(f"a model cannot reply with a {type(answer).__name__}: {_brief(answer)}")


def count_input(request: ModelRequest) -> int:
    """The tokens that a request counts as: a quarter of the characters of its messages, rounded up."""
    return _tokens(sum(len(message.text) for message in request.messages))


def _tokens(characters: int) -> int:
    return -(-characters // 4)


def _size(event: ModelEvent) -> int:
    if isinstance(event, TextDelta | ReasoningDelta):
        return len(event.text)
    return len(event.tool) + len(event.arguments) if isinstance(event, CallDelta) else 0


def _brief(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 120 else f"{text[:117]}..."
