"""The provider: asks any model that LiteLLM knows, by its LiteLLM name (``provider/model``)."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterator, Sequence
from typing import Any, Literal

import anyio.to_thread

from gitu_core.contracts import (
    CallDelta,
    Finish,
    Host,
    ModelEvent,
    ModelInfo,
    ModelRequest,
    ReasoningDelta,
    TextDelta,
    Usage,
)  # fmt: skip
from gitu_core.errors import ConfigError, GituError, StreamBroken
from gitu_litellm import messages
from gitu_litellm.catalogue import catalogue
from gitu_litellm.failures import failure
from gitu_litellm.library import litellm

_OWN = frozenset({"model", "messages", "stream", "stream_options", "tools", "api_key", "api_base", "num_retries"})
_REASONS: dict[str, Literal["stop", "calls", "length", "filtered"]] = {
    "tool_calls": "calls",
    "function_call": "calls",
    "length": "length",
    "content_filter": "filtered",
}


class LiteLLMProvider:
    """A `ModelProvider`. LiteLLM's own retries are off: the host knows better who comes next."""

    name = "litellm"

    def __init__(self, host: Host) -> None:
        self._host = host
        self._default = str(host.config.get("model") or "").removeprefix(f"{self.name}/")
        self._base = str(host.config.get("api_base") or "")

    async def catalogue(self) -> Sequence[ModelInfo]:
        """Every chat model of LiteLLM's price file, the configured one first."""
        known = await anyio.to_thread.run_sync(catalogue)
        if not self._default:
            return known
        first = [info for info in known if info.id == self._default] or [ModelInfo(self._default, window=32_768)]
        return (*first, *(info for info in known if info.id != self._default))

    async def stream(self, request: ModelRequest) -> AsyncGenerator[ModelEvent]:
        """Asks a model. Raises the typed failures that the contract names."""
        secret = await self._host.secrets.reveal(request.credential) if request.credential else ""
        arguments = await self._arguments(request, secret)
        library = await litellm()
        reading = _Reading({messages.safe_name(tool.name): tool.name for tool in request.tools})
        chunks: Any = None
        try:
            chunks = await library.acompletion(**arguments)
            async for chunk in chunks:
                for event in reading.events(chunk):
                    yield event
        except GituError:
            raise
        except Exception as error:  # noqa: BLE001 - LiteLLM raises its own, its client's and each provider's
            raise failure(error, reading.begun, secret) from None
        finally:
            close = getattr(chunks, "aclose", None)
            if close is not None:
                await close()
        yield reading.finish()

    async def _arguments(self, request: ModelRequest, secret: str) -> dict[str, Any]:
        model = request.model.removeprefix(f"{self.name}/") or self._default
        if not model:
            raise ConfigError("no model was named", hint="name one as litellm/<provider>/<model>", field="model")
        optional: dict[str, Any] = {
            "api_key": secret or None,
            "api_base": self._base or None,
            "max_tokens": request.max_tokens,
            "temperature": request.temperature,
            "seed": request.seed,
            "tools": messages.tools(request.tools) or None,
        }
        if request.output_schema is not None:
            form = {"name": "answer", "schema": request.output_schema}
            optional["response_format"] = {"type": "json_schema", "json_schema": form}
        return {
            **{key: value for key, value in request.settings.items() if key not in _OWN},
            **{key: value for key, value in optional.items() if value is not None},
            "model": model,
            "messages": [await messages.message(entry, self._host.blobs) for entry in request.messages],
            "stream": True,
            "stream_options": {"include_usage": True},
            "timeout": request.timeout,
            "max_retries": 0,
            "num_retries": 0,
        }


class _Reading:
    """Follows the chunks of one answer."""

    def __init__(self, names: dict[str, str]) -> None:
        self._names = names
        self._reason = ""
        self._model = ""
        self._usage = Usage()
        self.begun = False

    def events(self, chunk: Any) -> Iterator[ModelEvent]:
        """The events of a chunk."""
        self._model = getattr(chunk, "model", "") or self._model
        usage = getattr(chunk, "usage", None)
        if usage is not None:
            details = getattr(usage, "prompt_tokens_details", None)
            cached = getattr(details, "cached_tokens", 0) or 0
            self._usage = Usage(usage.prompt_tokens or 0, usage.completion_tokens or 0, cached)
        if not chunk.choices:
            return
        choice = chunk.choices[0]
        self._reason = choice.finish_reason or self._reason
        delta = choice.delta
        if thought := getattr(delta, "reasoning_content", None):
            self.begun = True
            yield ReasoningDelta(thought)
        if delta.content:
            self.begun = True
            yield TextDelta(delta.content)
        for call in delta.tool_calls or ():
            self.begun = True
            name = call.function.name or ""
            yield CallDelta(call.index, call.id or "", self._names.get(name, name), call.function.arguments or "")

    def finish(self) -> Finish:
        """The last event. `StreamBroken` if the answer is not complete."""
        if not self._reason:
            raise StreamBroken("the answer ended without a reason to stop")
        return Finish(_REASONS.get(self._reason, "stop"), self._usage, self._model)
