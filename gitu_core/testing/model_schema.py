"""The request of the OpenAI chat completions API as documented, as types that refuse everything else."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Literal

import msgspec

_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")


class Refused(Exception):
    """The request is not what the documentation allows. `param` names the field."""

    def __init__(self, message: str, param: str = "", code: str = "invalid_request_error") -> None:
        super().__init__(message)
        self.param = param
        self.code = code


class _Strict(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    """Unknown fields are refused."""


class TextContent(_Strict, tag="text", tag_field="type"):
    """Words inside a list of parts."""

    text: str


class _ImageUrl(_Strict):
    url: str
    detail: Literal["auto", "low", "high", "original"] = "auto"


class ImageContent(_Strict, tag="image_url", tag_field="type"):
    """An image by address or as a data URL."""

    image_url: _ImageUrl


class _Audio(_Strict):
    data: str
    format: Literal["wav", "mp3"]


class AudioContent(_Strict, tag="input_audio", tag_field="type"):
    """Sound, in base64."""

    input_audio: _Audio


class _File(_Strict):
    file_id: str = ""
    file_data: str = ""
    filename: str = ""


class FileContent(_Strict, tag="file", tag_field="type"):
    """A document."""

    file: _File


UserContent = TextContent | ImageContent | AudioContent | FileContent


class _CalledFunction(_Strict):
    name: str
    arguments: str


class Call(_Strict):
    """A call that the assistant made earlier."""

    id: str
    type: Literal["function"]
    function: _CalledFunction


class System(_Strict, tag="system", tag_field="role"):
    """Instructions."""

    content: str | list[TextContent]
    name: str = ""


class Developer(_Strict, tag="developer", tag_field="role"):
    """Instructions, by their newer name."""

    content: str | list[TextContent]
    name: str = ""


class User(_Strict, tag="user", tag_field="role"):
    """What the user said."""

    content: str | list[UserContent]
    name: str = ""


class Assistant(_Strict, tag="assistant", tag_field="role"):
    """What the model said and called."""

    content: str | list[TextContent] | None = None
    tool_calls: list[Call] | None = None
    name: str = ""
    refusal: str | None = None


class Tool(_Strict, tag="tool", tag_field="role"):
    """The result of a call."""

    content: str | list[TextContent]
    tool_call_id: str


AnyMessage = System | Developer | User | Assistant | Tool


class _Function(_Strict):
    name: str
    description: str = ""
    parameters: dict[str, Any] = msgspec.field(default_factory=dict)
    strict: bool | None = None


class OfferedTool(_Strict):
    """A tool that the model may call."""

    type: Literal["function"]
    function: _Function


class _StreamOptions(_Strict):
    include_usage: bool = False
    include_obfuscation: bool = True


class _JsonSchema(_Strict):
    name: str
    schema: dict[str, Any] = msgspec.field(default_factory=dict)
    description: str = ""
    strict: bool | None = None


class _ResponseFormat(_Strict):
    type: Literal["text", "json_object", "json_schema"]
    json_schema: _JsonSchema | None = None


class ChatRequest(_Strict):
    """The body of a request for a chat completion."""

    model: str
    messages: list[AnyMessage]
    stream: bool | None = None
    stream_options: _StreamOptions | None = None
    tools: list[OfferedTool] | None = None
    tool_choice: str | dict[str, Any] | None = None
    parallel_tool_calls: bool | None = None
    response_format: _ResponseFormat | None = None
    max_tokens: int | None = None
    max_completion_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    seed: int | None = None
    stop: str | list[str] | None = None
    n: int | None = None
    user: str | None = None
    metadata: dict[str, str] | None = None
    store: bool | None = None
    frequency_penalty: float | None = None
    presence_penalty: float | None = None
    logit_bias: dict[str, int] | None = None
    logprobs: bool | None = None
    top_logprobs: int | None = None
    reasoning_effort: Literal["none", "minimal", "low", "medium", "high", "xhigh", "max"] | None = None
    verbosity: Literal["low", "medium", "high"] | None = None
    service_tier: str | None = None
    prompt_cache_key: str | None = None
    safety_identifier: str | None = None

    @property
    def asked(self) -> str:
        """The words of the last user message."""
        for message in reversed(self.messages):
            if isinstance(message, User):
                return words_of(message.content)
        return ""

    @property
    def results(self) -> list[str]:
        """What the tools answered since the last user message."""
        found: list[str] = []
        for message in reversed(self.messages):
            if isinstance(message, User):
                break
            if isinstance(message, Tool):
                found.append(words_of(message.content))
        return found[::-1]


_decoder = msgspec.json.Decoder(ChatRequest)


def read_request(body: bytes) -> ChatRequest:
    """The request in *body*, checked. `Refused` says what the documentation does not allow."""
    try:
        request = _decoder.decode(body)
    except msgspec.MsgspecError as error:
        raise Refused(str(error)) from error
    if not request.messages:
        raise Refused("messages must not be empty", "messages")
    _check_options(request)
    _check_calls(request.messages)
    _check_tools(request)
    return request


def words_of(content: str | Sequence[UserContent]) -> str:
    """The words in a message's content."""
    if isinstance(content, str):
        return content
    return "\n".join(part.text for part in content if isinstance(part, TextContent))


def _check_options(request: ChatRequest) -> None:
    if request.stream_options is not None and not request.stream:
        raise Refused("stream_options is only allowed when stream is enabled", "stream_options")
    if request.max_tokens is not None and request.max_completion_tokens is not None:
        raise Refused("max_tokens and max_completion_tokens cannot both be set", "max_tokens")
    if request.temperature is not None and not 0 <= request.temperature <= 2:
        raise Refused("temperature must be between 0 and 2", "temperature")
    for limit in (request.max_tokens, request.max_completion_tokens):
        if limit is not None and limit < 1:
            raise Refused("at least one token must be allowed", "max_tokens")
    form = request.response_format
    if form is not None and (form.type == "json_schema") != (form.json_schema is not None):
        raise Refused("json_schema goes with type json_schema", "response_format")
    if form is not None and form.json_schema is not None:
        if not _NAME.fullmatch(form.json_schema.name):
            raise Refused("invalid name", "response_format.json_schema.name")
        if form.json_schema.strict:
            _check_strict(form.json_schema.schema, "response_format.json_schema.schema")


def _check_calls(messages: Sequence[AnyMessage]) -> None:
    """Every call is answered right after it was made, and nothing answers a call that nobody made."""
    waiting: set[str] = set()
    for number, message in enumerate(messages):
        where = f"messages.[{number}]"
        if isinstance(message, Tool):
            if message.tool_call_id not in waiting:
                raise Refused("a tool message must answer a preceding call that is still open", f"{where}.tool_call_id")
            waiting.discard(message.tool_call_id)
            continue
        if waiting:
            raise Refused(f"no tool message answers the calls {', '.join(sorted(waiting))}", f"{where}.role")
        if isinstance(message, Assistant):
            if message.tool_calls == [] or (message.content is None and not message.tool_calls):
                raise Refused("an assistant message needs content or calls", f"{where}.content")
            waiting = {call.id for call in message.tool_calls or ()}
            if len(waiting) != len(message.tool_calls or ()):
                raise Refused("two calls share an id", f"{where}.tool_calls")
    if waiting:
        raise Refused(f"no tool message answers the calls {', '.join(sorted(waiting))}", "messages")


def _check_tools(request: ChatRequest) -> None:
    names = [tool.function.name for tool in request.tools or ()]
    if request.tools == []:
        raise Refused("tools must not be empty", "tools")
    if len(set(names)) != len(names):
        raise Refused("two tools share a name", "tools")
    for message in request.messages:
        if isinstance(message, Assistant):
            names += [call.function.name for call in message.tool_calls or ()]
    for name in names:
        if not _NAME.fullmatch(name):
            raise Refused(f"{name!r} does not match {_NAME.pattern}", "tools.function.name")
    if request.parallel_tool_calls is not None and not request.tools:
        raise Refused("parallel_tool_calls is only allowed with tools", "parallel_tool_calls")


def _check_strict(schema: Any, where: str) -> None:
    """What ``strict`` asks of a schema: every object closed, every property required."""
    if isinstance(schema, list):
        for item in schema:
            _check_strict(item, where)
    if not isinstance(schema, dict):
        return
    if schema.get("type") == "object":
        if schema.get("additionalProperties") is not False:
            raise Refused("additionalProperties must be false", where)
        if set(schema.get("required", ())) != set(schema.get("properties", {})):
            raise Refused("required must name every property", where)
    for value in schema.values():
        _check_strict(value, where)
