"""What a person can say to the gateway itself, on any channel: words that begin with a slash. They bypass the lane."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from typing import Protocol

from gitu_core.contracts.ports import Records, Session, Sessions
from gitu_core.model import Conversation

HELP = {
    "help": "what you can say",
    "status": "how the assistant is",
    "session": "this session",
    "sessions": "your last sessions",
    "new": "begin a new session",
    "history": "what was said in this session",
    "stop": "stop what runs",
    "resend": "send again what did not reach you",
}


class Status(Protocol):
    """Tells how the assistant is, in lines."""

    async def __call__(self) -> Sequence[str]: ...


class Commands:
    """Answers commands."""

    def __init__(
        self, sessions: Sessions, records: Records, status: Status, stop: Callable[[str], int],
        resend: Callable[[Session, Conversation], Awaitable[int]],
    ) -> None:  # fmt: skip
        self._sessions = sessions
        self._records = records
        self._status = status
        self._stop = stop
        self._resend = resend

    @staticmethod
    def named(text: str) -> str:
        """The command that *text* is, or ``""``. Words that only begin with one are for the assistant."""
        word = text.strip().lower()
        return word[1:] if word.startswith("/") and word[1:] in HELP else ""

    async def answer(self, command: str, conversation: Conversation, session: Session) -> str:
        """Does what the command asks and tells so."""
        actions: dict[str, Callable[[], Awaitable[str]]] = {
            "help": self._help,
            "status": lambda: self._lines(self._status()),
            "session": lambda: self._describe(session),
            "sessions": lambda: self._list(session.person),
            "new": lambda: self._new(conversation, session),
            "history": lambda: self._history(session),
            "stop": lambda: self._stopped(session),
            "resend": lambda: self._resent(session, conversation),
        }
        return await actions[command]()

    async def _help(self) -> str:
        return "\n".join(f"/{name} - {what}" for name, what in HELP.items())

    async def _lines(self, lines: Awaitable[Sequence[str]]) -> str:
        return "\n".join(await lines)

    async def _describe(self, session: Session) -> str:
        return (
            f"session {session.id}, profile {session.profile}, {session.messages} messages, "
            f"since {_when(session.created_at)}"
        )

    async def _list(self, person: str) -> str:
        found = await self._sessions.sessions(person, limit=10)
        return "\n".join(
            f"{each.id}  {_when(each.active_at)}  {each.messages} messages{'' if each.ended_at is None else ', ended'}"
            f"{'  ' + each.title if each.title else ''}"
            for each in found
        )

    async def _new(self, conversation: Conversation, session: Session) -> str:
        self._stop(session.id)
        fresh = await self._sessions.new_session(conversation, session.person, session.profile)
        return f"A new session begins: {fresh.id}"

    async def _history(self, session: Session) -> str:
        entries = await self._records.history(session.id, max_tokens=20_000, max_messages=40)
        said = [f"{each.message.role}: {each.message.text}" for each in entries if each.message.text]
        return "\n".join(said) or "Nothing was said yet."

    async def _stopped(self, session: Session) -> str:
        return "Stopped." if self._stop(session.id) else "Nothing runs."

    async def _resent(self, session: Session, conversation: Conversation) -> str:
        count = await self._resend(session, conversation)
        return f"{count} sent again." if count else "Everything reached you, as far as I know."


def _when(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M UTC")
