"""The catalogue out of LiteLLM's price file, which is read without importing LiteLLM."""

from __future__ import annotations

import functools
import math
from importlib.util import find_spec
from pathlib import Path

import msgspec

from gitu_core.contracts import ModelInfo
from gitu_core.errors import NotReady

FILE = "model_prices_and_context_window_backup.json"
_NANO = 1_000_000_000


class _Entry(msgspec.Struct):
    """The fields of a model in the price file that say something here; whatever else a field holds is
    ignored."""

    mode: object = None
    litellm_provider: object = None
    max_input_tokens: object = None
    max_output_tokens: object = None
    max_tokens: object = None
    input_cost_per_token: object = None
    output_cost_per_token: object = None
    cache_read_input_token_cost: object = None
    supports_vision: object = None
    supports_function_calling: object = None
    supports_response_schema: object = None
    supports_reasoning: object = None
    supports_audio_input: object = None


@functools.cache
def catalogue() -> tuple[ModelInfo, ...]:
    """Every chat model of the price file by its full LiteLLM name. `NotReady` if LiteLLM is not installed."""
    spec = find_spec("litellm")
    if spec is None or not spec.submodule_search_locations:
        raise NotReady("litellm is not installed", hint="install gitu-litellm again")
    path = Path(spec.submodule_search_locations[0]) / FILE
    entries = msgspec.json.decode(path.read_bytes(), type=dict[str, _Entry])
    found: dict[str, ModelInfo] = {}
    for key, entry in entries.items():
        provider = entry.litellm_provider
        if entry.mode != "chat" or not isinstance(provider, str) or key.startswith("ft:"):
            continue
        name = key if key.startswith(f"{provider}/") else f"{provider}/{key}"
        found.setdefault(name, _info(name, entry))
    return tuple(sorted(found.values(), key=lambda info: -info.quality))


def _info(name: str, entry: _Entry) -> ModelInfo:
    given, made = _price(entry.input_cost_per_token), _price(entry.output_cost_per_token)
    return ModelInfo(
        name,
        window=_tokens(entry.max_input_tokens) or _tokens(entry.max_tokens) or 8192,
        max_output=_tokens(entry.max_output_tokens) or 4096,
        input_price=given,
        output_price=made,
        cached_price=_price(entry.cache_read_input_token_cost),
        capabilities=_capabilities(entry),
        quality=_quality(made, bool(entry.supports_reasoning)),
        latency=2.0 if entry.supports_reasoning else 1.0,
    )


def _capabilities(entry: _Entry) -> frozenset[str]:
    marks = {
        "tools": entry.supports_function_calling,
        "structured": entry.supports_response_schema,
        "images": entry.supports_vision,
        "audio": entry.supports_audio_input,
        "reasoning": entry.supports_reasoning,
    }
    return frozenset({"text", "stream"} | {name for name, mark in marks.items() if mark is True})


def _tokens(value: object) -> int:
    return int(value) if isinstance(value, int | float) and value > 0 else 0


def _price(value: object) -> int | None:
    return round(value * _NANO) if isinstance(value, int | float) else None


def _quality(output_price: int | None, reasoning: bool) -> float:
    """A guess from the price, for want of anything better: what costs more is mostly better, up to a
    point."""
    dollars = (output_price or 0) / 1000
    return min(0.9, 0.35 + 0.12 * math.sqrt(dollars) + (0.1 if reasoning else 0.0))
