"""The models that are known by name, with their windows (tokens) and prices (US dollars a million tokens)."""

from __future__ import annotations

from gitu_core.contracts import ModelInfo

_TEXT = frozenset({"text", "tools", "stream", "structured", "images"})
_THINKS = _TEXT | {"reasoning"}

# model: window, longest answer, price in / cached / out, quality, seconds to the first token, capabilities
_KNOWN: dict[str, tuple[int, int, float, float, float, float, float, frozenset[str]]] = {
    "gpt-5.4-mini": (272_000, 128_000, 0.75, 0.075, 4.5, 0.80, 0.9, _THINKS),
    "gpt-5.5": (1_050_000, 128_000, 5.0, 0.5, 30.0, 0.93, 2.0, _THINKS),
    "gpt-5.4": (1_050_000, 128_000, 2.5, 0.25, 15.0, 0.90, 1.8, _THINKS),
    "gpt-5.4-nano": (272_000, 128_000, 0.2, 0.02, 1.25, 0.66, 0.7, _THINKS),
    "gpt-5.2": (272_000, 128_000, 1.75, 0.175, 14.0, 0.87, 1.8, _THINKS),
    "gpt-5.1": (272_000, 128_000, 1.25, 0.125, 10.0, 0.85, 1.7, _THINKS),
    "gpt-5-mini": (272_000, 128_000, 0.25, 0.025, 2.0, 0.74, 1.2, _THINKS),
    "gpt-5-nano": (272_000, 128_000, 0.05, 0.005, 0.4, 0.58, 0.9, _THINKS),
    "gpt-4.1": (1_047_576, 32_768, 2.0, 0.5, 8.0, 0.72, 0.7, _TEXT),
    "gpt-4.1-mini": (1_047_576, 32_768, 0.4, 0.1, 1.6, 0.64, 0.5, _TEXT),
    "gpt-4o-mini": (128_000, 16_384, 0.15, 0.075, 0.6, 0.55, 0.5, _TEXT),
}

UNKNOWN_WINDOW = 32_768
"""What a model of an unknown name is trusted with, in tokens."""


def catalogue(default: str) -> list[ModelInfo]:
    """Every known model, *default* first; a default of an unknown name is listed without prices."""
    models = {name: _info(name) for name in _KNOWN}
    if not default:
        return list(models.values())
    first = models.pop(default, None) or ModelInfo(default, window=UNKNOWN_WINDOW, capabilities=_TEXT)
    return [first, *models.values()]


def _info(name: str) -> ModelInfo:
    window, longest, given, cached, made, quality, latency, capabilities = _KNOWN[name]
    return ModelInfo(
        name,
        window=window,
        max_output=longest,
        input_price=round(given * 1000),
        cached_price=round(cached * 1000),
        output_price=round(made * 1000),
        capabilities=capabilities,
        quality=quality,
        latency=latency,
    )


def thinks(model: str) -> bool:
    """True for a model that reasons before it answers; such models refuse a temperature."""
    known = _KNOWN.get(model)
    return known is not None and "reasoning" in known[-1]
