"""What a person can say to the gateway itself, on any channel: words that begin with a slash. They bypass the lane."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from gitu_core.contracts.ports import InboxEntry, Records, Session, Sessions
from gitu_core.gateway.identity import DOUBTFUL, Identity
from gitu_core.gateway.intake import split
from gitu_core.gateway.pulse import clock_time
from gitu_core.gateway.talks import Talks
from gitu_core.model import Conversation, Part, Text

HELP = {
    "help": "what you can say",
    "status": "how the assistant is",
    "session": "this session",
    "sessions": "your last sessions",
    "new": "begin a new session",
    "continue": "go on here with another session of yours, the last one or by its number in /sessions",
    "history": "what was said in this session",
    "stop": "stop what runs",
    "budget": "what you may still use",
    "resend": "send again what did not reach you",
    "questions": "what waits for your answer",
    "grants": "what I may do without asking you",
    "revoke": "ask me again about something, by its number in /grants, or about all",
    "accounts": "the accounts that speak for you",
    "link": "a code for another account of yours; with a code, link this account",
    "unlink": "take an account off, by its number",
}

ONCE = frozenset({"link", "unlink", "revoke", "continue"})
"""What takes more words, and is not done again where nobody knows whether it was."""

AGAIN = "I was interrupted, and do not do this twice: /accounts, /grants and /session show whether it was done."

PRIVATE = frozenset({"sessions", "continue", "budget", "questions", "grants", "revoke", "accounts", "link", "unlink"})
"""What is nobody else's business: not answered in a group, nor where somebody may speak in another one's name."""


Status = Callable[[], Awaitable[Sequence[str]]]
"""Tells how the assistant is, in lines."""

Spent = Callable[[Session], Awaitable[Sequence[str]]]
"""Tells what the person of a session may still use, in lines."""

Permits = Callable[[str, str], Awaitable[str]]
"""Tells what a person allowed, or takes back what they name."""


class Commands:
    """Answers commands."""

    def __init__(
        self, sessions: Sessions, records: Records, status: Status, spent: Spent,
        stop: Callable[[Session, str], Awaitable[int]], resend: Callable[[Session, Conversation], Awaitable[int]],
        identity: Identity, permits: Permits,
    ) -> None:  # fmt: skip
        self._sessions = sessions
        self._records = records
        self._talks = Talks(sessions, records)
        self._status, self._spent = status, spent
        self._stop = stop
        self._resend = resend
        self._identity, self._permits = identity, permits

    @staticmethod
    def named(text: str) -> str:
        """The command that *text* is, or ``""``. Words that only begin with one are for the assistant."""
        word, more = split(text)
        return word if word in HELP and (not more or word in ONCE) else ""

    @staticmethod
    def hides(text: str) -> bool:
        """True if what is answered to *text* is for the person's eyes only, and is kept nowhere: a code."""
        return text.strip().lower() == "/link"

    async def answer(self, command: str, entry: InboxEntry, session: Session) -> Sequence[Part]:
        """Does what the command asks and tells so."""
        message, more = entry.message, split(entry.message.text)[1]
        if command in PRIVATE:
            if not await self._identity.trusts(entry):
                return (Text(DOUBTFUL),)
            if message.conversation.kind == "group" and not (command == "link" and more):
                return (Text("That is for a private chat."),)
        if command == "questions":
            asked = [each.ask for each in await self._records.approvals(entry.person)]
            return asked or (Text("Nothing waits for your answer."),)
        return (Text(await self._said(command, more, entry, session)),)

    async def _said(self, command: str, more: str, entry: InboxEntry, session: Session) -> str:
        message, person = entry.message, entry.person
        match command:
            case "accounts" | "link" | "unlink":
                return await self._identified(command, more, entry)
            case "grants" | "revoke":
                return await self._permits(person, more.lower() if command == "revoke" else "")
            case "help":
                return "\n".join(f"/{name} - {what}" for name, what in HELP.items())
            case "status":
                return "\n".join(await self._status())
            case "session":
                since = f"{session.messages} messages, since {clock_time(session.created_at)}"
                return f"session {session.id}, profile {session.profile}, {since}"
            case "sessions":
                return "\n".join(f"{n}. {_line(each)}" for n, each in enumerate(await self._talks.listed(person), 1))
            case "new":
                await self._stop(session, person)
                fresh = await self._sessions.new_session(message.conversation, person, session.profile)
                return f"A new session begins: {fresh.id}"
            case "continue":
                return await self._talks.go_on(more, message.conversation, session, person)
            case "history":
                said = await self._talks.said(session, message.conversation, person, 40)
                return "\n".join(f"{each.role}: {each.text}" for each in said) or "Nothing was said yet."
            case "stop":
                return "Stopped." if await self._stop(session, person) else "Nothing runs."
            case "budget":
                return "\n".join(await self._spent(session)) or "No budget of yours is set, or none was used yet."
            case _:
                count = await self._resend(session, message.conversation)
                return f"{count} sent again." if count else "Everything reached you, as far as I know."

    async def _identified(self, command: str, more: str, entry: InboxEntry) -> str:
        message, person = entry.message, entry.person
        if command == "accounts":
            return "\n".join(await self._identity.accounts(person))
        if command == "unlink":
            return await self._identity.unlink(person, more.lower())
        return await (self._identity.typed(more, message) if more else self._identity.code(message, person))


def _line(session: Session) -> str:
    ended = "" if session.ended_at is None else ", ended"
    title = f"  {session.title}" if session.title else ""
    return f"{session.id}  {clock_time(session.active_at)}  {session.messages} messages{ended}{title}"
