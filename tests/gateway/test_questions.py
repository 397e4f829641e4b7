"""Only the person asked may answer, and a bare "yes" counts only while it can mean one thing."""

from __future__ import annotations

import pytest

from gitu_core.contracts.ports import Approval, HistoryEntry, InboxEntry, OutboxEntry
from gitu_core.gateway.jobs import Job
from gitu_core.gateway.questions import CLOSED, FORGEABLE, Questions
from gitu_core.model import Account, Answer, Ask, Conversation, Message, Outgoing, Text, user_message
from gitu_core.testing import FakeClock

pytestmark = pytest.mark.anyio
HERE = Conversation("c", "1")


class Asked:
    """Records that hold open questions, and what was chosen about them."""

    def __init__(self, *asks: Ask):
        self.open = {
            ask.id: Approval(ask.id, "anna", "s", "t", "m", "call", "00", ask, 9e9, 1.0, conversation=HERE)
            for ask in asks
        }
        self.chosen, self.granted = [], []
        self.reads = 0
        self.last, self.since, self.waiting = "t", False, ["receipt"]

    async def approvals(self, person="", turn=""):
        self.reads += 1
        return [each for each in self.open.values() if each.person == person]

    async def history(self, session, max_tokens, max_messages=500):
        message = user_message("x")
        return [HistoryEntry(session, "anna", message, 1, 0.0, turn=self.last)]

    async def said_since(self, id, session):
        return self.since

    async def pending_in(self, session):
        return [(id, None) for id in self.waiting]

    async def answer(self, id, person, choice, receipt="", grant=None):
        found = self.open.get(id)
        if found is None or found.person != person or choice not in found.ask.choices:
            return None
        self.chosen.append((id, choice, receipt))
        self.granted.append(grant)
        return self.open.pop(id)


YES_OR_NO = Ask("q", "May I?", ("yes", "no"))
AGAIN = Ask("r", "Again?", ("retry", "leave"))


async def trusts(entry):
    """Everybody is who they say they are, but for those who are forged."""
    return "forged" not in entry.message.conversation.id


async def take(asked: Asked, *parts, person: str = "anna", conversation: Conversation = HERE, **how):
    message = Message("k", conversation, Account("c", "a"), parts)
    job = Job("receipt", InboxEntry(message, person, "s"), "default", **{"at": 2.0, **how})
    return await Questions(asked, trusts, FakeClock()).take(job)


@pytest.mark.parametrize("words", ["yes", "Yes.", " y ", "OK", "no", "N"])
async def test_plain_words_answer_the_only_question(words):
    asked = Asked(YES_OR_NO)
    assert isinstance(await take(asked, Text(words)), Approval)
    assert asked.chosen == [("q", "no" if words.lower().startswith("n") else "yes", "receipt")]


@pytest.mark.parametrize(("words", "choice"), [("yes", "retry"), ("retry", "retry"), ("no", "leave")])
async def test_plain_words_answer_another_question(words, choice):
    asked = Asked(AGAIN)
    await take(asked, Text(words))
    assert asked.chosen == [("r", choice, "receipt")]


async def test_nobody_else_can_answer_and_what_is_not_offered_counts_for_nothing():
    asked = Asked(YES_OR_NO)
    assert await take(asked, Answer("q", "yes"), person="mallory") == CLOSED
    assert "Possible answers: yes, no" in await take(asked, Answer("q", "always"))
    assert await take(asked, Answer("gone", "yes")) == CLOSED
    assert asked.chosen == []


async def test_an_answer_counts_from_any_conversation_of_the_person():
    asked = Asked(YES_OR_NO)
    await take(asked, Answer("q", "no"), conversation=Conversation("other", "9"))
    assert asked.chosen == [("q", "no", "receipt")]


async def test_a_bare_yes_means_nothing_while_two_questions_are_open_or_elsewhere():
    assert await take(Asked(YES_OR_NO, AGAIN), Text("yes")) is None
    assert await take(Asked(), Text("yes")) is None
    assert await take(Asked(YES_OR_NO), Text("yes"), conversation=Conversation("c", "2")) is None


async def test_a_bare_yes_means_nothing_where_something_else_was_said_since_or_it_was_said_before():
    for since in ({"last": "another turn"}, {"since": True}, {"waiting": ["earlier", "receipt"]}):
        asked = Asked(YES_OR_NO)
        vars(asked).update(since)
        assert await take(asked, Text("yes")) is None
        assert isinstance(await take(asked, Answer("q", "yes")), Approval)
    assert await take(Asked(YES_OR_NO), Text("yes"), again=True) is None
    assert await take(Asked(YES_OR_NO), Text("yes"), at=0.5) is None


async def test_choices_are_taken_whatever_their_case():
    asked = Asked(YES_OR_NO)
    await take(asked, Answer("q", " YES "))
    assert asked.chosen == [("q", "yes", "receipt")]


async def test_what_cannot_be_an_answer_costs_no_look_up():
    asked = Asked(YES_OR_NO)
    for words in ("hello", "yes, and buy milk", "a long message " * 100):
        assert await take(asked, Text(words)) is None
    assert asked.reads == 0


async def test_an_answer_from_where_anybody_can_speak_in_anybodys_name_counts_for_nothing():
    asked, forged = Asked(YES_OR_NO), Conversation("c", "forged")
    assert await take(asked, Answer("q", "yes"), conversation=forged) == FORGEABLE
    assert await take(asked, Text("hello"), conversation=forged) is None
    assert asked.chosen == []


@pytest.mark.parametrize(
    ("came", "counts"), [([YES_OR_NO], True), ([YES_OR_NO, Text("Shall I?")], False), ([Text("Hm.")], False)]
)
async def test_a_plain_word_answers_a_question_of_another_channel_only_where_it_came_last(came, counts):
    asked, clock = Asked(YES_OR_NO), FakeClock()
    questions, there = Questions(asked, trusts, clock), Conversation("d", "1")
    for number, part in enumerate(came):
        outgoing = Outgoing(f"o{number}.moved", f"o{number}.moved", there, (Text("(This was for c.)"), part))
        questions.arrived(OutboxEntry(outgoing, "anna", "s", "sent"))
    entry = InboxEntry(Message("k", there, Account("d", "a"), (Text("yes"),)), "anna", "s")
    taken = await questions.take(Job("receipt", entry, "default", at=clock.now()))
    assert (isinstance(taken, Approval), asked.chosen == [("q", "yes", "receipt")]) == (counts, counts)
