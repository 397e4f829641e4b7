"""The port `Sessions`: get or create, update, end, clean up."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gitu_core.contracts.ports import Session
from gitu_core.errors import InputError
from gitu_core.model import Conversation
from gitu_core.store.base import Base, replaced
from gitu_core.store.codec import bound, encoded, unsealed
from gitu_core.store.keys import ScriptOf


class SessionsPart(Base):
    """Sessions, and which conversation is bound to which."""

    async def session_for(self, conversation: Conversation, person: str, profile: str = "default") -> Session:
        """The open session that a conversation is bound to; created and bound where there is none. Two
        callers at once get the same session. In private it is the person's own: where the account moved to another
        person, what was said before stays with the one who said it."""
        key = self._conversation_key(conversation)
        if self._remembers():
            known = self._sessions.get(self._bound.get(key) or "")
            if known is not None and _fits(known, conversation, person):
                return known
        moves = self._moves
        found = await self.engine.read(lambda: self._one("session_of", key))
        if found is None or not _fits(found, conversation, person):
            found = await self._script(lambda: self._bind(conversation, key, person, profile, False), person)
        return self._remember(key, found) if moves == self._moves else found  # it may be bound to another one by now

    async def new_session(self, conversation: Conversation, person: str, profile: str = "default") -> Session:
        """Ends the conversation's session, if any, and binds it to a fresh one."""
        key = self._conversation_key(conversation)
        if (old := self._bound.get(key)) is not None:
            self._sessions.drop(old)
        found = await self._script(lambda: self._bind(conversation, key, person, profile, True), person)
        self._moves += 1
        return self._remember(key, found)

    async def bind(self, conversation: Conversation, id: str, person: str) -> Session:
        """Binds a conversation of a person to a session of theirs, which is opened again where it had ended; what it
        was bound to before ends if nothing was said there. `InputError` if there is no such session of theirs, or one
        of the two is a group's: what is said in a group stays there, and the other way round."""
        if conversation.kind == "group":
            raise _groups()
        key = self._conversation_key(conversation)
        found, left = await self._script(lambda: self._rebind(conversation, key, id, person), person)
        self._moves += 1
        self._sessions.drop(left)
        return self._remember(key, found)

    async def conversations(self, person: str, session: str = "") -> Sequence[Conversation]:
        """The conversations of a person that are bound to a session, or to any; the one that was bound last first, at
        most 100. Those of accounts that they gave up are left out. `Damaged` if one cannot be read."""
        rows = await self._read(self._script_of("conversations_of", self.tenant, person, 100, bodies=(1,)))
        return [self._conversation(row, person) for row in rows if session in ("", row[2])]

    async def session(self, id: str) -> Session | None:
        """The session with this id."""
        return await self._read(lambda: self._one("session", id))

    async def session_of(self, conversation: Conversation) -> Session | None:
        """The session that a conversation is bound to, open or ended; None where nobody ever spoke there."""
        key = self._conversation_key(conversation)
        return await self._read(lambda: self._one("session_of", key))

    async def sessions(self, person: str = "", limit: int = 50) -> Sequence[Session]:
        """Sessions, the last active first, of one person where given."""
        statement, who = ("sessions_of", (person,)) if person else ("sessions", ())
        rows = await self._read(self._script_of(statement, self.tenant, *who, limit, bodies=(6,)))
        return [self._session(row) for row in rows]

    async def conversation_of(self, person: str) -> Conversation | None:
        """The conversation with one person alone that was bound to a session last. `Damaged` if it cannot be read."""
        rows = await self._read(self._script_of("conversations_of", self.tenant, person, 100, bodies=(1,)))
        found = (self._conversation(row, person) for row in rows)
        return next((each for each in found if each.kind == "direct"), None)

    async def end_session(self, id: str) -> None:
        """Ends a session; its conversations get a new one at the next message. Ending it again changes
        nothing."""
        self._sessions.drop(id)
        await self._script(self._script_of("session_end", self.clock.now(), self.tenant, id))
        self._sessions.drop(id)

    async def end_idle(self, before: float) -> int:
        """Ends every session that was last active before *before*; gives how many."""
        params = self.clock.now(), self.tenant, float(before)
        ended = await self._script(self._script_of("sessions_end_idle", *params))
        self._sessions.clear()
        return len(ended)

    # ---- inside --------------------------------------------------------------------------------------------

    def _conversation_key(self, conversation: Conversation) -> bytes:
        return self._keys.digest("conversation", conversation.channel, conversation.id, conversation.thread)

    def _remember(self, key: bytes, session: Session) -> Session:
        if self._remembers():
            self._bound.put(key, session.id)
            self._sessions.put(session.id, session)
        return session

    def _session(self, row: Any) -> Session:
        id, person, created_at, active_at, ended_at, messages, body = row
        found: Session = unsealed(self._keys, body, Session, f"the session {id}", "sessions", self.tenant, id, person)
        return replaced(found, created_at=created_at, active_at=active_at, ended_at=ended_at, messages=messages)

    def _one(self, statement: str, id: str | bytes) -> ScriptOf[Session | None]:
        row = yield from self._first(6, statement, self.tenant, id)
        return self._session(row) if row else None

    def _bind(self, conversation: Conversation, key: bytes, person: str, profile: str, anew: bool) -> ScriptOf[Session]:
        now = self.clock.now()
        body = self._keys.seal(person, encoded(conversation), bound("conversations", self.tenant, key, person))
        session = Session(id=self.clock.new_id(), person=person, profile=profile, created_at=now, active_at=now)
        # The row is the lock: whoever comes second waits here and finds the first one's session.
        mine = yield "conversation_hold", (self.tenant, key, conversation.channel, person, session.id, now, body)
        if not mine:
            rows = yield "conversation_locked", (self.tenant, key)
            old = (yield from self._one("session_locked", rows[0][0])) if rows[0][0] else None
            if old is not None and not anew and _fits(old, conversation, person):
                return old
            if old is not None and anew:
                yield "session_end", (now, self.tenant, old.id)
            yield "conversation_bind", (person, session.id, now, body, self.tenant, key)
        yield "session_add", (self.tenant, session.id, person, now, now, None, 0, self._sealed(session))
        return session

    def _rebind(self, conversation: Conversation, key: bytes, id: str, person: str) -> ScriptOf[tuple[Session, str]]:
        now = self.clock.now()
        body = self._keys.seal(person, encoded(conversation), bound("conversations", self.tenant, key, person))
        mine = yield "conversation_hold", (self.tenant, key, conversation.channel, person, id, now, body)
        rows = () if mine else (yield "conversation_locked", (self.tenant, key))
        old = rows[0][0] if rows else ""
        # In one order: two who swap their sessions at once do not wait for each other crosswise.
        known: dict[str, Session | None] = {}
        for each in sorted({id, old}):
            known[each] = yield from self._one("session_locked", each)
        session = known[id]
        if session is None or session.person != person:
            raise InputError("you have no such session", hint="list yours with /sessions", field="session")
        if any(where.kind == "group" for where in (yield from self._bound_to(session))):
            raise _groups()
        if not mine:
            yield "conversation_bind", (person, id, now, body, self.tenant, key)
        if session.ended_at is not None:
            yield "session_open", (now, None, self.tenant, id)
            session = replaced(session, ended_at=None, active_at=now)
        left = known[old]
        if left is not None and old != id and not left.messages and not (yield from self._bound_to(left)):
            yield "session_end", (now, self.tenant, old)
        return session, old

    def _bound_to(self, session: Session) -> ScriptOf[list[Conversation]]:
        rows = yield "conversations_in", (self.tenant, session.person, session.id)
        yield from self._keys.load([row[1] for row in rows])
        return [self._conversation(row, session.person) for row in rows]

    def _conversation(self, row: Any, person: str) -> Conversation:
        seal = ("conversations", self.tenant, bytes(row[0]), person)
        return unsealed(self._keys, row[1], Conversation, f"a conversation of {person}", *seal)

    def _sealed(self, session: Session) -> bytes:
        data = encoded(session, Session)
        return self._keys.seal(session.person, data, bound("sessions", self.tenant, session.id, session.person))


def _groups() -> InputError:
    return InputError("a group has sessions of its own", hint="continue one that began in private", field="session")


def _fits(session: Session, conversation: Conversation, person: str) -> bool:
    """True if a person who speaks in a conversation goes on in a session that it is bound to."""
    return session.ended_at is None and (session.person == person or conversation.kind == "group")
