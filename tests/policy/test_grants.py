"""Grants: patterns, conditions, expiry, uses; what they do not name they do not allow."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitu_core.policy.grants import Grant, Grants
from tests.policy.scene import ME, NOTE, PAY, SEND, ask, session

MAIL = Grant("g", ME, "send_*", {"to": "*@firm.example"})


def decision(grant: Grant, tool=SEND, now: float = 0.0, **arguments: object) -> str:
    return ask(session("What is new?", grants=Grants([grant]), now=now), tool, **arguments).decision


def test_a_grant_allows_what_it_names_and_is_named_itself():
    verdict = ask(session("What is new?", grants=Grants([MAIL])), SEND, to=["a@firm.example"], body="x")
    assert (verdict.decision, verdict.grant) == ("allow", "g")


@pytest.mark.parametrize("to", [["a@other.example"], ["a@firm.example", "b@other.example"], [], "a@firm.example.evil"])
def test_every_value_has_to_fit(to):
    assert decision(MAIL, to=to, body="x") == "deny"


def test_it_ends():
    ended = Grant("g", ME, "send_mail", expires=10.0)
    assert [decision(ended, now=now, to=["a@b.example"], body="x") for now in (9.0, 10.0)] == ["allow", "deny"]
    assert decision(Grant("g", ME, "send_mail", uses=0), to=["a@b.example"]) == "deny"
    assert decision(Grant("g", "user:bob", "send_mail"), to=["a@b.example"]) == "deny"
    assert decision(Grant("g", ME, "send_mail", outside=False), to=["a@b.example"]) == "deny"


@given(st.floats(allow_nan=True, allow_infinity=True))
def test_amounts_are_bounded(amount):
    fits = decision(
        Grant("g", ME, "pay", {"to": "DE*"}, {"amount": 50}), PAY, to="DE89370400440532013000", amount=amount
    )
    assert (fits == "allow") == (0 <= amount <= 50)


@given(st.lists(st.sampled_from(["a*", "*c", "abc", "*b*", "a?c", "[ab]bc", "zz", "*"]), max_size=6),
       st.sampled_from(["abc", "bbc", "zz", "ABC", "q"]))  # fmt: skip
def test_the_order_on_the_shelf_changes_nothing(patterns, value):
    made = [Grant(str(n), ME, "send_mail", {"to": pattern}) for n, pattern in enumerate(patterns)]
    fitting = [grant for grant in made if grant.covers({"to": value})]
    found = Grants(made).find(ME, "send_mail", {"to": value}, 0.0, True)
    assert (found in fitting) if fitting else found is None


def test_modes():
    look = session("Create a note.", mode="read-only")
    assert ask(look, NOTE, title="x", text="y").decision == "deny"
    careful = session("Create a note.", mode="confirm")
    assert ask(careful, NOTE, title="x", text="y").decision == "ask"
