"""A turn's state is a fold over its steps, and nothing else."""

from __future__ import annotations

from gitu_core.model import Label, ModelMessage, Reply, Text, ToolCall, ToolResult, TurnInfo, Usage
from gitu_core.model.steps import (
    Begun,
    CallDecided,
    CallFinished,
    CallStarted,
    Ended,
    ModelAnswered,
    ModelAsked,
    ModelFailed,
    Noted,
)
from gitu_core.model.tooling import ErrorInfo
from gitu_core.runtime.fold import fold

INFO = TurnInfo("t1", "s1", "m1", "user:u")
CALLS = (ToolCall("c1", "clock", {"place": "Tokyo"}), ToolCall("c2", "send", {"to": "a"}))


def test_the_state_knows_which_calls_are_open_and_which_were_started():
    state = fold(
        [
            Begun(INFO, "m1", Label(origins=frozenset({"user:u"}))),
            ModelAsked("a/b"),
            ModelAnswered(ModelMessage("assistant", calls=CALLS, id="x"), Usage(10, 5, cost=7), "a/b", "calls"),
            CallDecided(CALLS[1], "allow", "because"),
            CallStarted("c2", "t1.c2"),
            CallFinished("c1", ToolResult(content="12:00", label=Label(origins=frozenset({"outside:web"})))),
        ]
    )
    assert list(state.open) == ["c2"]
    assert state.started == {"c2": "t1.c2"}
    assert state.label.origins == {"user:u", "outside:web"}
    assert state.messages[-1].call_id == "c1"
    assert state.messages[-1].id == "c1.result"
    assert state.usage == Usage(10, 5, cost=7)
    assert state.answer is None


def test_labels_of_parts_of_a_result_reach_the_turn():
    part = {"items": Label(origins=frozenset({"outside:mail"}))}
    state = fold([Begun(INFO, "m1"), CallFinished("c1", ToolResult(content={"items": []}, fields=part))])
    assert "outside:mail" in state.label.origins


def test_an_answer_without_calls_is_the_last_word():
    answer = ModelMessage("assistant", (Text("hello"),), id="a")
    state = fold([Begun(INFO, "m1"), ModelAsked("a/b"), ModelAnswered(answer, Usage(), "a/b")])
    assert state.answer is answer
    assert fold([Noted(ModelMessage("user", (Text("again"),)))]).answer is None


def test_a_failed_model_leaves_nothing_in_flight_and_an_unanswered_one_does():
    assert fold([ModelAsked("a/b")]).in_flight == ModelAsked("a/b")
    state = fold([ModelAsked("a/b"), ModelFailed("a/b", ErrorInfo("not_ready", "later"))])
    assert state.in_flight is None
    assert state.asked == 1


def test_the_end_is_known():
    reply = Reply("t1", "s1", "cancelled")
    assert fold([Begun(INFO, "m1"), Ended(reply)]).reply is reply
