"""A turn's context: instructions, as much history as fits the model's window, and what the turn added."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from gitu_core.errors import ContextOverflow
from gitu_core.model import ModelMessage, Text, by_system
from gitu_core.model.measure import tokens_of

MARGIN = 0.95
"""The part of a window that is used: the count of tokens is an estimate."""


@lru_cache(64)
def system_message(instructions: str) -> ModelMessage:
    """The operator's instructions as the first entry of a context. The same words give the same id."""
    return ModelMessage("system", (Text(instructions),), id="system", label=by_system())


def fit(
    system: ModelMessage, history: Sequence[ModelMessage], added: Sequence[ModelMessage], room: int
) -> tuple[ModelMessage, ...]:
    """The context that fits into *room* tokens: the oldest history goes first, what the turn added never.

    `ContextOverflow` if what must stay does not fit.
    """
    room = int(room * MARGIN)
    left = room - tokens_of((system, *added))
    if left < 0:
        raise ContextOverflow(
            f"the message and what was found for it take {room - left} tokens, and the model has room for {room}",
            hint="send less at once, or choose a model with a larger window",
        )
    first, left = 0, left - tokens_of(history)
    while left < 0:
        left += tokens_of((history[first],))
        first += 1
    while first < len(history) and history[first].role != "user":
        first += 1  # a context never begins in the middle of an exchange
    return (system, *history[first:], *added)
