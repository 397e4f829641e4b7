"""What a person can say to the gateway itself, on any channel: words that begin with a slash. They bypass the lane."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime

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
    "budget": "what you may still use",
    "resend": "send again what did not reach you",
}


Status = Callable[[], Awaitable[Sequence[str]]]
"""Tells how the assistant is, in lines."""

Spent = Callable[[Session], Awaitable[Sequence[str]]]
"""Tells what the person of a session may still use, in lines."""


class Commands:
    """Answers commands."""

    def __init__(
        self, sessions: Sessions, records: Records, status: Status, spent: Spent,
        stop: Callable[[Session], Awaitable[int]], resend: Callable[[Session, Conversation], Awaitable[int]],
    ) -> None:  # fmt: skip
        self._sessions = sessions
        self._records = records
        self._status, self._spent = status, spent
        self._stop = stop
        self._resend = resend

    @staticmethod
    def named(text: str) -> str:
        """The command that *text* is, or ``""``. Words that only begin with one are for the assistant."""
        word = text.strip().lower()
        return word[1:] if word.startswith("/") and word[1:] in HELP else ""

    async def answer(self, command: str, conversation: Conversation, session: Session) -> str:
        """Does what the command asks and tells so."""
        match command:
            case "help":
                return "\n".join(f"/{name} - {what}" for name, what in HELP.items())
            case "status":
                return "\n".join(await self._status())
            case "session":
                since = f"{session.messages} messages, since {_when(session.created_at)}"
                return f"session {session.id}, profile {session.profile}, {since}"
            case "sessions":
                return "\n".join(map(_line, await self._sessions.sessions(session.person, limit=10)))
            case "new":
                await self._stop(session)
                fresh = await self._sessions.new_session(conversation, session.person, session.profile)
                return f"A new session begins: {fresh.id}"
            case "history":
                entries = await self._records.history(session.id, max_tokens=20_000, max_messages=40)
                said = [f"{each.message.role}: {each.message.text}" for each in entries if each.message.text]
                return "\n".join(said) or "Nothing was said yet."
            case "stop":
                return "Stopped." if await self._stop(session) else "Nothing runs."
            case "budget":
                return "\n".join(await self._spent(session)) or "No budget of yours is set, or none was used yet."
            case _:
                count = await self._resend(session, conversation)
                return f"{count} sent again." if count else "Everything reached you, as far as I know."


def _line(session: Session) -> str:
    ended = "" if session.ended_at is None else ", ended"
    title = f"  {session.title}" if session.title else ""
    return f"{session.id}  {_when(session.active_at)}  {session.messages} messages{ended}{title}"


def _when(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M UTC")
