"""Which answer counts where a question was asked more than once."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from gitu_core.clock import SystemClock
from gitu_core.contracts.authority import Verdict
from gitu_core.contracts.ports import Approval
from gitu_core.errors import Denied
from gitu_core.model import NANO, Ask, ToolCall, ToolSpec, Usage
from gitu_core.model.steps import CallAnswered
from gitu_core.runtime.consent import APPROVE, Consent, asked_again
from gitu_core.runtime.turn import digest_of

pytestmark = pytest.mark.anyio

CALL = ToolCall("c", "mail", {"to": "bob"})
ID = "c.approve"
YES = CallAnswered("c", ID, "yes", "ana", digest_of(CALL))


def turn(*rows: Approval, answered: CallAnswered | None = None):
    """As much of a turn as a question needs."""
    answers = {"c": answered} if answered else {}
    state = SimpleNamespace(answered=answers, starts={}, started={}, usage=Usage(cost=NANO // 50))
    noted: list[object] = []
    kept: list[object] = []

    def note(step: object, *more: object) -> None:
        noted.append(step)
        kept.extend(more)

    return SimpleNamespace(
        approvals={each.id: each for each in rows}, state=state, noted=noted, note=note, asks=[], work=None, kept=kept,
        audited=lambda kind, call, outcome, **facts: (kind, call.tool, outcome, facts),
    )  # fmt: skip


def row(state: str, choice: str = "") -> Approval:
    ask = Ask(ID, "May I?", APPROVE)
    return Approval(ID, "ana", "s", "t", "m", "c", digest_of(CALL), ask, 9e9, 1.0, state=state, choice=choice, by="ana")


async def nobody(*_):
    return None


def given(turn):
    return Consent(SystemClock(), nobody).given(turn, CALL, ToolSpec("mail", "Mails."), Verdict("ask", "why"), None)


async def test_a_yes_that_is_a_step_already_counts_and_is_noted_once():
    for asked in (turn(row("answered", "yes"), answered=YES), turn(answered=YES)):
        assert await given(asked)
        assert asked.noted == []
    fresh = turn(row("answered", "yes"))
    assert await given(fresh)
    assert len(fresh.noted) == 1


async def test_an_earlier_yes_does_not_count_once_the_question_was_asked_again():
    assert not await given(turn(asked_again(row("answered", "yes"), 5.0), answered=YES))
    with pytest.raises(Denied, match="the user said no"):
        await given(turn(row("answered", "no"), answered=YES))
    with pytest.raises(Denied, match="nobody answered in time"):
        await given(turn(row("expired"), answered=YES))


def test_a_question_that_is_asked_again_is_a_new_one_from_then_on():
    again = asked_again(row("answered", "yes"), 5.0)
    assert (again.state, again.choice, again.created_at) == ("pending", "", 5.0)
