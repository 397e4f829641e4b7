"""What is said between the person and Gitu, apart from how it looks: messages, built-ins, open questions."""

from __future__ import annotations

import secrets
import time

from gitu_core import Account, Answer, Ask, Conversation, Message, Outgoing, Reply, Text
from gitu_terminal.text import choices_of

BUILT_INS = {
    "help": "what you can say",
    "status": "how the assistant is",
    "session": "this session",
    "sessions": "your last sessions",
    "new": "begin a new session",
    "history": "what was said in this session",
    "stop": "stop what runs",
    "budget": "what you may still use",
    "questions": "what waits for your answer",
    "grants": "what I may do without asking you",
    "clear": "clear the screen",
    "exit": "leave",
}
"""Words that begin with a slash.

Gitu answers all but ``clear`` and ``exit``, which concern only this terminal.
"""

OWN_HELP = "/clear - clear the screen\n/exit - leave"
"""What the terminal adds to Gitu's own help."""

STANDING = frozenset({"session", "always", "until"})
"""Choices that hold for longer: one letter must not make them."""

_PLAIN_WORDS = frozenset({"help", "status", "session", "sessions", "history", "clear", "exit", "quit"})
_SAME = {"/quit": "/exit", "/bye": "/exit"}
_LIKE = {"y": "yes", "ok": "yes", "allow": "yes", "approve": "yes", "n": "no", "deny": "no", "refuse": "no"}


class Talk:
    """One conversation with one person.

    Message keys begin with a random part, so that no two runs share one.
    """

    def __init__(self, conversation: Conversation, sender: Account) -> None:
        self.conversation = conversation
        self.sender = sender
        self.asks: dict[str, Ask] = {}
        self._turns: dict[str, str] = {}
        self._prefix = secrets.token_hex(8)
        self._count = 0

    def message(self, text: str) -> Message:
        """What the person typed: the answer to the open question if it names a choice, else words."""
        answer = self.answer_in(text)
        if answer is None:
            return self._wrap(Text(text))
        self.asks.pop(answer.ask, None)
        return self._wrap(answer)

    def words(self, text: str) -> Message:
        """*text* as a message, whatever is asked."""
        return self._wrap(Text(text))

    def _wrap(self, part: Text | Answer) -> Message:
        self._count += 1
        return Message(
            key=f"{self._prefix}-{self._count}",
            conversation=self.conversation,
            sender=self.sender,
            parts=(part,),
            at=time.time(),
        )

    def answer_in(self, text: str) -> Answer | None:
        """The answer that *text* gives. With several questions open it must name one: ``2 yes``."""
        asks = list(self.asks.values())
        if len(asks) > 1:
            number, _, text = text.strip().partition(" ")
            asks = asks[int(number) - 1 : int(number)] if number.isdecimal() and int(number) else []
        if len(asks) != 1:
            return None
        day = text.strip().strip(".!").casefold()
        until = "until" in asks[0].choices and day.startswith("until ")
        choice = day if until else pick(choices_of(asks[0]), text)
        return Answer(asks[0].id, choice) if choice else None

    def heard(self, outgoing: Outgoing) -> list[tuple[int, Ask]]:
        """Remembers the questions in an outgoing message; gives each with its number."""
        found = []
        for part in outgoing.parts:
            if isinstance(part, Ask):
                self.asks[part.id] = part
                self._turns[part.id] = outgoing.cause
                found.append((list(self.asks).index(part.id) + 1, part))
        return found

    def ended(self, reply: Reply) -> None:
        """A turn ended. Its questions are closed with it, unless it waits for an answer."""
        if reply.status != "waiting":
            for id in [id for id in self.asks if self._turns.get(id) in ("", reply.turn)]:
                del self.asks[id]


def built_in(text: str) -> str:
    """The built-in that *text* asks for, as ``/word``, or ``""``.

    Some work without the slash, standing alone.
    """
    word = text.strip().lower()
    if word in _PLAIN_WORDS:
        word = f"/{word}"
    word = _SAME.get(word, word)
    return word if word[:1] == "/" and word[1:] in BUILT_INS else ""


def pick(choices: tuple[str, ...], text: str) -> str:
    """The choice that *text* names: in full, by number, by its only possible beginning, or as yes and no."""
    word = text.strip().strip(".!").casefold()
    if not word:
        return ""
    if word.isdecimal() and word.isascii():
        return choices[int(word) - 1] if 1 <= int(word) <= len(choices) else ""
    for each in choices:
        if each.casefold() == word:
            return each
    like = [each for each in choices if each.casefold().startswith(word) and each.split(" ")[0] not in STANDING]
    if len(like) == 1:
        return like[0]
    return _LIKE[word] if _LIKE.get(word) in choices else ""
