"""The audit as rooms see it: what is kept of what was done, and whether the record is whole."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import msgspec

from gitu_core.model.base import Value


class AuditEntry(Value, frozen=True):
    """Something that the audit keeps: what happened (`kind`), to what (`subject`: a tool, a channel, an envelope…),
    with which `outcome`. `facts` are sealed and go with the person when they are erased; the rest stays. They hold no
    content: arguments stand there by their digest. `n` and `hash` are its place in the chain, given when it is written.

    About calls: ``decided``, ``answered``, ``begun``, ``effect``. About people: ``account`` (``linked``, ``paired``,
    ``unlinked``, trusted in ``full`` or for ``talk``) and ``user`` (``enabled``, ``disabled``, ``changed``). About the
    installation: ``admin``, with what was done to which plugin, to the settings or to the outbox.
    """

    kind: str
    subject: str
    outcome: str
    person: str
    session: str = ""
    turn: str = ""
    facts: dict[str, Any] = msgspec.field(default_factory=dict)
    at: float = 0.0
    id: str = ""
    n: int = 0
    hash: str = ""


class AuditReport(Value, frozen=True):
    """Whether the audit is whole: how many entries, how many of them without facts since a person was erased, where the
    chain ends (noted elsewhere, it proves later that nothing was cut off), and what is wrong, a sentence each."""

    entries: int
    erased: int
    head: str
    problems: tuple[str, ...] = ()


class Audit(Protocol):
    """What was done, on whose word; it is only ever added to."""

    async def audit(self, turn: str = "", person: str = "", limit: int = 100, id: str = "") -> Sequence[AuditEntry]:
        """The newest entries, oldest first, of one turn or person where given, or the one with that *id*."""

    async def audit_verify(self, noted: str = "") -> AuditReport:
        """Follows the chain from its first entry to its last; *noted* is where it ended once."""
