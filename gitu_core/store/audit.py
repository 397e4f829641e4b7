"""The port `Audit`: who did what, on whose word, and whether the record of it is whole."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gitu_core.contracts.audit import AuditEntry, AuditReport
from gitu_core.errors import Damaged
from gitu_core.store.base import Base, readable
from gitu_core.store.chain import START, link, sealed_digest
from gitu_core.store.codec import bound, decoded

_PAGE = 500


class AuditPart(Base):
    """The audit, which is only ever added to."""

    async def audit(self, turn: str = "", person: str = "", limit: int = 100, id: str = "") -> Sequence[AuditEntry]:
        """The newest entries, oldest first, of one turn or person where given, or the one with that *id*. What was
        erased has no facts left; one that cannot be read is left out, logged and reported by `check`."""
        given = (("audit_one", id), ("audit_of_turn", turn), ("audit_of", person))
        statement, *whose = next((each for each in given if each[1]), ("audit_last",))
        rows = await self._read(self._script_of(statement, self.tenant, *whose, limit, bodies=(-1,)))
        return readable(rows[::-1], self._audit_entry, self.engine.lost)

    async def audit_verify(self, noted: str = "") -> AuditReport:
        """Follows the chain from its first entry to its last. *noted* is where it ended once (`AuditReport.head`)."""
        problems: list[str] = []
        heads = await self._read(self._script_of("audit_end", self.tenant))
        last, head = (heads[0][0], bytes(heads[0][1])) if heads else (0, START)
        n, before, erased, seen = 0, START, 0, not noted
        while rows := await self._read(self._script_of("audit_page", self.tenant, n, _PAGE, bodies=(-1,))):
            for row in rows:
                if n == last:
                    break  # added since
                if row[0] != n + 1:
                    problems.append(f"entry {n + 1}{f' to {row[0] - 1}' if row[0] > n + 2 else ''} is missing")
                n = row[0]
                columns, digest, hash = (self.tenant, *row[1:9]), bytes(row[9]), bytes(row[10])
                if not problems and link(self._keys, before, n, columns, digest) != hash:
                    problems.append(f"entry {n} ({row[1]}) is not what was written, or not where it was written")
                before = hash
                seen |= f"{n}:{hash.hex()}" == noted
                found = self._body(row)
                erased += found is None
                if found is not None and sealed_digest(self._keys, found) != digest:
                    problems.append(f"the facts of entry {n} ({row[1]}) are not those that were written")
            if n == last:
                break
        if n != last or (not problems and before != head):
            problems.append(f"the chain ends at entry {n}, and it was {last} entries long")
        if not seen:
            problems.append(f"there is no entry {noted}: the chain was cut off, or is another one")
        return AuditReport(last, erased, f"{last}:{head.hex()}", tuple(problems))

    def _audit_entry(self, row: Any) -> AuditEntry:
        n, id, person, session, turn, at, kind, subject, outcome, _, hash, _ = row
        body = self._body(row)
        facts: dict[str, Any] = {}
        if body is not None:
            facts = decoded(body, dict[str, Any], f"entry {n} of the audit")
        return AuditEntry(kind, subject, outcome, person, session, turn, facts, at, id, n, bytes(hash).hex())

    def _body(self, row: Any) -> bytes | None:
        """The facts of an entry, as they were written; None where they were erased."""
        n, id, person, body = row[0], row[1], row[2], row[11]
        if body is None or not self._keys.has(bytes(body)):
            return None
        try:
            return self._keys.opened(bytes(body), bound("audit", self.tenant, id, person), f"entry {n} of the audit")
        except Damaged:
            return b""
