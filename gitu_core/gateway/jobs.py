"""A message on its way through its lane, and those who wait for what becomes of it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import anyio

from gitu_core.contracts.ports import Approval, InboxEntry, Record
from gitu_core.errors import NotReady
from gitu_core.model import Conversation, Message, Receipt, Reply, TurnEvent, TurnFinished, TurnInfo
from gitu_core.secrecy import error_info

APP = "app"
"""The channel of the embedding application. It has no adapter: an answer is handed to whoever waits for it."""

Watch = Callable[[TurnEvent], None]
"""Told what happens while a turn runs, and last of all its `TurnFinished`."""


class Once:
    """Something that happens once, and those who wait for it. An event of anyio takes ten times as long to make."""

    __slots__ = ("_happened", "_waiting")

    def __init__(self) -> None:
        self._happened = False
        self._waiting: tuple[asyncio.Future[None], ...] = ()

    def is_set(self) -> bool:
        """True once it happened."""
        return self._happened

    def set(self) -> None:
        """It happens."""
        self._happened = True
        for future in self._waiting:
            if not future.done():
                future.set_result(None)

    async def wait(self) -> None:
        """Waits until it happened."""
        if not self._happened:
            future = asyncio.get_running_loop().create_future()
            self._waiting += (future,)
            await future


@dataclass
class Options:
    """What an embedder asks for with a message and no channel can: structured output, dependencies, a profile.

    With `waits`, somebody waits for the reply: when the last who did has left, nobody wants it any more.
    """

    schema: dict[str, Any] | None = None
    check: Callable[[Any], Any] | None = None
    deps: Any = None
    profile: str = ""
    watch: Watch | None = None
    waits: bool = False


@dataclass
class Job:
    """One accepted message, to be answered by *profile*. `done` is set when `reply` or `failure` is there.

    `at` is when it came in. `again` tells that an earlier run may have begun with it, `queued` that it is in a lane,
    `remote` that another worker works on it, `withdrawn` that its author took it back before anybody began with it.
    `kept` is what its turn recorded, `asks` what it asked, also where the store did not take it, or did not say so.
    With a `piece`, it was begun ahead of its message's way to the disk.
    """

    id: str
    entry: InboxEntry
    profile: str
    options: Options = field(default_factory=Options)
    done: Once = field(default_factory=Once)
    reply: Reply | None = None
    failure: Exception | None = None
    scope: anyio.CancelScope | None = None
    stopped: bool = False
    turn: TurnInfo | None = None
    at: float = 0.0
    again: bool = False
    queued: bool = False
    remote: bool = False
    withdrawn: bool = False
    waiting: int = 0
    kept: list[Record] = field(default_factory=list)
    asks: Sequence[Approval] = ()
    piece: Piece | None = None
    watches: list[Watch] = field(default_factory=list)

    def is_message(self, channel: str, key: str) -> bool:
        """True if it is the message that *channel* knows under *key*."""
        message = self.entry.message
        return message.key == key and message.conversation.channel == channel

    def join(self, options: Options) -> None:
        """One more wants to know what becomes of it."""
        self.waiting += options.waits
        if options.watch is not None:
            self.watches.append(options.watch)

    def leave(self) -> None:
        """One who waited does so no more. The last one who leaves stops the turn."""
        self.waiting -= 1
        if self.waiting <= 0 and not self.done.is_set():
            self.stop()

    async def is_void(self) -> bool:
        """Waits until its message is on disk. True if it is not, or belongs to another job: then nothing of this one
        counts."""
        if self.piece is None:
            return False
        await self.piece.settled.wait()
        if self.piece.job is self:
            self.piece = None  # each holds the other
        return self.piece is not None

    def stop(self) -> None:
        """Stops the turn, or keeps it from starting."""
        self.stopped = True
        if self.scope is not None:
            self.scope.cancel()

    def tell(self, event: TurnEvent) -> None:
        """Tells everybody who watches."""
        for watch in self.watches:
            watch(event)

    def finish(self) -> None:
        """Nothing more will happen; tells everybody. `reply` or `failure` is set before; neither = said nothing."""
        if self.done.is_set():
            return
        self.done.set()
        reply = failed(self, self.failure) if self.failure is not None else self.reply
        self.tell(TurnFinished(reply or Reply("", self.entry.session, "silent")))


class Piece:
    """What somebody waits for, until it is done: from the start on it is on its way, also when they leave.

    Who leaves before it is done says so with `leave`; then *left* gets the job instead. A job may be begun ahead of its
    message's way to the disk (`given` stands for that, see `Landing`): it counts if it is `job` once that is `settled`.
    """

    landed: Callable[[Receipt | None], None]

    def __init__(self, left: Callable[[Job], None] | None) -> None:
        self._left = left
        self.given: Any = None
        self.settled = Once()
        self.job: Job | None = None
        self.fresh = True
        self.error: BaseException | None = None
        self.done = Once()
        self.gone = False

    def end(self) -> None:
        """It is done, with `job` or `error`."""
        self.done.set()
        if self.gone and self._left is not None and self.job is not None and self.error is None:
            self._left(self.job)

    def leave(self) -> None:
        """Nobody waits for it any more."""
        self.gone = True
        if self.done.is_set():
            self.end()


def failed(job: Job, error: BaseException) -> Reply:
    """The reply of a job that *error* kept from having one. Of an error that is not ours only its class is told."""
    turn, label = job.turn.id if job.turn else "", job.entry.message.label
    return Reply(turn, job.entry.session, "failed", error=error_info(error), label=label)


def place_of(where: Conversation) -> tuple[str, str, str]:
    """By what a conversation is known: its channel, its id and its thread."""
    return where.channel, where.id, where.thread


def dropped(message: Message) -> Job:
    """The job of a message that is not kept: there is nothing to be done, and nothing to wait for."""
    job = Job("", InboxEntry(message, "", ""), "")
    job.finish()
    return job


def closed() -> NotReady:
    """What whoever waits is told when everything closes."""
    return NotReady("Gitu was closed before this message was answered",
                    hint="send it again, under the same key, when Gitu is open")  # fmt: skip
