"""The context fits the window: the oldest history leaves first, whole exchanges only, the question never."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitu_core.errors import ContextOverflow
from gitu_core.model import ModelMessage, Text, ToolCall, user_message
from gitu_core.model.measure import message_tokens, tokens_of
from gitu_core.runtime.context import fit, system_message

SYSTEM = system_message("Be brief.")


def exchange(number: int, words: str) -> list[ModelMessage]:
    call = ToolCall(f"c{number}", "clock")
    return [
        user_message(words),
        ModelMessage("assistant", calls=(call,)),
        ModelMessage("tool", (Text(words),), call_id=call.id),
        ModelMessage("assistant", (Text(words),)),
    ]


@given(st.lists(st.text(max_size=200), max_size=12), st.integers(60, 3000))
def test_whatever_the_history_the_context_fits_and_never_begins_inside_an_exchange(words, room):
    history = [message for number, text in enumerate(words) for message in exchange(number, text)]
    asked = user_message("now?")
    context = fit(SYSTEM, history, (asked,), room)
    assert tokens_of(context) <= room
    assert context[0] is SYSTEM
    assert context[-1] is asked
    assert context[1].role == "user"
    calls = {call.id for message in context for call in message.calls}
    assert {message.call_id for message in context if message.role == "tool"} <= calls


def test_all_of_a_short_history_is_kept_in_order():
    history = exchange(1, "a") + exchange(2, "b")
    assert fit(SYSTEM, history, (user_message("c"),), 10_000)[1:-1] == tuple(history)


def test_a_question_that_cannot_fit_is_refused_with_the_next_step():
    with pytest.raises(ContextOverflow, match="larger window"):
        fit(SYSTEM, [], (user_message("x" * 10_000),), 500)


def test_the_estimate_never_counts_less_than_a_token_for_four_letters():
    assert message_tokens(user_message("word" * 100)) >= 100
