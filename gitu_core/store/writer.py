"""Group commit: everything that waits to be written goes to disk in one transaction.

`commit` is the whole law of the writer, as a generator of *operations* that knows no database. A thread runs
it on SQLite (`sqlite`), a task on PostgreSQL (`postgres`). Order is kept; a job is atomic; a job that fails
takes no other with it: the group is halved until the culprit stands alone.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import msgspec

from gitu_core.errors import LeaseLost, StoreError
from gitu_core.failpoints import hit
from gitu_core.store.chain import chained
from gitu_core.store.keys import Keyring, Script

MAX_JOBS = 1000
"""The most jobs that share a transaction."""

LINGER = 0.05
"""Seconds that a record which nobody waits for stays with us, for company on its way to disk."""

CROSSED = "40001", "40P01"
"""What PostgreSQL says (its SQLSTATE) of a transaction that it ended because two waited for each other. Nothing of it
was written, and the other one goes on."""

AGAIN = 5
"""How often such a transaction is tried again."""

LOG = logging.getLogger("gitu.store")


class Row(msgspec.Struct, frozen=True, gc=False):
    """One row to write: a statement, its parameters, and the body that is sealed and added as the last of
    them."""

    statement: str
    params: tuple[Any, ...]
    person: str = ""
    body: bytes | None = None
    bound: bytes = b""


class Fence(NamedTuple):
    """Which worker writes, and the epoch of its lease. Another epoch in the store means that somebody took over."""

    tenant: str
    worker: str
    epoch: int

    def lost(self) -> LeaseLost:
        """What is raised where it does not hold."""
        return LeaseLost("another worker took over what this one did", hint="it goes on there", scope="lease")


class Operation(NamedTuple):
    """What the law asks a database to do: ``begin`` (`LeaseLost` where the fence in *params*, if any, does not hold),
    ``commit``, ``rollback`` (never fails), ``rows`` (one statement, gives its rows), ``alone`` (the same, a transaction
    by itself), ``many`` (one statement, many parameter sets) or ``each`` (the same, gives the rows that come back)."""

    kind: str
    statement: str = ""
    params: Any = ()


def operation_of(asked: Any) -> Operation:
    """What a script asks for: a pair is a statement and its parameters, whose rows it wants."""
    return asked if isinstance(asked, Operation) else Operation("rows", *asked)


class Job:
    """Work for the writer: rows, or a script that decides as it goes, or both. Atomic.

    :param people: whose keys a script seals with.
    :param statement: one statement and its parameters, instead; gives its rows.
    :param after: called with the job, on the event loop, as soon as it is committed or has failed.
    :param waits: False for a job that nobody waits for.
    :param fenced: True for what only a worker may write whose lease holds.
    :param late: for rows with a script behind them, the id under which it sets something aside.
    :param given: the job of a message; this one fails where that message was not new, or is not on disk before it.
    """

    __slots__ = (
        "after", "error", "fenced", "future", "given", "late", "people", "result", "rows", "script", "statement"
    )  # fmt: skip

    def __init__(
        self, rows: Sequence[Row] = (), script: Callable[[], Script] | None = None, people: Sequence[str] = (),
        after: Callable[[Job], None] | None = None, waits: bool = True, fenced: bool = False, given: Job | None = None,
        statement: tuple[str, tuple[Any, ...]] | None = None, late: str = "",
    ) -> None:  # fmt: skip
        self.statement, self.late = statement, late
        self.rows, self.script, self.after, self.fenced, self.given = rows, script, after, fenced, given
        self.people = frozenset(people or [row.person for row in rows if row.body is not None])
        self.result: Any = None
        self.error: Exception | None = None
        # A plain future, not an event of anyio: it is resolved for every write, and it carries the result.
        self.future: asyncio.Future[Any] | None = asyncio.get_running_loop().create_future() if waits else None

    async def through(self, submit: Callable[[Job], None]) -> Any:
        """The result, after handing itself over to *submit*."""
        submit(self)
        assert self.future is not None
        return await self.future


class Tray:
    """Jobs on their way to the writer. What comes in one moment is handed over together, so that it shares a commit
    and a wake-up; what nobody waits for goes along with what somebody does, or after `LINGER` seconds."""

    def __init__(self, hand_over: Callable[[list[Job]], None]) -> None:
        self._hand_over, self._jobs = hand_over, list[Job]()
        self._soon = self._late = False

    def put(self, job: Job) -> None:
        """Takes a job; order is kept."""
        self._jobs.append(job)
        if job.future is not None:
            if not self._soon:
                self._soon = True
                job.future.get_loop().call_soon(self.empty)
        elif not self._late:
            self._late = True
            asyncio.get_running_loop().call_later(LINGER, self._overdue)

    def empty(self) -> None:
        """Hands everything over."""
        self._soon = False
        if self._jobs:
            jobs, self._jobs = self._jobs, []
            self._hand_over(jobs)

    def _overdue(self) -> None:
        self._late = False
        self.empty()


def finish(jobs: Sequence[Job], lost: list[Exception]) -> None:
    """Tells everybody how their jobs went; what nobody waited for and was not written goes to *lost*. Runs on the
    event loop, once a commit."""
    for job in jobs:
        after, job.after = job.after, None  # it may hold what holds the job
        if after is not None:
            try:
                after(job)
            except Exception as error:  # noqa: BLE001 - it belongs to the one who waits, and to no other job
                job.error = job.error or error
        if job.future is None:
            if job.error is not None:
                lose(job.error, lost)
        elif not job.future.done():
            if job.error is None:
                job.future.set_result(job.result)
            else:
                job.future.set_exception(job.error)


def lose(error: Exception, lost: list[Exception]) -> None:
    """Notes that something was not written and nobody waits to be told."""
    LOG.error("a record that nobody waited for was not written: %s", error)
    if not isinstance(error, LeaseLost):
        lost.append(error)


def commit(jobs: Sequence[Job], keys: Keyring, fence: Fence | None = None, tries: int = AGAIN) -> Script:
    """Commits *jobs*; leaves a result or an error in each. Those that are fenced fail where *fence* does not hold. What
    a server gave up because others stood in its way is tried again, *tries* times."""
    people = frozenset().union(*(job.people for job in jobs))
    try:
        if keys.lacks(people):
            # Keys are committed on their own: they must not vanish with a group that fails.
            yield Operation("begin")
            yield from keys.ensure(people)
            hit("writer.keys")
            yield Operation("commit")
        hit("writer.begin")
        if len(jobs) == 1 and (statement := jobs[0].statement) is not None:
            jobs[0].result = yield Operation("alone", *statement)
        else:
            yield Operation("begin", "", fence if any(job.fenced for job in jobs) else None)
            for rows, segment in _segments(jobs):
                yield from _segment(rows, segment, keys)
            hit("writer.rows")
            yield Operation("commit")
        hit("writer.commit")
    except Exception as error:  # noqa: BLE001 - whatever a job raised belongs to the one who waits for it
        yield Operation("rollback")
        keys.forget(people)
        free = [job for job in jobs if not job.fenced]
        if tries and isinstance(error, StoreError) and error.details.get("kind") in CROSSED:
            yield from commit(jobs, keys, fence, tries - 1)
            return
        if isinstance(error, LeaseLost) and free:
            yield from commit(free, keys)
            jobs = [job for job in jobs if job.fenced]
        elif len(jobs) > 1 and not _hopeless(error):
            middle = len(jobs) // 2
            yield from commit(jobs[:middle], keys, fence)
            yield from commit(jobs[middle:], keys, fence)
            return
        for job in jobs:
            job.result, job.error = None, error


def _segments(jobs: Sequence[Job]) -> Iterator[tuple[bool, list[Job]]]:
    """Runs of jobs made of rows (True); a script stands alone, so that it sees what came before it. One that is `late`
    comes behind the rows of the jobs around it, its own and those of others, unless they end what it begins."""
    run, late = list[Job](), dict[str, Job]()
    for job in jobs:
        rows = bool(job.late) or (job.script is None and job.statement is None)
        ends = late and any(row.statement == "hold_drop" and row.params[-1] in late for row in job.rows)
        if (ends or not rows) and run:
            yield True, run
            yield from ((False, [each]) for each in late.values())
            run, late = [], {}
        if rows:
            run.append(job)
        else:
            yield False, [job]
        if job.late:
            late[job.late] = job
    if run:
        yield True, run
        yield from ((False, [each]) for each in late.values())


def _segment(rows: bool, jobs: Sequence[Job], keys: Keyring) -> Script:
    if rows:
        yield from _bulk(jobs, keys)
    elif (statement := jobs[0].statement) is not None:
        jobs[0].result = yield Operation("rows", *statement)
    elif (script := jobs[0].script) is not None and jobs[0].error is None:
        jobs[0].result = yield from script()


def _bulk(jobs: Sequence[Job], keys: Keyring) -> Script:
    """Writes the rows of many jobs, all rows of one statement together, statements in the order they first
    came in.

    Rows of one statement keep their order, so a row that is written twice ends as it was written last.
    Statements commute but for two pairs: a message is accepted before it is done with, a turn begins before it ends.
    """
    accepting = {job: None for job in jobs if job.rows and job.rows[0].statement == "accept"}
    if accepting:
        yield from _accept(list(accepting), keys)
    groups: dict[str, list[tuple[Any, ...]]] = {"turn_put": []}
    audited: list[Row] = []
    for job in jobs:
        new = job.given is None or (job.given.result is not None and job.given.result[1])
        job.error = None if new else StoreError("its message was not accepted as a new one", hint="send it again")
        if new and job not in accepting:
            for row in job.rows:
                if row.statement == "audit_add":
                    audited.append(row)
                else:
                    groups.setdefault(row.statement, []).append(sealed(row, keys))
    for statement, sets in groups.items():
        if sets:
            yield Operation("many", statement, sets)
    if audited:
        yield from chained(audited, keys)


def sealed(row: Row, keys: Keyring) -> tuple[Any, ...]:
    """The parameters of a row, with its body."""
    return row.params if row.body is None else (*row.params, keys.seal(row.person, row.body, row.bound))


def _accept(jobs: Sequence[Job], keys: Keyring) -> Script:
    """Inserts into the inbox what is new there; each job's result is (receipt id, whether it was new, whether the lane
    that it claims is this worker's)."""
    claims = [row.params for job in jobs for row in job.rows[1:]]
    claimed = {row[0] for row in (yield Operation("each", "lane_claim", claims))} if claims else set()
    sets = [sealed(job.rows[0], keys) for job in jobs]
    rows = yield Operation("each", "accept", sets)
    fresh = {(row[0], bytes(row[1])) for row in rows}
    for job, (tenant, id, channel, key, *_) in zip(jobs, sets, strict=True):
        if (channel, key) in fresh:
            fresh.discard((channel, key))
            job.result = id, True, _has(job, claimed)
            continue
        known = yield Operation("rows", "accepted", (tenant, channel, key))
        if not known:
            raise StoreError(f"the id {id} belongs to another message", hint="give every message an id of its own")
        job.result = known[0][0], False, _has(job, claimed)


def _has(job: Job, claimed: set[str]) -> bool:
    return len(job.rows) == 1 or job.rows[1].params[0] in claimed


def _hopeless(error: Exception) -> bool:
    """True if the whole database is out of reach: halving the group would only wait again."""
    return isinstance(error, StoreError) and error.details.get("scope") in ("database", "lease")


def run(law: Script, execute: Callable[[Operation], Any]) -> Any:
    """Runs a law on a blocking database."""
    value: Any = None
    error: Exception | None = None
    while True:
        try:
            asked = law.send(value) if error is None else law.throw(error)
        except StopIteration as stop:
            return stop.value
        try:
            value, error = execute(operation_of(asked)), None
        except Exception as raised:  # noqa: BLE001 - the law decides what an error means
            value, error = None, raised
