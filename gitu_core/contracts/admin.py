"""What whoever runs the installation may do with it: the facet `admin`. A part of `host`.

Its attributes are ports of the host as they are, so that nothing is said twice; its methods are what no port has alone.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, Literal, Protocol

from gitu_core.contracts.audit import Audit
from gitu_core.contracts.authority import Grants
from gitu_core.contracts.base import contract
from gitu_core.contracts.page import Page
from gitu_core.contracts.people import People
from gitu_core.contracts.ports import Accepted, Approval, HistoryEntry, OutboxEntry, Sessions, StepEntry
from gitu_core.model import Conversation

__all__ = ["Admin"]

OPERATOR = "operator"
"""Who does something where nobody else is named."""


class SessionBook(Sessions, Protocol):
    """All sessions."""

    def __call__(self, person: str = "") -> AsyncIterator[dict[str, Any]]:
        """Sessions as JSON, newest first, of one person where given."""


class TurnBook(Protocol):
    """What is kept of turns and of the messages before and after them; for reading."""

    async def accepted(self, id: str) -> Accepted | None:
        """The message with this receipt id, and what became of it."""

    async def outgoing(self, id: str) -> OutboxEntry | None:
        """The outbox entry with this id, whatever became of it."""

    async def steps(self, turn: str) -> Sequence[StepEntry]:
        """The steps of a turn, in order."""


@contract("host.admin")
class Admin(Protocol):
    """Looks into the installation and runs it. For plugins that are trusted or come with the bundle, and never from a
    process of their own. What changes something names whom it is done `by`: that goes to the log. Attributes are ports
    of the host, called as they are."""

    people: People
    sessions: SessionBook
    grants: Grants
    audit: Audit
    turns: TurnBook

    async def overview(self) -> dict[str, Any]:
        """How the assistant is: ``version``, ``home``, ``load``, ``dispatcher``, ``channels``, ``providers``,
        ``breakers``, ``budgets`` (their names), ``plugins`` (how many are in which state), ``notes`` and, of the
        ``settings``, those that everybody has. A channel says ``since`` when it is in its ``state`` and when the last
        ``outage`` began (seconds since 1970, UTC; 0 where nobody knows), and whether a process ``runs`` it now."""

    async def plugins(self) -> Sequence[dict[str, Any]]:
        """What is installed, enabled and quarantined, as `gitu plugins --json` prints it."""

    async def switch(
        self, plugin: str, action: Literal["enable", "disable", "reset"], by: str = OPERATOR
    ) -> dict[str, Any]:
        """Switches a plugin on or off for good, or lifts its quarantine; gives what `plugins` tells of it then. A
        channel that comes with it runs from the next start on."""

    async def configuration(self, plugin: str) -> dict[str, Any]:
        """The ``schema`` of a plugin's configuration, the ``values`` that it has, without secrets, and their
        ``sources``: ``settings``, ``default`` or the name of a variable of the environment. What is not shown whole is
        ``writeOnly`` in the schema. `ConfigError` names the field that does not fit."""

    async def configure(
        self, changes: Sequence[tuple[Sequence[str], Any]], secrets: Mapping[str, str] = {}, by: str = OPERATOR
    ) -> None:
        """Changes the settings file: all *changes*, each the keys of a setting and its value (None removes it), or
        none. *secrets*, by name, go into files that only their owner may read. It counts from `begin_anew` on.
        `ConfigError` names the field that would not be good; `NotReady` where there is no such file."""

    async def try_model(self, model: str, secrets: Mapping[str, str] = {}) -> dict[str, str]:
        """Asks a model (``provider/model`` or ``provider``) one word, with the settings as they are and *secrets*
        besides; nothing is kept. What came of it is in ``detail`` and ``hint``; ``error`` names the error where
        it did not answer, `AuthFailed` for a key that was refused. It may take 30 seconds, and cost a little."""

    async def begin_anew(self, by: str = OPERATOR) -> None:
        """Has the program finish what runs and begin anew with the settings as they are now; plugins stop, and start
        again. `NotReady` where the program does not do that."""

    async def pages(self) -> Sequence[dict[str, Any]]:
        """The console pages of all enabled plugins: ``plugin``, ``path``, ``title``, ``icon``."""

    async def page(self, plugin: str, path: str) -> Page:
        """One of them; its plugin is activated. A `PluginError` says why it cannot be had."""

    async def history(self, session: str, limit: int = 500) -> Sequence[HistoryEntry]:
        """The newest messages of a session, oldest first."""

    async def turn_of(self, id: str) -> str:
        """The turn that a call, an audit entry, a message taken in or one sent belongs to, or that has this id itself;
        empty where it is none's."""

    async def approvals(self, person: str = "") -> Sequence[Approval]:
        """The questions that wait for an answer, of one person where given."""

    async def budgets(self, person: str = "") -> Sequence[dict[str, Any]]:
        """How full the envelopes are that were used in their present period, with what that is in ``words``; of one
        person where given, only their own."""

    async def usage(self, since: float, person: str = "") -> Sequence[dict[str, Any]]:
        """What was used since a time (seconds since 1970, UTC; a year ago at most), of one person where given: ``day``,
        ``model``, ``cost`` in nano-dollars, ``tokens``. Days are those of the configured time zone."""

    async def undelivered(self, person: str = "", queued: bool = False) -> Sequence[OutboxEntry]:
        """What could not be delivered or nobody knows about, oldest first, of one person where given; with *queued*
        also what still waits to be sent."""

    async def resend(self, id: str, by: str = OPERATOR) -> None:
        """Has something sent again that was not delivered. `InputError` if there is none with this id."""

    async def drop(self, id: str, by: str = OPERATOR) -> None:
        """Gives something up that was not delivered. `InputError` if there is none with this id."""

    async def say(self, person: str, text: str, where: Conversation | None = None, by: str = OPERATOR) -> str:
        """Says something to a person, *where* they spoke last if nothing else is given; gives its id. `NotReady` if
        there is no such place, or its channel is not there; `InputError` if it is nothing."""

    async def vouched(self, channel: str, said: str = "") -> bool:
        """True if what comes from an account on a channel is its person's own word. *said* is what the operator said
        of the account."""
