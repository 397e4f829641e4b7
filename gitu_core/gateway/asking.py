"""Questions with choices: asked on a conversation, answered by the person asked and by nobody else."""

from __future__ import annotations

from dataclasses import dataclass, field

import anyio

from gitu_core.model import Answer, Conversation, Message

YES = frozenset({"yes", "y", "ok", "allow", "approve"})
NO = frozenset({"no", "n", "deny", "refuse"})


@dataclass
class _Open:
    person: str
    conversation: Conversation
    choices: tuple[str, ...]
    answered: anyio.Event = field(default_factory=anyio.Event)
    choice: str = ""


class Questions:
    """The questions that wait for an answer."""

    def __init__(self) -> None:
        self._open: dict[str, _Open] = {}

    def open(self, id: str, person: str, conversation: Conversation, choices: tuple[str, ...]) -> None:
        """A question was asked; call before it is sent, so that no answer comes too early."""
        self._open[id] = _Open(person, conversation, choices)

    async def wait(self, id: str, seconds: float) -> str:
        """The choice, or ``""`` when nobody answered in time. Closes the question."""
        question = self._open[id]
        try:
            with anyio.move_on_after(seconds):
                await question.answered.wait()
            return question.choice
        finally:
            self.close(id)

    def close(self, id: str) -> None:
        """Nobody waits for the answer any more."""
        self._open.pop(id, None)

    def answer(self, message: Message, person: str) -> bool:
        """True if *message* answers an open question that this person was asked.

        A bare "yes" or "no" counts only while exactly one question is open for the person in this conversation.
        """
        for part in message.parts:
            if isinstance(part, Answer):
                question = self._open.get(part.ask)
                if question is not None and question.person == person and part.choice in question.choices:
                    self._take(question, part.choice)
                return True  # an answer that comes too late, or from somebody else, is no message to the assistant
        mine = [
            each for each in self._open.values() if each.person == person and each.conversation == message.conversation
        ]
        choice = _plain(message.text, mine[0].choices) if len(mine) == 1 else ""
        if choice:
            self._take(mine[0], choice)
        return bool(choice)

    def _take(self, question: _Open, choice: str) -> None:
        if not question.answered.is_set():
            question.choice = choice
            question.answered.set()


def _plain(text: str, choices: tuple[str, ...]) -> str:
    word = text.strip().strip(".!").lower()
    for choice in choices:
        if word == choice.lower():
            return choice
    if word in YES and "yes" in choices:
        return "yes"
    return "no" if word in NO and "no" in choices else ""
