"""The laws of questions and of changes: what people see, and what comes back."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest

from gitu_core.contracts import Adapter
from gitu_core.model import Answer, Conversation, Text
from gitu_core.testing.conformance.base import needs, of, until
from gitu_core.testing.conformance.box import Box
from gitu_core.testing.conformance.receiving import ReceivingLaws
from gitu_core.testing.conformance.spoken import question, seen_of, speak


class ShowingLaws(ReceivingLaws):
    """A9 and A10."""

    async def test_a9_a_question_is_shown_whole(
        self, subject: Adapter, remote: Any, conversation: Conversation
    ) -> None:
        """The question, every line of the details, and every choice, also where words stand around it."""
        needs(remote, "shown")
        ask = question("whole", ("yes", "no", "always", "Only this once, elsewhere"))
        before = "\n".join(await of(remote.shown()))
        delivery = await subject.send(speak(conversation, Text("Before I do it:"), ask))
        assert delivery.state == "sent"
        shown = "\n".join(await of(remote.shown()))[len(before) :]
        wanted = ("Before I do it", ask.question, *ask.details.splitlines(), *ask.choices)
        assert [each for each in wanted if each not in shown] == [], "this is not shown"

    async def test_a9_the_choice_comes_back_as_an_answer(
        self, subject: Adapter, remote: Any, conversation: Conversation
    ) -> None:
        """With two questions open, the older one is answered first: each answer names its question, and is a choice to
        the letter."""
        needs(remote, "choose")
        box = Box()
        asks = [question("first", ("yes", "no")), question("second", ("Later today", "Later", "now"))]
        wanted = [Answer(asks[0].id, "no"), Answer(asks[1].id, "Later today")]
        async with self.receiving(subject, box):
            for ask in asks:
                await subject.send(speak(conversation, ask))
            for ask, answer in zip(asks, wanted, strict=True):
                await of(remote.choose(ask, answer.choice))
                await until(partial(box.says, answer), "the person's choice was handed over as an Answer")
        assert box.answers() == wanted
        assert {each.conversation.channel for each in box.messages} == {subject.channel.name}

    async def test_a10_a_message_is_changed_however_often(
        self, subject: Adapter, remote: Any, conversation: Conversation
    ) -> None:
        """The first of `ids` is what `replaces` takes; people see one message with the newest words."""
        self._edits(subject)
        needs(remote, "shown")
        first = await subject.send(speak(conversation, Text("version0")))
        other = await subject.send(speak(conversation, Text("bystander")))
        assert first.ids, "a delivery on a channel with edits names the message"
        assert other.ids[0] != first.ids[0]
        count = len(await of(remote.shown()))
        for number in (1, 2, 3):
            change = speak(conversation, Text(f"version{number}"), replaces=first.ids[0])
            assert (await subject.send(change)).state == "sent"
            shown = list(await of(remote.shown()))
            assert (len(shown), await seen_of(remote, f"version{number}")) == (count, 1), shown
            assert await seen_of(remote, f"version{number - 1}") == 0, "the old words are still there"
            assert await seen_of(remote, "bystander") == 1, "another message was changed"

    async def test_a10_a_message_that_is_gone_cannot_be_changed(
        self, subject: Adapter, remote: Any, conversation: Conversation
    ) -> None:
        """The answer is ``not_sent`` and final: the host must not try for ever."""
        self._edits(subject)
        needs(remote, "remove", "shown")
        first = await subject.send(speak(conversation, Text("gonesoon")))
        await of(remote.remove(first.ids[0]))
        change = await subject.send(speak(conversation, Text("toolate"), replaces=first.ids[0]))
        assert (change.state, change.final) == ("not_sent", True)
        assert await seen_of(remote, "toolate") == 0

    def _edits(self, subject: Adapter) -> None:
        if not subject.channel.edits:
            pytest.skip("A10 is for channels with `edits`; this one cannot change what was sent")
