"""A running turn: its state, and the log that every step goes through before it counts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from hashlib import blake2b
from typing import Any

import msgspec

from gitu_core.contracts.audit import AuditEntry
from gitu_core.contracts.budgets import Bill, Hold, Standing, Used
from gitu_core.contracts.ports import Approval, Clock, Record, Records, StepEntry, UsageEntry
from gitu_core.model import Candidate, ErrorInfo, ModelMessage, ToolCall, Usage
from gitu_core.model.steps import CallFinished, Step
from gitu_core.runtime.fold import TurnState
from gitu_core.runtime.work import Work


class Turn:
    """One running turn. `history` is what the session said before; `state` is the fold over the steps so far.

    `approvals` are the questions that it asked, by their ids; `asks` those that it asks now; `stuck` tells why it can
    not go on although it was answered; `evidence` is what decisions rest on (see `Judge`); `shown` is True while
    partial words of an answer are on somebody's screen; `all` are the states of the turn that a person began, and of
    all turns inside of it.
    """

    def __init__(
        self, work: Work, state: TurnState, history: list[ModelMessage], clock: Clock, records: Records,
        approvals: Iterable[Approval] = (),
    ) -> None:  # fmt: skip
        self.work = work
        self.state = state
        self.history = history
        self.started_at = clock.now()
        self._clock = clock
        self._records = records
        self._session = work.info.session
        self.approvals = {each.id: each for each in approvals}
        self.asks: list[Approval] = []
        self._noted: list[Record] = []
        self.stuck: ErrorInfo | None = None
        self.evidence: Any = None
        self.shown = False
        self.all: list[TurnState] = work.outer.all if work.outer is not None else []
        self.all.append(state)

    def now(self) -> float:
        """Seconds since 1970, UTC."""
        return self._clock.now()

    def mint(self) -> str:
        """An identifier for what the next step brings: it follows from the turn, so that a replay gives the same."""
        return f"{self.work.info.id}_{self.state.steps}"

    def entry(self, step: Step) -> StepEntry:
        """The step as a record; from here on it counts."""
        number = self.state.steps
        self.state.apply(step)
        info = self.work.info
        return StepEntry(info.id, number, step, info.session, self.work.person, self._clock.now())

    def note(self, step: Step, *more: Record) -> None:
        """Records a step, together with the next one that is waited for: nothing may follow from it before."""
        self._noted += (*more, self.entry(step))

    def flush(self) -> None:
        """What was noted goes to disk, without anybody waiting for it."""
        if self._noted:
            self._records.post(*self.noted())

    async def save(self) -> None:
        """Waits until what was noted is on disk, before something that may take its time: what was paid for must not
        get lost meanwhile."""
        if self._noted:
            await self._records.write(*self.noted(), given=self.work.given)

    def noted(self) -> list[Record]:
        """What was noted and is not on its way to disk; from here on the caller answers for it."""
        noted, self._noted = self._noted, []
        self.work.kept += noted
        return noted

    async def commit(self, step: Step, *more: Record, hold: Hold | None = None) -> Sequence[Standing]:
        """Records a step, with all that was noted before it, and waits until it is on disk; sets *hold* aside on the
        way there. Where it does not get there, nothing is to follow from it: it is not kept."""
        entry = self.entry(step)
        if hold is not None:
            return await self._records.set_aside(hold, *self.noted(), *more, entry, given=self.work.given)
        await self._records.write(*self.noted(), *more, entry, given=self.work.given)
        return ()

    def audited(self, kind: str, call: ToolCall, outcome: str, **facts: Any) -> AuditEntry:
        """What the audit keeps of the next step, which is about *call*."""
        info = self.work.info
        facts = {"call": call.id, "principal": info.principal, "arguments": digest_of(call)} | facts
        id, now = f"{self.mint()}.{kind}", self._clock.now()
        return AuditEntry(kind, call.tool, outcome, self.work.person, info.session, info.id, facts, now, id)

    def finished(self, call: ToolCall, step: CallFinished) -> None:
        """Records that a call ended; the audit keeps how, where it acted."""
        if call.id not in self.state.started:
            self.note(step)
        else:
            cost = self.state.usage.cost + step.usage.cost
            facts = {"key": self.state.started[call.id], "seconds": step.seconds, "cost": cost}
            self.note(step, self.audited("effect", call, step.result.status, **facts))

    def bill(self, candidate: Candidate, worst: Usage, priced: bool) -> Bill:
        """What asking a model in the next step may cost. Its id is that of the usage recorded in the step after that,
        in which the answer comes, also where that is found to be lost."""
        work, info = self.work, self.work.info
        used = Used(work.person, info.session, info.plugin, info.job, candidate.model, candidate.owner)
        id = f"{info.id}_{self.state.steps + 1}"
        return Bill(id, used, worst, self._clock.now(), info.id, priced, work.conversation)

    def used(self, model: str, owner: str, usage: Usage, at: float | None = None) -> UsageEntry:
        """What a model call of the next step used, *at* the time it was made, as a record. Recorded twice, it counts
        once."""
        info, at = self.work.info, self._clock.now() if at is None else at
        return UsageEntry(
            self.mint(), self.work.person, info.session, info.id, model, owner, usage, at, info.plugin, info.job
        )


def digest_of(call: ToolCall) -> str:
    """What a choice is bound to: the tool and its exact arguments."""
    exact = msgspec.json.encode([call.tool, call.arguments], order="deterministic")
    return blake2b(exact, digest_size=16).hexdigest()
