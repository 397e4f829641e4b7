"""What calls cost, in nano-dollars: the worst case before a call, the real cost after it."""

from __future__ import annotations

import math

from gitu_core.model.chat import ModelInfo, Usage

DEFAULT_OUTPUT = 4_096
"""The tokens that an answer is taken to have where nobody limits it."""

MARGIN = 4, 3
"""An estimate of tokens may be too low by this factor; the worst case counts it in."""


def worst_case(info: ModelInfo, input_tokens: int, output_tokens: int = 0) -> Usage:
    """The most that a call may use. *output_tokens* 0 = as many as the model can; the cost is 0 where nobody knows the
    prices."""
    longest = info.max_output or DEFAULT_OUTPUT
    written, read = min(output_tokens or longest, longest), -(-input_tokens * MARGIN[0] // MARGIN[1])
    return Usage(read, written, cost=math.ceil(read * (info.input_price or 0) + written * (info.output_price or 0)))


def worst_cost(info: ModelInfo, input_tokens: int, output_tokens: int = 0) -> int | None:
    """The most that a call may cost; None where nobody knows the prices. *output_tokens* 0 = as many as the
    model can."""
    if info.input_price is None or info.output_price is None:
        return None
    return worst_case(info, input_tokens, output_tokens).cost


def cost_of(info: ModelInfo, usage: Usage) -> int:
    """What a call cost. Where nobody knows the prices, what the provider itself said stands."""
    if info.input_price is None or info.output_price is None:
        return usage.cost
    cached = min(usage.cached_tokens, usage.input_tokens)
    cached_price = info.input_price if info.cached_price is None else info.cached_price
    fresh = usage.input_tokens - cached
    total = fresh * info.input_price + cached * cached_price + usage.output_tokens * info.output_price
    return math.ceil(total + usage.cache_write_tokens * (info.cache_write_price or 0))
