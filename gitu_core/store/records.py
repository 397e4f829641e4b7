"""The port `Records`: what gateway and runtime write and read."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from gitu_core.contracts.budgets import Hold, Settled, Standing
from gitu_core.contracts.ports import Accepted, HistoryEntry, InboxEntry, Landing, OutboxEntry, Record, StepEntry
from gitu_core.model import Message, Receipt, Usage
from gitu_core.model.message import same_author
from gitu_core.store.base import readable, replaced
from gitu_core.store.budgets import BudgetsPart
from gitu_core.store.cache import Tail
from gitu_core.store.keys import Script, ScriptOf
from gitu_core.store.rows import history_entry, inbox_entry, inbox_row, outbox_entry, rows_of, step_entry
from gitu_core.store.writer import Job, Row, sealed

KEEP = 1000
"""Messages of a session that stay in memory, at least; a longer window is read again each time."""

_CHUNK, _PAGE = 256, 1000
_NEVER = -1


class RecordsPart(BudgetsPart):
    """Inbox, history, journal, outbox and usage."""

    async def accept(self, entry: InboxEntry, lane: str = "", landing: Landing | None = None) -> Receipt:
        """Commits a message to disk. The same channel and key again gives the first receipt with `fresh` False. With
        *lane*, claims that lane in the same transaction; `mine` tells whether it is this worker's. *landing* is told
        when it is on disk or could not be written, also where the caller was cancelled meanwhile."""
        if not entry.message.id:
            entry = replaced(entry, message=replaced(entry.message, id=self.clock.new_id()))
        rows = [inbox_row(entry, entry.message.id, self.tenant, self.clock.now(), self._keys)]
        if lane and self.engine.fence is not None:
            rows.append(Row("lane_claim", (lane, *self.engine.fence)))

        def after(job: Job) -> None:
            if landing is not None:
                landing.landed(None if job.error else Receipt(*job.result))

        job = Job(rows, after=after, fenced=True)

        def submit(job: Job) -> None:
            self.engine.submit(job)
            if landing is not None:
                landing.given = job

        return Receipt(*await job.through(submit))

    async def write(self, *records: Record, given: Any = None) -> None:
        """Writes all records in one transaction; returns when they are committed. A cancelled call may still
        have been written. Fails where the message that *given* stands for was not accepted as a new one."""
        rows, after = self._prepared(records)
        await self._rows(rows, after=after, given=given)

    async def set_aside(self, hold: Hold, *records: Record, given: Any = None) -> Sequence[Standing]:
        """Writes all records like `write` and sets *hold* aside behind them, on the same way to the disk, whoever else
        does so at that moment. Gives how full each envelope was before, up to the one that cannot bear it, if there is
        one: then nothing is set aside, and the call stands in the ledger as one that used nothing."""
        rows, after = self._prepared(records)
        if self.engine.dialect == "postgresql":
            # Ahead of the audit's end, which others lock behind this row as well: nobody waits for us crosswise.
            rows = [Row("budget_gate", (self.tenant,)), *rows]
        script, late = partial(self._held, hold), hold.bill.id
        job = Job(rows, script, after=after, given=given, fenced=True, late=late)
        standings: Sequence[Standing] = await self._wait(job)
        return standings

    def post(self, *records: Record) -> None:
        """Writes all records in one transaction, later, after everything handed over before; does not wait.
        What could not be written is logged and reported by `check`."""
        self._later(*self._prepared(records))

    async def accepted(self, id: str) -> Accepted | None:
        """The message with this receipt id, and what became of it. `Damaged` if it cannot be read."""
        rows = await self._read(self._script_of("inbox_one", self.tenant, id, bodies=(4,)))
        if not rows:
            return None
        *row, done_at, outcome = rows[0]
        return Accepted(inbox_entry(row, self.tenant, self._keys)[1], None if done_at is None else outcome)

    async def abandon(self, channel: str, before: float) -> int:
        """Ends, as ``abandoned``, what came in on *channel* before *before* and nobody dealt with; gives how many."""
        params = self.clock.now(), "abandoned", self.tenant, channel, float(before)
        return len(await self._script(self._script_of("inbox_abandon", *params)))

    async def unsent(
        self, limit: int = 1000, state: str = "queued", after: str = "", channel: str = ""
    ) -> Sequence[OutboxEntry]:
        """Outbox entries that are queued, channel by channel and oldest first, of one *channel* where given, from the
        one *after* that id on; with *state* ``sending`` those that were on their way. One that cannot be read is left
        out, logged and reported by `check`."""

        def script() -> Script:
            found = (yield "outbox_one", (self.tenant, after)) if after else ()
            behind = found[0][0] if found else 0
            if channel:
                rows = yield "outbox_of", (self.tenant, channel, state, behind, limit)
            else:
                rows = yield "outbox", (self.tenant, state, found[0][5] if found else "", behind, limit)
            yield from self._keys.load([row[4] for row in rows])
            return rows

        rows = await self._read(script)
        return readable(rows, lambda row: outbox_entry(row, self.tenant, self._keys), self.engine.lost)

    async def waiting(self, channels: Sequence[str] = ()) -> Sequence[tuple[str, str]]:
        """The sessions with messages that nobody has dealt with, each with its channel, of *channels* where given."""

        def script() -> Script:
            found: list[tuple[str, str]] = []
            while True:
                rows = yield "pending_lanes", (self.tenant, found[-1][0] if found else "", _PAGE)
                found += [(session, channel) for session, channel in rows]
                if len(rows) < _PAGE:
                    return found

        return [each for each in await self._read(script) if not channels or each[1] in channels]

    async def pending_in(self, session: str) -> Sequence[tuple[str, InboxEntry]]:
        """The messages of a session that nobody has dealt with, oldest first, each with its receipt id. One that cannot
        be read is left out, logged and reported by `check`."""

        def script() -> Script:
            found: list[Any] = []
            while True:
                page = yield "pending_in", (self.tenant, session, found[-1][0] if found else 0, _PAGE)
                yield from self._keys.load([row[4] for row in page])
                found += page
                if len(page) < _PAGE:
                    return found

        rows = await self._read(script)
        return readable(rows, lambda row: inbox_entry(row, self.tenant, self._keys), self.engine.lost)

    async def edit(self, change: Message) -> Message | None:
        """Gives the message with the key that *change* names as `target` its parts, or withdraws it (``delete``), and
        gives it as it is then; None where somebody has begun with it, or another one wrote it."""
        channel = change.conversation.channel
        digest = self._keys.digest("inbox", channel, change.target)

        def script() -> ScriptOf[Message | None]:
            found = yield "accepted", (self.tenant, channel, digest)
            row = (yield "inbox_one", (self.tenant, found[0][0])) if found else ()
            if not row or row[0][6] is not None or (yield "steps", (self.tenant, f"{found[0][0]}-1")):
                return None
            yield from self._keys.load([row[0][4]])
            id, entry = inbox_entry(row[0][:6], self.tenant, self._keys)
            if not same_author(entry.message, change):
                return None
            if change.action == "delete":
                yield "inbox_done", (self.clock.now(), "withdrawn", self.tenant, id)
                return entry.message
            changed = replaced(entry.message, parts=change.parts, label=entry.message.label.join(change.label))
            yield from self._keys.ensure((entry.person,))
            row = inbox_row(replaced(entry, message=changed), id, self.tenant, 0.0, self._keys)
            yield "inbox_edit", (sealed(row, self._keys)[-1], self.tenant, id)
            return changed

        return await self._script(script, fenced=True)

    async def undelivered(self, person: str = "") -> Sequence[OutboxEntry]:
        """What could not be delivered (``dead``) or nobody knows about (``unknown``), oldest first, of one person where
        given."""
        statement, params = ("outbox_lost", (person,)) if person else ("outbox_all_lost", ())
        rows = await self._read(self._script_of(statement, self.tenant, *params, bodies=(4,)))
        return readable(rows, lambda row: outbox_entry(row, self.tenant, self._keys), self.engine.lost)

    async def enlist(self, entry: OutboxEntry) -> bool:
        """Commits an outbox entry; False, and nothing else, if there is one with this id already."""
        row = rows_of((entry,), self.tenant, self.clock.now())[0]

        def script() -> Script:
            return (yield "outbox_add", sealed(row, self._keys))

        return bool(await self._script(script, entry.person, fenced=True))

    async def outgoing(self, id: str) -> OutboxEntry | None:
        """The outbox entry with this id, whatever became of it."""
        rows = await self._read(self._script_of("outbox_one", self.tenant, id, bodies=(4,)))
        return outbox_entry(rows[0], self.tenant, self._keys) if rows else None

    async def said_since(self, id: str, session: str) -> bool:
        """True if something was to be said in a session after the outbox entry *id*, or there is no such entry."""

        def script() -> Script:
            found = yield "outbox_one", (self.tenant, id)
            return not found or bool((yield "outbox_after", (self.tenant, session, found[0][0])))

        return bool(await self._read(script))

    async def steps(self, turn: str) -> Sequence[StepEntry]:
        """The steps of a turn, in order. `Damaged` if one cannot be read."""
        rows = await self._read(self._script_of("steps", self.tenant, turn, bodies=(4,)))
        return [step_entry(row, turn, self.tenant, self._keys) for row in rows]

    async def steps_under(self, prefix: str) -> Sequence[StepEntry]:
        """The steps of every turn whose id begins with *prefix*, by turn and in order. `Damaged` if one cannot be
        read."""
        high = prefix[:-1] + chr(ord(prefix[-1]) + 1)
        rows = await self._read(self._script_of("steps_under", self.tenant, prefix, high, bodies=(5,)))
        return [step_entry(row, turn, self.tenant, self._keys) for turn, *row in rows]

    async def usage(self, person: str = "", since: float = 0.0) -> Usage:
        """What was used, by one person where given, since a time."""
        statement, who = ("usage_of", (person,)) if person else ("usage", ())
        rows = await self._read(self._script_of(statement, self.tenant, *who, float(since)))
        inputs, outputs, cached, cost = rows[0]
        return Usage(input_tokens=inputs, output_tokens=outputs, cached_tokens=cached, cost=cost)

    async def history(self, session: str, max_tokens: int, max_messages: int = 500) -> Sequence[HistoryEntry]:
        """The newest messages of a session that fit, oldest first. The same objects come back turn after
        turn, so that a provider may keep what it encoded. `Damaged` if one cannot be read."""
        if session in self._waiting:
            await self._wait(Job())
        tail = self._tails.get(session)
        if tail is not None and await self._holds(session, tail):
            found = tail.fitting(max_tokens, max_messages)
            if found is not None:
                return found
        loaded = await self._load(session, max_tokens, max_messages)
        # What was loaded reaches as far as the question does, so there always is an answer.
        return loaded.fitting(max_tokens, max_messages) or []

    # ---- inside --------------------------------------------------------------------------------------------

    def _prepared(self, records: Sequence[Record]) -> tuple[list[Row], Callable[[Job], None] | None]:
        plain = [each for each in records if not isinstance(each, Settled)]
        rows = rows_of(plain, self.tenant, self.clock.now())
        news: dict[str, list[tuple[HistoryEntry, int]]] = {}
        for record, row in zip(plain, rows, strict=True):
            if isinstance(record, HistoryEntry):
                news.setdefault(record.session, []).append((record, len(row.body or b"")))
        if len(plain) < len(records):
            # Ahead of usage by a turn that goes on, which knows less about it than what was set aside.
            rows = [*self._settling(records, self._me()), *rows]
        if not news:
            return rows, None
        for session, entries in news.items():
            latest = max(float(entry.at) for entry, _ in entries)
            rows.append(Row("session_bump", (latest, len(entries), self.tenant, session)))
            self._waiting[session] = self._waiting.get(session, 0) + 1

        def settled(job: Job) -> None:
            for session, entries in news.items():
                self._settled(session, entries if job.error is None else [])

        return rows, settled

    def _settled(self, session: str, news: list[tuple[HistoryEntry, int]]) -> None:
        """Takes over what was committed, and forgets what can no longer be vouched for."""
        left = self._waiting[session] - 1
        if left:
            self._waiting[session] = left
        else:
            del self._waiting[session]
        if not news:
            return
        for flag in self._loading.get(session, ()):
            flag[0] = True
        entries = [entry for entry, _ in news]
        if (tail := self._tails.get(session)) is not None:
            size = sum(bytes for _, bytes in news)
            self._tails.put(session, tail.extended(entries, size, KEEP))
        if (known := self._sessions.get(session)) is not None:
            latest = max(known.active_at, *(float(entry.at) for entry in entries))
            self._sessions.put(session, replaced(known, messages=known.messages + len(entries), active_at=latest))

    async def _holds(self, session: str, tail: Tail) -> bool:
        """True if nobody else wrote to the session since the tail was read."""
        engine = self.engine
        if engine.dialect == "sqlite" and tail.generation == engine.foreign:
            return True
        foreign = engine.foreign
        before = self._tails.get(session)
        rows = await engine.read(self._script_of("session_count", self.tenant, session))
        if self._tails.get(session) is not before or session in self._waiting:
            # We wrote ourselves while we asked: count again with the next question, and read now.
            return False
        if not rows or rows[0][0] != tail.count:
            self._tails.drop(session)
            return False
        tail.generation = foreign
        return True

    async def _load(self, session: str, max_tokens: int, max_messages: int) -> Tail:
        engine = self.engine
        # Raised by whatever is committed to the session meanwhile: then what was read may lack it.
        dirty = [False]
        self._loading.setdefault(session, []).append(dirty)
        generation = engine.foreign if engine.dialect == "sqlite" else _NEVER
        try:
            tail: Tail = await engine.read(lambda: self._newest(session, max_tokens, max_messages, generation))
        finally:
            flags = self._loading[session]
            flags[:] = [flag for flag in flags if flag is not dirty]
            if not flags:
                del self._loading[session]
        # One that is empty is not kept: who speaks once only must not take memory until others push them out.
        if tail.entries and not dirty[0] and session not in self._waiting:
            self._tails.put(session, tail)
        return tail

    def _newest(self, session: str, max_tokens: int, max_messages: int, generation: int) -> Script:
        counted = yield "session_count", (self.tenant, session)
        entries: list[HistoryEntry] = []
        tokens, size, below = 0, 0, 1 << 62
        complete = False
        while not complete and tokens <= max_tokens and len(entries) < max_messages:
            wanted = min(_CHUNK, max_messages - len(entries))
            rows = yield "history", (self.tenant, session, below, wanted)
            yield from self._keys.load([row[5] for row in rows])
            for row in rows:
                entry = history_entry(row, session, self.tenant, self._keys)
                entries.append(entry)
                size += len(row[5])
                tokens += entry.tokens
                if tokens > max_tokens:
                    break
            else:
                complete = len(rows) < wanted
            below = rows[-1][0] if rows else below
        entries.reverse()
        return Tail(entries, size, counted[0][0] if counted else None, generation, complete)
