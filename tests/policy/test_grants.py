"""Grants: patterns, conditions, expiry, uses; what they do not name they do not allow."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitu_core.contracts.authority import Grant
from gitu_core.model import ToolCall
from gitu_core.policy.grants import Grants, covers, standing
from gitu_core.policy.text import fold
from tests.policy.scene import DELETE, NOTE, PAY, SEND, ask, session

MAIL = Grant("g", "anna", "send_*", {"to": ("*@firm.example",)})


def decision(grant: Grant, tool=SEND, now: float = 0.0, **arguments: object) -> str:
    return ask(session("What is new?", grants=(grant,), now=now), tool, **arguments).decision


def test_a_grant_allows_what_it_names_and_is_named_itself():
    verdict = ask(session("What is new?", grants=(MAIL,)), SEND, to=["a@firm.example"], body="x")
    assert (verdict.decision, verdict.grant) == ("allow", MAIL)


@pytest.mark.parametrize("to", [["a@other.example"], ["a@firm.example", "b@other.example"], [], "a@firm.example.evil"])
def test_every_value_has_to_fit(to):
    assert decision(MAIL, to=to, body="x") == "deny"


def test_it_ends():
    ended = Grant("g", "anna", "send_mail", expires_at=10.0)
    assert [decision(ended, now=now, to=["a@b.example"], body="x") for now in (9.0, 10.0)] == ["allow", "deny"]
    assert decision(Grant("g", "anna", "send_mail", uses=0), to=["a@b.example"]) == "deny"
    assert decision(Grant("g", "bob", "send_mail"), to=["a@b.example"]) == "deny"
    assert decision(Grant("g", "anna", "send_mail", outside=False), to=["a@b.example"]) == "deny"


@given(st.floats(allow_nan=True, allow_infinity=True))
def test_amounts_are_bounded(amount):
    fits = decision(
        Grant("g", "anna", "pay", {"to": ("DE*",)}, {"amount": 50}), PAY, to="DE89370400440532013000", amount=amount
    )
    assert (fits == "allow") == (0 <= amount <= 50)


@given(st.lists(st.sampled_from(["a*", "*c", "abc", "*b*", "a?c", "[ab]bc", "zz", "*"]), max_size=6),
       st.sampled_from(["abc", "bbc", "zz", "ABC", "q"]))  # fmt: skip
def test_the_order_on_the_shelf_changes_nothing(patterns, value):
    made = [Grant(str(n), "anna", "send_mail", {"to": (pattern,)}) for n, pattern in enumerate(patterns)]
    fitting = [grant for grant in made if covers(grant, {"to": value})]
    found = Grants(made).find("send_mail", {"to": value}, session(), True)
    assert (found in fitting) if fitting else found is None


def test_modes():
    look = session("Create a note.", mode="read-only")
    assert ask(look, NOTE, title="x", text="y").decision == "deny"
    careful = session("Create a note.", mode="confirm")
    assert ask(careful, NOTE, title="x", text="y").decision == "ask"


def test_a_session_keeps_its_own():
    there = session("What is new?", grants=(Grant("g", "anna", "send_mail", session="s1"),))
    assert ask(there, SEND, to=["a@b.example"], body="x").decision == "deny"
    there.session = "s1"
    assert ask(there, SEND, to=["a@b.example"], body="x").decision == "allow"


@given(st.lists(st.text(min_size=1, max_size=8) | st.sampled_from(["a*", "[x]", "?"]), min_size=1, max_size=3),
       st.floats(0.01, 1e6), st.text(max_size=9))  # fmt: skip
def test_a_standing_yes_allows_such_calls_and_no_others(people, amount, other):
    call = ToolCall("c", "pay", {"to": people, "amount": amount, "for": "rent"})
    grant = standing(call, PAY, "anna")
    assert grant is not None
    assert covers(grant, call.arguments)
    assert covers(grant, {**call.arguments, "amount": amount / 2, "for": "another word"})
    assert not covers(grant, {**call.arguments, "amount": amount * 1.01})
    assert not covers(grant, {**call.arguments, "to": []})
    if fold(other) not in map(fold, people):
        assert not covers(grant, {**call.arguments, "to": [*people, other]})


def test_what_nobody_described_is_bound_as_it_is_or_not_offered():
    grant = standing(ToolCall("c", "delete_file", {"file": "7", "force": True}), DELETE, "anna")
    assert grant is not None
    assert grant.when == {"file": ("7",), "force": ("True",)}
    assert standing(ToolCall("c", "delete_file", {"file": {"id": 7}}), DELETE, "anna") is None
