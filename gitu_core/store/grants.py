"""The port `Grants`: what people allowed beforehand, sealed with their keys; what changes is in the audit."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from gitu_core.contracts.authority import Grant
from gitu_core.store.base import Base, readable
from gitu_core.store.cache import Lru
from gitu_core.store.codec import bound, encoded, unsealed
from gitu_core.store.keys import Script, ScriptOf

REMEMBERED = 1_000
"""People whose grants are remembered: those met last."""


class GrantsPart(Base):
    """Grants. Those that ended go when the next one comes."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._grants: Lru[str, tuple[Any, Sequence[Grant]]] = Lru(REMEMBERED)

    async def grants(self, person: str = "") -> Sequence[Grant]:
        """What was allowed, of one person where given, that which ended not long ago included; the same object while
        nothing changed."""
        known = self._grants.get(person)
        mark = await self._read(self._script_of("grants_mark", self.tenant, person)) if person else None
        if known is not None and known[0] == mark:
            return known[1]
        statement, whose = ("grants_of", (person,)) if person else ("grants", ())
        rows = await self._read(self._script_of(statement, self.tenant, *whose, bodies=(4,)))
        found = tuple(readable(rows, self._grant, self.engine.lost))
        if person:
            self._grants.put(person, (mark, found))
        return found

    async def use_grant(self, grant: Grant) -> bool:
        """Uses a grant once; False if it is used up, ended or gone."""
        now = self.clock.now()
        return bool(await self._script(self._script_of("grant_use", self.tenant, grant.id, now), fenced=True))

    async def add_grant(self, grant: Grant, by: str = "") -> None:
        """Keeps a grant that *by* gave."""
        await self._script(lambda: self._granted(grant, by), grant.person, fenced=True)

    async def revoke_grant(self, id: str, person: str = "", by: str = "") -> Grant | None:
        """Takes a grant back, of *person* where given, and gives it; None if there is none."""

        def script() -> ScriptOf[Grant | None]:
            row = yield from self._first(4, "grant_locked", self.tenant, id)
            if row is None or person not in ("", row[1]):
                return None
            yield "grant_drop", (self.tenant, id)
            found = self._grant(row)
            yield from self._told("revoked", found, by)
            return found

        return await self._script(script)

    def _granted(self, grant: Grant, by: str) -> Script:
        """Keeps a grant; part of a script."""
        yield from self._keys.ensure((grant.person,))
        yield "grants_end", (self.tenant, self.clock.now())
        seal = bound("grants", self.tenant, grant.id, grant.person)
        body = self._keys.seal(grant.person, encoded(grant, Grant), seal)
        yield "grant_add", (self.tenant, grant.id, grant.person, grant.uses, grant.expires_at, body)
        yield from self._told("granted", grant, by)

    def _told(self, kind: str, grant: Grant, by: str) -> Script:
        """The audit's entry about a grant. What it allows is content; how far it goes is not."""
        facts = {"expires_at": grant.expires_at, "uses": grant.uses, "cause": grant.cause, "grant": grant.id}
        arguments = sorted({*grant.when, *grant.most})
        yield from self._audited(
            grant.person, kind, grant.tool, "standing", by, grant.session, arguments=arguments, **facts
        )

    def _grant(self, row: Any) -> Grant:
        id, person, uses, _, body = row
        grant: Grant = unsealed(self._keys, bytes(body), Grant, f"the grant {id}", "grants", self.tenant, id, person)
        return msgspec.structs.replace(grant, uses=uses)
