"""What the rooms of the house receive from each other. `app.py` wires them; plugins see what `admin` offers of them.

A room names here what it needs, so that no room imports its neighbour.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

import msgspec

from gitu_core.contracts.audit import Audit, AuditEntry
from gitu_core.contracts.authority import Grant, Grants
from gitu_core.contracts.base import Contribution
from gitu_core.contracts.budgets import Hold, Ledger, Settled, Standing
from gitu_core.contracts.people import Linked as Linked
from gitu_core.contracts.people import Linking as Linking
from gitu_core.contracts.people import People as People
from gitu_core.contracts.people import Person as Person
from gitu_core.contracts.people import Speaker as Speaker
from gitu_core.contracts.timers import TimerStore
from gitu_core.model.base import Value
from gitu_core.model.chat import Candidate, ModelEvent, ModelMessage, ModelRequest, RouteTask, Usage
from gitu_core.model.label import Label
from gitu_core.model.message import Ask, BlobRef, Conversation, Message, Outgoing, Receipt
from gitu_core.model.steps import Step
from gitu_core.model.turn import Reply, TurnInfo

if TYPE_CHECKING:  # the host's contract is made of what stands here
    from gitu_core.contracts.host import Entry


class Clock(Protocol):
    """Time, waiting and identifiers, so that a test or a replay can own them."""

    def now(self) -> float:
        """Seconds since 1970, UTC."""

    def monotonic(self) -> float:
        """Seconds since some start; never goes back."""

    def new_id(self) -> str:
        """A new identifier that sorts by time."""

    async def sleep(self, seconds: float) -> None:
        """Waits."""


# ---- records: what is written, each an own row, any number in one transaction ------------------


class Session(Value, frozen=True):
    """The assistant's state for one line of talk. Times are seconds since 1970, UTC; `ended_at` None = open."""

    id: str
    person: str
    profile: str = "default"
    title: str = ""
    settings: dict[str, Any] = msgspec.field(default_factory=dict)
    created_at: float = 0.0
    active_at: float = 0.0
    ended_at: float | None = None
    messages: int = 0


class InboxEntry(Value, frozen=True):
    """An accepted message, with who sent it and the session it belongs to. `worker` is the one on which somebody waits
    for what becomes of it, where it has to be worked on there."""

    message: Message
    person: str
    session: str
    worker: str = ""


class HistoryEntry(Value, frozen=True):
    """One message of a session's history; `tokens` is what it takes in a context, roughly."""

    session: str
    person: str
    message: ModelMessage
    tokens: int
    at: float
    turn: str = ""


class StepEntry(Value, frozen=True):
    """One step of a turn; `n` counts from 0 without a gap."""

    turn: str
    n: int
    step: Step
    session: str
    person: str
    at: float


class TurnEntry(Value, frozen=True):
    """A turn's row; written again, it updates status and end. `begun`: it was written before, or is with this one."""

    info: TurnInfo
    person: str
    status: str
    started_at: float
    ended_at: float | None = None
    begun: bool = False


class OutboxEntry(Value, frozen=True):
    """Something to be said and what became of it so far; written again, it updates the delivery.

    It goes out in `pieces` (0 = not known yet), of which the first `done` were delivered, under the channel's `ids`.
    `told`: a person was told that nobody knows whether it arrived; `unsure`: one of the tries may have arrived. Times
    are in seconds since 1970, UTC.
    """

    outgoing: Outgoing
    person: str
    session: str
    state: Literal["queued", "sending", "sent", "unknown", "dead", "dropped"] = "queued"
    tries: int = 0
    next_at: float = 0.0
    ids: tuple[str, ...] = ()
    detail: str = ""
    done: int = 0
    at: float = 0.0
    told: bool = False
    unsure: bool = False


class Approval(Value, frozen=True):
    """A question that a turn waits for: may `call` be run (``approve``), or, where nobody knows what became of it, be
    run again (``retry``)? Or one that a plugin asks of its own accord: anything (``ask``), or for a `grant`
    (``permit``); no message waits for those. `digest` is that of the exact arguments the choice is about; `turn` and
    `message` name the turn and the receipt of the message it answers; `grant` is what a standing yes would allow.
    `shown` is all that is asked in a conversation where others may not read `ask`. Times are in seconds since 1970,
    UTC."""

    id: str
    person: str
    session: str
    turn: str
    message: str
    call: str
    digest: str
    ask: Ask
    expires_at: float
    created_at: float = 0.0
    kind: Literal["approve", "retry", "ask", "permit"] = "approve"
    conversation: Conversation | None = None
    grant: Grant | None = None
    state: Literal["pending", "answered", "expired"] = "pending"
    choice: str = ""
    by: str = ""
    answered_at: float | None = None
    shown: str = ""


class InboxDone(Value, frozen=True):
    """The message with this id has been dealt with."""

    id: str
    outcome: str = "done"


class Accepted(Value, frozen=True):
    """A message of the inbox. `outcome` is None while nobody has dealt with it."""

    entry: InboxEntry
    outcome: str | None = None


class UsageEntry(Value, frozen=True):
    """What one model call used, on whose key and for whom. `cost` inside `usage` is in nano-dollars."""

    id: str
    person: str
    session: str
    turn: str
    model: str
    owner: str
    usage: Usage
    at: float
    plugin: str = ""
    job: str = ""


Record = HistoryEntry | StepEntry | TurnEntry | OutboxEntry | InboxDone | UsageEntry | Approval | AuditEntry | Settled


@dataclass
class Outcome:
    """How a turn ended, or that it waits: its reply is then ``waiting`` and `asks` are the questions. `records` must be
    committed with whatever follows from it."""

    reply: Reply
    records: tuple[Record, ...] = ()
    asks: tuple[Approval, ...] = ()


class Worker(Value, frozen=True):
    """A process that works on this database. `beat` counts up while it lives; `gone` is True where it is known to have
    ended. `about` says in words where it runs."""

    id: str
    epoch: int
    beat: int
    about: str = ""
    gone: bool = False


class Workers(Protocol):
    """Who works on this database, and on which lanes. A worker that was taken over writes nothing any more: every
    write of its epoch fails with `LeaseLost`."""

    async def join(self, about: str) -> str:
        """Becomes a worker, with a new epoch; gives its id."""

    async def leave(self) -> None:
        """Ends being a worker and lets go of its lanes and timers."""

    async def beat(self) -> None:
        """Shows that this worker lives. `LeaseLost` if another one took over."""

    async def others(self) -> Sequence[Worker]:
        """The other workers. `LeaseLost` if one of them took over from this one."""

    async def take_over(self, worker: Worker) -> bool:
        """Ends another worker's lease, unless it showed a sign of life since; its lanes are free then."""

    async def claim(self, lane: str) -> bool:
        """Makes this worker the only one that works on a lane; False if another one does, or took over from it."""

    async def owner(self, lane: str) -> Worker | None:
        """Who works on a lane."""

    async def free(self, *lanes: str) -> None:
        """Lets go of lanes."""


class Landing(Protocol):
    """Who is told when a message is on disk. `given`, set as soon as it is on its way there, stands for it: what is
    written with that comes to the disk after the message or with it, or not at all."""

    given: Any

    def landed(self, receipt: Receipt | None) -> None:
        """The message is on disk; without a receipt, it could not be written."""


class Records(Protocol):
    """The store, as gateway and runtime use it."""

    async def accept(self, entry: InboxEntry, lane: str = "", landing: Landing | None = None) -> Receipt:
        """Commits a message to disk. The same channel and key again gives the first receipt with `fresh` False.
        With *lane*, claims that lane in the same transaction; `mine` tells whether it is this worker's. *landing* is
        told when it is on disk or could not be written, also where the caller was cancelled meanwhile."""

    async def write(self, *records: Record, given: Any = None) -> None:
        """Writes all records in one transaction; returns when they are committed. Fails where the message that *given*
        stands for (see `Landing`) was not accepted as a new one."""

    async def set_aside(self, hold: Hold, *records: Record, given: Any = None) -> Sequence[Standing]:
        """Writes all records like `write` and sets *hold* aside behind them, on the same way to the disk, whoever else
        does so at that moment. Gives how full each envelope was before, up to the one that cannot bear it, if there is
        one: then nothing is set aside, and the call stands in the ledger as one that used nothing."""

    def post(self, *records: Record) -> None:
        """Writes all records in one transaction, later, after everything handed over before; does not wait."""

    async def accepted(self, id: str) -> Accepted | None:
        """The message with this receipt id, and what became of it."""

    async def abandon(self, channel: str, before: float) -> int:
        """Ends, as ``abandoned``, what came in on *channel* before *before* and nobody dealt with; gives how many."""

    async def waiting(self, channels: Sequence[str] = ()) -> Sequence[tuple[str, str]]:
        """The sessions with messages that nobody has dealt with, each with its channel, of *channels* where given."""

    async def pending_in(self, session: str) -> Sequence[tuple[str, InboxEntry]]:
        """The messages of a session that nobody has dealt with, oldest first, each with its receipt id."""

    async def edit(self, change: Message) -> Message | None:
        """Gives the message with the key that *change* names as `target` its parts, or withdraws it (``delete``), and
        gives it as it is then; None where somebody has begun with it, or another one wrote it."""

    async def unsent(
        self, limit: int = 1000, state: str = "queued", after: str = "", channel: str = ""
    ) -> Sequence[OutboxEntry]:
        """Outbox entries that are queued, channel by channel and oldest first, of one *channel* where given, from the
        one *after* that id on; with *state* ``sending`` those that were on their way."""

    async def undelivered(self, person: str = "") -> Sequence[OutboxEntry]:
        """What could not be delivered (``dead``) or nobody knows about (``unknown``), oldest first, of one person where
        given."""

    async def approvals(self, person: str = "", turn: str = "", session: str = "") -> Sequence[Approval]:
        """The questions that wait for an answer, of a person, in a session or all; or all that a turn ever asked."""

    async def answer(
        self, id: str, person: str, choice: str, receipt: str = "", grant: Grant | None = None
    ) -> Approval | None:
        """Answers a question of that person once, opens the message it holds up again, ends the message *receipt* that
        brought the answer, and keeps the *grant* that goes with it; all in one transaction. None if it is not theirs,
        not open or not among the choices. Without a *person* it is the system that decides, in words of its own."""

    async def expire(self) -> Sequence[Approval]:
        """Ends the questions that nobody answered in time and opens the messages that they hold up."""

    async def enlist(self, entry: OutboxEntry) -> bool:
        """Commits an outbox entry; False, and nothing else, if there is one with this id already."""

    async def outgoing(self, id: str) -> OutboxEntry | None:
        """The outbox entry with this id, whatever became of it."""

    async def said_since(self, id: str, session: str) -> bool:
        """True if something was to be said in a session after the outbox entry *id*, or there is no such entry."""

    async def history(self, session: str, max_tokens: int, max_messages: int = 500) -> Sequence[HistoryEntry]:
        """The newest messages of a session that fit, oldest first."""

    async def steps(self, turn: str) -> Sequence[StepEntry]:
        """The steps of a turn, in order."""

    async def steps_under(self, prefix: str) -> Sequence[StepEntry]:
        """The steps of every turn whose id begins with *prefix*, by turn and in order."""


class Sessions(Protocol):
    """Sessions: get or create, end, clean up."""

    async def session_for(self, conversation: Conversation, person: str, profile: str = "default") -> Session:
        """The open session that a conversation is bound to; created and bound where there is none."""

    async def new_session(self, conversation: Conversation, person: str, profile: str = "default") -> Session:
        """Ends the conversation's session, if any, and binds it to a fresh one."""

    async def bind(self, conversation: Conversation, id: str, person: str) -> Session:
        """Binds a conversation of a person to a session of theirs, which is opened again where it had ended; what it
        was bound to before ends if nothing was said there. `InputError` if there is no such session of theirs, or one
        of the two is a group's."""

    async def conversations(self, person: str, session: str = "") -> Sequence[Conversation]:
        """The conversations of a person that are bound to a session, or to any; the one that was bound last first."""

    async def session(self, id: str) -> Session | None:
        """The session with this id."""

    async def session_of(self, conversation: Conversation) -> Session | None:
        """The session that a conversation is bound to, open or ended; None where nobody ever spoke there."""

    async def sessions(self, person: str = "", limit: int = 50) -> Sequence[Session]:
        """Sessions, the last active first, of one person where given."""

    async def conversation_of(self, person: str) -> Conversation | None:
        """The conversation with one person alone that was bound to a session last."""

    async def end_session(self, id: str) -> None:
        """Ends a session; its conversations get a new one at the next message."""

    async def end_idle(self, before: float) -> int:
        """Ends every session that was last active before *before*; gives how many."""


CORE = "gitu"
"""The owner of what the core itself keeps in the plugins' store; no plugin may have this id."""


class PluginState(Protocol):
    """The small store of each plugin."""

    async def kv_get(self, plugin: str, key: str) -> Entry | None:
        """The entry, or None."""

    async def kv_put(self, plugin: str, entry: Entry) -> None:
        """Stores or replaces an entry."""

    async def kv_delete(self, plugin: str, key: str) -> bool:
        """Removes an entry; tells whether there was one."""

    async def kv_list(self, plugin: str, prefix: str = "", person: str = "") -> Sequence[Entry]:
        """The entries whose key begins with *prefix*, by key."""


class BlobStore(Protocol):
    """Bytes named by their content."""

    async def put_blob(
        self, data: bytes, media_type: str, name: str = "", person: str = "", label: Label | None = None
    ) -> BlobRef:
        """Keeps *data* and gives its name."""

    async def read_blob(self, blob: BlobRef, offset: int = 0, size: int = -1) -> bytes:
        """A piece of a blob, or all of it. `Damaged` if its bytes are not what its name says."""


class KeyStatus(Value, frozen=True):
    """The `place` of the master keys; those that are there (`known`), by fingerprint, the one for new keys first; the
    one that wraps what is made now (`current`); how many keys each wraps (`wraps`); whether people are getting new keys
    (`renewing`)."""

    place: str
    known: tuple[str, ...]
    current: str
    wraps: dict[str, int]
    renewing: bool = False


class Store(Records, Workers, TimerStore, Audit, Grants, People, Sessions, Ledger, PluginState, BlobStore, Protocol):
    """The whole store."""

    async def open(self) -> None:
        """Connects, migrates, starts the writer. `SchemaError` if a newer program wrote the database."""

    async def close(self) -> None:
        """Writes what was posted and closes."""

    async def backup(self, target: Path) -> None:
        """Writes a consistent copy that `restore` takes, while the store is in use."""

    async def key_status(self) -> KeyStatus:
        """Where the master keys are, and what they wrap."""

    async def check(self) -> Sequence[str]:
        """What is wrong with the stored data; empty when all is well."""


# ---- other rooms -------------------------------------------------------------------------------


class Hooks(Protocol):
    """Calls the hooks of enabled plugins. `wants` is False when nobody implements a hook, and costs nothing."""

    def wants(self, hook: str) -> bool:
        """True if somebody implements the hook."""

    async def observe(self, hook: str, **arguments: Any) -> None:
        """Tells everybody who listens; failures are counted against the plugin and go no further."""

    async def filter(self, hook: str, **arguments: Any) -> Any:
        """Hands the hook's value from one implementation to the next; gives the last."""

    async def guard(self, hook: str, **arguments: Any) -> str | None:
        """The first reason to refuse, or None. A failing guard refuses."""


class Offer(Value, frozen=True):
    """A contribution and the plugin that makes it."""

    plugin: str
    contribution: Contribution


class Registry(Protocol):
    """What enabled plugins contribute, known without running them."""

    def offers(self, seam: str) -> Sequence[Offer]:
        """Every contribution to a seam by enabled, healthy plugins."""

    async def get(self, seam: str, name: str) -> Any:
        """The contributed object; activates its plugin on first use. A `PluginError` says why it cannot be had."""

    def having(self, hook: str) -> Sequence[str]:
        """The ids of the enabled, healthy plugins that have a hook."""

    async def call(self, id: str, hook: str, **arguments: Any) -> None:
        """Calls a lifecycle hook of one plugin, which is activated first: a `PluginError` says why it cannot be. The
        plugin's own `NotReady` comes through; its other failures are counted against it and go no further."""


class Models(Protocol):
    """Chooses models and asks them."""

    async def plan(
        self, task: RouteTask, wanted: Sequence[str], person: str = "", *, exact: bool = False
    ) -> Sequence[Candidate]:
        """The models to try, best first, each with its worst-case cost. *wanted* names ``provider/model`` or
        ``provider`` in order of preference; empty = whatever is best. With *exact* nothing else is tried.
        `NoModel` if nothing can serve."""

    def stream(self, candidate: Candidate, request: ModelRequest) -> AsyncIterator[ModelEvent]:
        """Asks the candidate; `Finish.usage.cost` is filled in from its prices."""

    def report(self, candidate: Candidate, error: Exception | None) -> None:
        """Tells how it went, for cool-down and recovery."""
