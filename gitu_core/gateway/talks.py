"""A person's sessions as they see them: their list, and one of them continued in another conversation.

What is said in a group stays there: its sessions are not continued anywhere else, and none is continued in a group.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from gitu_core.contracts.ports import Records, Session, Sessions
from gitu_core.model import Conversation, ModelMessage, user
from gitu_core.model.audience import audience, readable
from gitu_core.model.label import group

ANY_GROUP = group("", "").rstrip(":") + ":"
"""What every reader begins with that stands for a group."""

LISTED, SHORT = 10, 200
"""Sessions in the list, and characters of a message that is shown to recall the talk, at most."""

NO_SESSION = "I know no such session of yours: /continue NUMBER, as /sessions counts them."
NO_OTHER = "You have no other session in which something was said: /sessions shows all, also those that ended."
GROUPS = "That was said in a group, and goes on there."


class Talks:
    """Lists the sessions of people and continues them."""

    def __init__(self, sessions: Sessions, records: Records) -> None:
        self._sessions = sessions
        self._records = records

    async def listed(self, person: str) -> Sequence[Session]:
        """The last sessions of a person, without those that ended before anything was said."""
        found = await self._sessions.sessions(person, limit=5 * LISTED)
        return [each for each in found if each.messages or each.ended_at is None][:LISTED]

    async def said(self, session: Session, where: Conversation, person: str, most: int) -> list[ModelMessage]:
        """What was said last in a session, as far as those may read it who are in a conversation."""
        entries = await self._records.history(session.id, max_tokens=20_000, max_messages=most)
        here = readable((each.message for each in entries), audience(where, user(person)))
        return [each for each in here if each.text]

    async def go_on(self, which: str, where: Conversation, session: Session, person: str) -> str:
        """Continues in a conversation, now in *session*, the one with a number or an id, else the one that was active
        last of those that are open; tells so."""
        found: Session | None
        if which and not (which.isdecimal() and len(which) < 3):
            found = await self._sessions.session(which)
        else:
            listed = dict(enumerate(await self.listed(person), 1))
            found = listed.get(int(which)) if which else await self._last(session.id, listed.values())
        if found is None or found.person != person:
            return NO_SESSION if which else NO_OTHER
        if await self._is_groups(found):
            return GROUPS
        found = await self._sessions.bind(where, found.id, person)
        return "\n".join([await self._bound(found), *_recalled(await self.said(found, where, person, 20))])

    async def _last(self, present: str, listed: Iterable[Session]) -> Session | None:
        for each in listed:
            if each.id != present and each.messages and each.ended_at is None and not await self._is_groups(each):
                return each
        return None

    async def _bound(self, session: Session) -> str:
        channels = sorted({each.channel for each in await self._sessions.conversations(session.person, session.id)})
        asked = await self._records.approvals(session=session.id)
        words = f"You go on here in session {session.id}, {session.messages} messages, on {', '.join(channels)}."
        return f"{words} /questions shows what waits there for your answer." if asked else words

    async def _is_groups(self, session: Session) -> bool:
        """True if a group may read of what was said in a session. One in which nothing was said yet is known by its
        conversation, see `Sessions.bind`."""
        said = await self._records.history(session.id, max_tokens=20_000, max_messages=100)
        return any(reader.startswith(ANY_GROUP) for each in said for reader in each.message.label.readers or ())


def _recalled(said: Sequence[ModelMessage]) -> list[str]:
    """The last exchange, a line each."""
    last = {each.role: each.text for each in said if each.role in ("user", "assistant")}
    return [f"{role}: {_short(last[role])}" for role in ("user", "assistant") if role in last]


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= SHORT else f"{line[:SHORT]}…"
