"""Questions that turns wait for. A choice counts once, for the person asked, and opens the turn's message again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gitu_core.contracts.ports import Approval
from gitu_core.store.base import Base, readable, replaced
from gitu_core.store.codec import bound, decoded, encoded
from gitu_core.store.keys import Script

_PAGE = 200


class ApprovalsPart(Base):
    """Approvals, beside the inbox that they hold up."""

    async def approvals(self, person: str = "", turn: str = "") -> Sequence[Approval]:
        """The questions that wait for an answer, of a person; or all that a turn ever asked."""
        if turn:
            script = self._script_of("approvals_of_turn", self.tenant, turn, bodies=(3,))
        else:
            script = self._script_of("approvals_pending", self.tenant, person, bodies=(3,))
        return readable(await self._read(script), self._approval, self.engine.lost)

    async def answer(self, id: str, person: str, choice: str, receipt: str = "") -> Approval | None:
        """Answers a question of that person once, opens the message it holds up again, and ends the message *receipt*
        that brought the answer; all in one transaction. None if it is not theirs, not open or not among the choices."""

        def script() -> Script:
            found = yield from self._found("approval_locked", id)
            if found is None or found.person != person or found.state != "pending" or choice not in found.ask.choices:
                return None
            now = self.clock.now()
            if found.expires_at <= now:
                return None
            done = replaced(found, state="answered", choice=choice, by=person, answered_at=now)
            yield from self._settled_by(done)
            if receipt:
                yield "inbox_done", (now, "answered", self.tenant, receipt)
            return done

        found: Approval | None = await self._script(script, person, fenced=True)
        return found

    async def expire(self) -> Sequence[Approval]:
        """Ends the questions that nobody answered in time and opens the messages that they hold up."""

        def script() -> Script:
            rows = yield "approvals_due", (self.tenant, self.clock.now(), _PAGE)
            yield from self._keys.load([row[3] for row in rows])
            ended = [
                replaced(each, state="expired", answered_at=self.clock.now())
                for each in readable(rows, self._approval, self.engine.lost)
            ]
            yield from self._keys.ensure({each.person for each in ended})
            for each in ended:
                yield from self._settled_by(each)
            return ended

        if not await self._read(self._script_of("approvals_due", self.tenant, self.clock.now(), 1)):
            return ()
        found: Sequence[Approval] = await self._script(script, fenced=True)
        return found

    def _found(self, statement: str, id: str) -> Script:
        rows = yield statement, (self.tenant, id)
        if not rows:
            return None
        yield from self._keys.load([rows[0][3]])
        return self._approval(rows[0])

    def _settled_by(self, entry: Approval) -> Script:
        body = self._keys.seal(entry.person, encoded(entry, Approval), approval_bound(entry, self.tenant))
        yield "approval_set", (entry.state, entry.choice, entry.answered_at, body, self.tenant, entry.id)
        yield "inbox_reopen", (self.tenant, entry.message)

    def _approval(self, row: Any) -> Approval:
        id, person, session, body = row[:4]
        what = f"the question {id}"
        data = self._keys.opened(body, bound("approvals", self.tenant, id, person, session), what)
        found: Approval = decoded(data, Approval, what)
        return found


def approval_bound(entry: Approval, tenant: str) -> bytes:
    """What the seal of a question is bound to."""
    return bound("approvals", tenant, entry.id, entry.person, entry.session)
