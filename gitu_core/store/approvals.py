"""Questions that turns wait for. A choice counts once, for the person asked, and opens the turn's message again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gitu_core.contracts.authority import Grant
from gitu_core.contracts.ports import Approval
from gitu_core.model import SYSTEM
from gitu_core.store.base import readable, replaced
from gitu_core.store.grants import GrantsPart
from gitu_core.store.keys import Script, ScriptOf
from gitu_core.store.rows import approval, rows_of
from gitu_core.store.writer import sealed

_PAGE = 200


class ApprovalsPart(GrantsPart):
    """Approvals, beside the inbox that they hold up."""

    async def approvals(self, person: str = "", turn: str = "", session: str = "") -> Sequence[Approval]:
        """The questions that wait for an answer, of a person, in a session or all; or all that a turn ever asked."""
        statement = "approvals_of_turn" if turn else "approvals_in" if session else "approvals_pending"
        named = turn or session or person
        asked = (statement, self.tenant, named) if named else ("approvals_open", self.tenant)
        rows = await self._read(self._script_of(*asked, bodies=(7,)))
        return readable(rows, self._opened, self.engine.lost)

    async def answer(
        self, id: str, person: str, choice: str, receipt: str = "", grant: Grant | None = None
    ) -> Approval | None:
        """Answers a question of that person once, opens the message it holds up again, ends the message *receipt* that
        brought the answer, and keeps the *grant* that goes with it; all in one transaction. None if it is not theirs,
        not open or not among the choices. Without a *person* it is the system that decides, in words of its own."""

        def script() -> ScriptOf[Approval | None]:
            row = yield from self._first(7, "approval_locked", self.tenant, id)
            found = self._opened(row) if row else None
            if found is None or found.state != "pending" or not _may(found, person, choice, self.clock.now()):
                return None
            now = self.clock.now()
            yield from self._keys.ensure((found.person,))
            done = replaced(found, state="answered", choice=choice, by=person or SYSTEM, answered_at=now)
            yield from self._settled_by(done)
            if grant is not None:
                yield from self._granted(grant, person)
            if receipt:
                yield "inbox_done", (now, "answered", self.tenant, receipt)
            return done

        return await self._script(script, fenced=True)

    async def expire(self) -> Sequence[Approval]:
        """Ends the questions that nobody answered in time and opens the messages that they hold up."""

        def script() -> ScriptOf[Sequence[Approval]]:
            rows = yield "approvals_due", (self.tenant, self.clock.now(), _PAGE)
            yield from self._keys.load([row[7] for row in rows])
            due = readable(rows, self._opened, self.engine.lost)
            ended = [replaced(each, state="expired", answered_at=self.clock.now()) for each in due]
            yield from self._keys.ensure({each.person for each in ended})
            for each in ended:
                yield from self._settled_by(each)
            return ended

        if not await self._read(self._script_of("approvals_due", self.tenant, self.clock.now(), 1)):
            return ()
        return await self._script(script, fenced=True)

    def _settled_by(self, entry: Approval) -> Script:
        row = rows_of((entry,), self.tenant, self.clock.now())[0]
        yield row.statement, sealed(row, self._keys)
        yield "inbox_reopen", (self.tenant, entry.message)

    def _opened(self, row: Any) -> Approval:
        return approval(row, self.tenant, self._keys)


def _may(entry: Approval, person: str, choice: str, now: float) -> bool:
    offered = choice in entry.ask.choices or ("until" in entry.ask.choices and choice.startswith("until "))
    return not person or (entry.person == person and offered and now < entry.expires_at)
