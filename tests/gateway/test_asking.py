"""Only the person asked may answer, and a bare "yes" counts only while it can mean one thing."""

from __future__ import annotations

import anyio
import pytest

from gitu_core.gateway.asking import Questions
from gitu_core.model import Account, Answer, Conversation, Message, Text

pytestmark = pytest.mark.anyio
HERE = Conversation("c", "1")


def said(*parts, conversation=HERE):
    return Message("k", conversation, Account("c", "a"), parts)


async def chosen(questions: Questions, message: Message, person: str = "anna") -> tuple[bool, str]:
    taken = questions.answer(message, person)
    return taken, await questions.wait("q", 0.01)


@pytest.mark.parametrize("words", ["yes", "Yes.", " y ", "OK", "no", "N"])
async def test_plain_words_answer_the_only_question(words):
    questions = Questions()
    questions.open("q", "anna", HERE, ("yes", "no"))
    taken, choice = await chosen(questions, said(Text(words)))
    assert taken
    assert choice == ("no" if words.lower().startswith("n") else "yes")


async def test_nobody_else_can_answer():
    questions = Questions()
    questions.open("q", "anna", HERE, ("yes", "no"))
    assert await chosen(questions, said(Answer("q", "yes")), "mallory") == (True, "")


async def test_a_bare_yes_means_nothing_while_two_questions_are_open():
    questions = Questions()
    questions.open("q", "anna", HERE, ("yes", "no"))
    questions.open("r", "anna", HERE, ("yes", "no"))
    assert await chosen(questions, said(Text("yes"))) == (False, "")


async def test_a_yes_elsewhere_is_a_message_like_any_other():
    questions = Questions()
    questions.open("q", "anna", HERE, ("yes", "no"))
    assert not questions.answer(said(Text("yes"), conversation=Conversation("c", "2")), "anna")


async def test_a_choice_that_was_not_offered_counts_for_nothing():
    questions = Questions()
    questions.open("q", "anna", HERE, ("yes", "no"))
    assert await chosen(questions, said(Answer("q", "always"))) == (True, "")


async def test_the_first_answer_counts_and_silence_ends_the_question():
    questions = Questions()
    questions.open("q", "anna", HERE, ("yes", "no"))
    async with anyio.create_task_group() as group:
        group.start_soon(anyio.lowlevel.checkpoint)
        questions.answer(said(Answer("q", "no")), "anna")
        questions.answer(said(Answer("q", "yes")), "anna")
        assert await questions.wait("q", 1) == "no"
    questions.open("q", "anna", HERE, ("yes", "no"))
    assert await questions.wait("q", 0.01) == ""
    assert not questions.answer(said(Text("yes")), "anna")
