"""Answers to questions that turns wait for: taken from the person asked and from nobody else, each question once."""

from __future__ import annotations

from gitu_core.contracts.ports import Approval, Records
from gitu_core.failpoints import hit
from gitu_core.gateway.jobs import Job
from gitu_core.model import Answer, Message

YES = frozenset({"yes", "y", "ok", "allow", "approve"})
NO = frozenset({"no", "n", "deny", "refuse"})
BARE = YES | NO | {"retry", "leave"}
LONGEST = 20
"""Characters of a message that may be a bare choice; what is longer is for the assistant."""


class Questions:
    """Finds out whether a message answers a question, and records the choice."""

    def __init__(self, records: Records) -> None:
        self._records = records

    async def take(self, job: Job, bare: bool) -> tuple[bool, Approval | None]:
        """Whether the message is an answer, and the question that it settled. An answer that comes too late, or from
        somebody else, is no message to the assistant.

        A *bare* "yes" or "no" counts only where exactly one question is open for the person in this conversation, and
        is the last thing that was said there: whatever was said since may have asked for a yes as well.
        """
        message, person = job.entry.message, job.entry.person
        if not self.may_answer(message):
            return False, None
        mine = await self._records.approvals(person)
        for part in message.parts:
            if isinstance(part, Answer):
                choices = next((each.ask.choices for each in mine if each.id == part.ask), ())
                choice = _chosen(_word(part.choice), choices)
                return True, await self._settled(part.ask, person, choice, job.id) if choice else None
        mine = [each for each in mine if each.conversation == message.conversation] if bare else []
        choice = _chosen(_word(message.text), mine[0].ask.choices) if len(mine) == 1 else ""
        last = await self._records.history(job.entry.session, 1 << 40, 1) if choice else ()
        if not last or last[-1].turn != mine[0].turn:
            return False, None
        return True, await self._settled(mine[0].id, person, choice, job.id)

    async def decline(self, person: str, why: str, session: str = "", message: str = "") -> list[Approval]:
        """Says no, for a person, to all that is asked in a session, or because of a message; gives the questions."""
        mine = await self._records.approvals(person)
        mine = [each for each in mine if session in ("", each.session) and message in ("", each.message)]
        return [each for each in mine if await self._records.answer(each.id, "", why) is not None]

    @staticmethod
    def may_answer(message: Message) -> bool:
        """True if a message may be an answer, by its words alone."""
        return _word(message.text) in BARE or any(isinstance(part, Answer) for part in message.parts)

    async def _settled(self, id: str, person: str, choice: str, receipt: str) -> Approval | None:
        hit("answer.before")
        found = await self._records.answer(id, person, choice, receipt)
        hit("answer.after")
        return found


def _word(text: str) -> str:
    return text.strip().strip(".!").lower() if len(text) <= LONGEST else ""


def _chosen(word: str, choices: tuple[str, ...]) -> str:
    for choice in choices:
        if word == choice.lower():
            return choice
    if len(choices) == 2:
        return choices[0] if word in YES else choices[1] if word in NO else ""
    return ""
