"""The port `People`: users and the accounts that belong to them."""

from __future__ import annotations

from functools import partial
from typing import Any

from gitu_core.contracts.ports import Person, Speaker
from gitu_core.model import Account
from gitu_core.store.base import Base, replaced
from gitu_core.store.codec import bound, encoded, unsealed
from gitu_core.store.keys import ScriptOf
from gitu_core.store.writer import Row

USED_EVERY = 60.0
"""Seconds between two notes of when an account was last used."""


class PeoplePart(Base):
    """Users and their accounts."""

    async def known(self, account: Account) -> Speaker | None:
        """Who an account belongs to, if to anybody."""
        key, now = self._account_key(account), self.clock.now()
        remembers, noted = self._remembers(), self._accounts.get(key)
        changes = self._changes, self.engine.foreign
        known = noted if remembers else None
        if known is None:
            known = await self.engine.read(lambda: self._account(account.channel, key))
            if known is None:
                return None
        found, last_used = known
        if now - max(last_used, noted[1] if noted else 0.0) >= USED_EVERY:
            known = found, now
            self._later((Row("account_used", (now, self.tenant, account.channel, key)),))
        if known is not noted and changes == (self._changes, self.engine.foreign):  # else it may be older
            self._accounts.put(key, known)
        return found

    async def person_for(self, account: Account, person: str = "") -> Person:
        """Who an account belongs to; created where nobody does, under the id *person* where given. Two
        callers at once get the same person."""
        while (known := await self.known(account)) is None:
            key, now, id = self._account_key(account), self.clock.now(), person or self.clock.new_id()
            await self._script(partial(self._new_person, account, key, id, now, not person), id)
        return known.person

    async def person(self, id: str) -> Person | None:
        """The user with this id. `Damaged` if the row cannot be read."""
        return await self._read(lambda: self._person(id))

    # ---- inside --------------------------------------------------------------------------------------------

    def _account_key(self, account: Account) -> bytes:
        return self._keys.digest("account", account.channel, account.id)

    def _account(self, channel: str, key: bytes) -> ScriptOf[tuple[Speaker, float] | None]:
        row = yield from self._first(3, "person_of", self.tenant, channel, key)
        return (Speaker(self._read_person(row[:4]), row[4]), row[5]) if row else None

    def _person(self, id: str, statement: str = "person") -> ScriptOf[Person | None]:
        row = yield from self._first(3, statement, self.tenant, id)
        return self._read_person(row) if row else None

    def _read_person(self, row: Any) -> Person:
        id, enabled, created_at, body = row
        person: Person = unsealed(self._keys, body, Person, f"the person {id}", "people", self.tenant, id)
        return replaced(person, enabled=bool(enabled), created_at=created_at)

    def _new_person(self, account: Account, key: bytes, id: str, now: float, fresh: bool) -> ScriptOf[Person]:
        channel = account.channel
        body = self._keys.seal(id, encoded(account), bound("accounts", self.tenant, channel, key, id))
        mine: Any = yield "account_add", (self.tenant, channel, key, id, now, now, body)
        # Somebody faster may have created the account; then it belongs to their person.
        rows: Any = mine or (yield "account", (self.tenant, channel, key))
        id = rows[0][0]
        known = None if mine and fresh else (yield from self._person(id))
        if known is None:
            known = Person(id=id, name=account.name, created_at=now)
            yield from self._keys.ensure((id,))
            body = self._keys.seal(id, encoded(known, Person), bound("people", self.tenant, id))
            yield "person_add", (self.tenant, id, int(known.enabled), now, body)
        return known
