"""The decision is pure and total: reading is free, acting needs a context that only trusted people wrote."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitu_core.contracts.authority import Evidence, Verdict
from gitu_core.model import Label, ToolCall, ToolSpec, TurnInfo, from_outside, private_to
from gitu_core.policy import LabelPolicy

TURN = TurnInfo("t", "s", "m", "user:anna")
READ = ToolSpec("clock", "Tells the time.")
SEND = ToolSpec("send", "Sends.", effects=("send",), roles={"to": "recipient"})
FETCH = ToolSpec("fetch", "Gets a page.", roles={"url": "url"})
POLICY = LabelPolicy()


def judged(call: ToolCall, tool: ToolSpec, context: Label, said: str = "") -> Verdict:
    def read(evidence: Evidence) -> None:
        if said:
            evidence.heard(said)

    evidence = POLICY.evidence(TURN, [tool], "default", read)
    evidence.label = context
    evidence.catch_up()
    return POLICY.decide(call, tool, evidence)


def decide(tool: ToolSpec, context: Label, said: str = "", **arguments: Any) -> str:
    return judged(ToolCall("c", tool.name, arguments), tool, context, said).decision


def test_reading_is_free_whatever_was_read_before():
    assert decide(READ, from_outside("web")) == "allow"


def test_acting_is_allowed_where_only_the_user_spoke():
    assert decide(SEND, private_to("anna"), to="b") == "allow"


@pytest.mark.parametrize("context", [from_outside("web"), private_to("anna").join(from_outside("x"))])
def test_acting_after_outside_content_is_asked_and_the_source_is_named(context):
    verdict = judged(ToolCall("c", "send", {"to": "b"}), SEND, context)
    assert verdict.decision == "ask"
    assert any(origin in verdict.reason for origin in context.origins - {"user:anna"})


def test_what_was_said_is_read_when_it_matters():
    assert decide(SEND, from_outside("web"), "Send it to b@x.example, please.", to="b@x.example") == "allow"
    assert decide(SEND, from_outside("web"), "Send it to b@x.example, please.", to="eve@x.example") == "ask"


@pytest.mark.parametrize("tool", [SEND, FETCH])
def test_what_the_principal_may_not_read_does_not_leave(tool):
    verdict = judged(ToolCall("c", tool.name, {"to": "b", "url": "https://b.example"}), tool, private_to("bob"))
    assert verdict.decision == "deny"
    assert "user:bob" in verdict.reason


def test_a_read_that_sends_data_to_a_chosen_place_counts_as_acting():
    assert decide(FETCH, from_outside("web"), url="https://a.example") == "ask"
    assert decide(FETCH, private_to("anna"), url="https://a.example") == "allow"


def test_a_call_is_judged_by_its_own_label_too():
    call = ToolCall("c", "send", {"to": "b"}, label=from_outside("web"))
    assert judged(call, SEND, private_to("anna")).decision == "ask"


@given(st.frozensets(st.sampled_from(["system", "user:anna", "user:bob", "outside:web", "plugin:x"])))
def test_more_origins_never_allow_more(origins):
    alone = decide(SEND, Label(origins=origins), to="b")
    joined = decide(SEND, Label(origins=origins | {"outside:other"}), to="b")
    assert not (alone == "ask" and joined == "allow")
    assert joined == "ask"
