"""Replies in the words that go out, and what earlier runs did in words."""

from __future__ import annotations

from gitu_core.contracts.ports import InboxEntry, StepEntry
from gitu_core.gateway.answers import answer
from gitu_core.gateway.jobs import Job, failed
from gitu_core.gateway.past import Past, turns_of
from gitu_core.model import Account, Conversation, ErrorInfo, Message, Reply, Text, ToolCall, ToolResult, TurnInfo
from gitu_core.model.steps import Begun, CallDecided, CallFinished, CallStarted, Ended, Parked, Resumed


def job() -> Job:
    """A job."""
    message = Message("k", Conversation("c", "1"), Account("c", "a"), (Text("hi"),))
    return Job("j", InboxEntry(message, "anna", "s"), "default")


def test_who_could_not_answer_before_the_last_resort_did_is_told():
    failure = ErrorInfo("auth", "the key was refused.", "set another key.", {"model": "some/model"})
    reply = Reply("t", "s", parts=(Text("answer"),), failures=(failure, failure), degraded=True)
    told = answer(job(), reply).parts
    assert told[0] == Text("answer")
    assert told[1] == Text("(some/model could not answer: the key was refused. Next: set another key.)")
    assert len(told) == 2
    assert answer(job(), Reply("t", "s", parts=(Text("answer"),), failures=(failure,))).parts == (Text("answer"),)


def test_a_failure_says_what_happened_and_what_to_do_and_of_strangers_only_the_class():
    assert answer(job(), failed(job(), ZeroDivisionError("secret"))).text == (
        "I could not finish this: ZeroDivisionError was raised. Next: see the log."
    )
    assert answer(job(), Reply("t", "s", "cancelled")).text == "Stopped."


def entries(turn: str, *steps: object) -> list[StepEntry]:
    """Steps of a turn."""
    return [StepEntry(turn, n, step, "s", "anna", 1.0) for n, step in enumerate(steps)]


def test_the_past_tells_what_was_done_and_what_nobody_knows():
    info = TurnInfo("j-1", "s", "j", "user:anna")
    pay, mail, look = (ToolCall(name, name) for name in ("pay", "mail", "look"))
    past = Past(
        [
            *entries(
                "j-1",
                Begun(info, "j"),
                CallDecided(mail, "allow"),
                CallStarted("mail", "1"),
                CallFinished("mail", ToolResult(content="sent")),
                CallFinished("look", ToolResult(content="seen")),
                CallDecided(look, "allow"),
                Resumed("w"),
            ),
            *entries("j-1.inner", Begun(info, "x"), CallDecided(pay, "allow"), CallStarted("pay", "2")),
        ],
        turns_of("j"),
    )
    assert (past.turn, past.cut_off, past.waits, past.reply, len(past.steps)) == ("j-1", 1, False, None, 7)
    assert past.words().endswith("done is: mail; nobody knows whether this was done: pay")
    assert Past(entries("j-1", Begun(info, "j"), Parked(("pay",))), turns_of("j")).waits


def test_the_reply_of_the_past_is_that_of_the_last_turn_that_the_message_caused():
    replies = [Reply("j-1", "s", "failed"), Reply("j-10", "s"), Reply("j-10.x", "s", "failed")]
    past = Past([entry for reply in replies for entry in entries(reply.turn, Ended(reply))], "j-")
    assert (past.turn, past.reply) == ("j-10", replies[1])
    assert (Past((), "j-").turn, Past((), "j-").reply) == ("j-1", None)
