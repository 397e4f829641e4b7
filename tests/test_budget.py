"""Nothing overshoots an envelope by more than one bounded call, and reservations never leak."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitu_core.budget import TurnBudget
from gitu_core.errors import LimitReached
from gitu_core.model import TurnInfo, Usage


def turn(id: str = "t") -> TurnInfo:
    return TurnInfo(id, "s", "m", "user:u")


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(0, 50), st.booleans()), max_size=40), st.integers(0, 200))
async def test_what_is_spent_and_held_stays_within_the_limit(calls, limit):
    budget, spent = TurnBudget(lambda turn: limit), 0
    for estimate, actual, answered in calls:
        try:
            ticket = await budget.reserve(turn(), estimate)
        except LimitReached:
            assert spent + estimate > limit
            continue
        assert spent + estimate <= limit
        if answered:
            cost = min(actual, estimate)
            budget.settle(ticket, Usage(cost=cost))
            budget.settle(ticket, Usage(cost=cost))
            spent += cost
        budget.release(ticket)
    assert budget.close("t") == spent


async def test_calls_at_the_same_time_cannot_share_the_same_money():
    budget = TurnBudget(lambda turn: 100)
    await budget.reserve(turn(), 60)
    with pytest.raises(LimitReached, match=r"limits\.cost"):
        await budget.reserve(turn(), 60)


async def test_without_a_limit_anything_goes_and_with_one_an_unknown_price_does_not():
    assert await TurnBudget(lambda turn: None).reserve(turn(), None)
    with pytest.raises(LimitReached, match="nobody knows"):
        await TurnBudget(lambda turn: 5).reserve(turn(), None)


async def test_an_inner_turn_draws_on_the_outer_one():
    budget = TurnBudget(lambda turn: 100 if turn.id == "t" else None)
    first = await budget.reserve(turn(), 40)
    budget.settle(first, Usage(cost=40))
    inner = await budget.reserve(turn("t.c1"), 50)
    budget.settle(inner, Usage(cost=50))
    with pytest.raises(LimitReached):
        await budget.reserve(turn("t.c2"), 20)
    assert budget.close("t.c1") == 50
    assert budget.close("t") == 90
