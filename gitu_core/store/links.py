"""Who an account belongs to, changed: linked, moved, unlinked; people switched on and off; codes that link and pair.

Bodies are sealed with the key of the person who said them. An account that moves takes its own row along and nothing
else: what was said before stays with the person it belonged to, unread.

A code is ten letters: the first four find its row, all ten have to be right. Both are kept as keyed digests. Wrong
tries count against the row, so that all guessers together have `TRIES` of them.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from hmac import compare_digest
from typing import Any

import msgspec

from gitu_core.contracts.ports import Linked, Linking, Person
from gitu_core.errors import InputError
from gitu_core.model import Account, Conversation
from gitu_core.model.base import Value
from gitu_core.store.base import V, readable, replaced
from gitu_core.store.codec import bound, encoded, unsealed
from gitu_core.store.keys import Script, ScriptOf
from gitu_core.store.people import PeoplePart
from gitu_core.store.writer import Job

CODE_SECONDS = 600.0
"""Seconds for which a code counts."""

TRIES = 5
"""Wrong codes that begin as a code does, after which it counts no more."""

WAITING = 200
"""Codes that may be open at once before unknown accounts get none."""

MOST_ACTIVE = 1_000
"""Accounts that are looked at where it is asked who used a channel."""

MAX_SETTINGS = 16_384
"""The largest settings of a user, in bytes of JSON."""

_LETTERS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_READ_AS = str.maketrans("OIL", "011", " -")
_SIZE, _HEAD = 10, 4


class Shown(Value, frozen=True):
    """What a code knows: the account that it was shown to, and where."""

    account: Account
    place: Conversation


class LinksPart(PeoplePart):
    """Changes of users and accounts."""

    async def people(self, after: str = "", limit: int = 500) -> Sequence[Person]:
        """Users by id, from the one *after* that id on. One that cannot be read is left out and reported by `check`."""
        rows = await self._read(self._script_of("people", self.tenant, after, limit, bodies=(3,)))
        return readable(rows, self._read_person, self.engine.lost)

    async def disabled(self) -> Sequence[str]:
        """The ids of all users that are switched off."""
        # The writer's connection is asked: it notices on the way what other processes wrote, so that nothing that
        # they changed about people is remembered here for longer than between two such looks.
        rows = await self._wait(Job(statement=("people_off", (self.tenant,))))
        return [row[0] for row in rows]

    async def change_person(
        self, id: str, *, enabled: bool | None = None, settings: dict[str, Any] | None = None, by: str = ""
    ) -> Person:
        """Switches a user on or off, replaces their settings; gives the user. `InputError` if the settings are no JSON
        object, or too large."""
        if settings is not None:
            _check(settings)
        given = {"enabled": enabled, "settings": settings}
        changes = {name: value for name, value in given.items() if value is not None}

        def script() -> ScriptOf[Person]:
            found = yield from self._there(id, "person_locked")
            changed = replaced(found, **changes)
            yield from self._keys.ensure((id,))
            body = self._keys.seal(id, encoded(changed, Person), bound("people", self.tenant, id))
            yield "person_set", (int(changed.enabled), body, self.tenant, id)
            if changed.enabled != found.enabled:
                yield from self._audited(id, "user", "", "enabled" if changed.enabled else "disabled", by)
            if changed.settings != found.settings:
                yield from self._audited(id, "user", "settings", "changed", by)
            return changed

        return await self._changing(script)

    async def accounts(self, person: str) -> Sequence[Linked]:
        """The accounts of a person, oldest first. One that cannot be read is left out and reported by `check`."""
        rows = await self._read(self._script_of("accounts_of", self.tenant, person, bodies=(6,)))
        return readable(rows, self._linked, self.engine.lost)

    async def active(self, channel: str, since: float) -> Sequence[str]:
        """The people who used a channel since a time, at most 1,000."""
        rows = await self._read(self._script_of("accounts_used", self.tenant, channel, float(since), MOST_ACTIVE))
        return list(dict.fromkeys(row[0] for row in rows))

    async def link(self, account: Account, person: str, new: bool = False) -> Linking:
        """Gives an account to a person, whoever had it. `InputError` if there is no such person; with *new*, they are
        made, and it is one if somebody else has the account."""

        def script() -> ScriptOf[Linking]:
            key = self._account_key(account)
            row = yield from self._first(None, "account_locked", self.tenant, account.channel, key)
            made = row is None and new
            if made:  # unless somebody faster has it by now
                row = ((yield from self._new_person(account, key, person, self.clock.now(), False)).id,)
            if new and row and row[0] != person:
                raise InputError("the account belongs to another user", hint="link it to a user that is there")
            if made:
                yield from self._audited(person, "account", account.channel, "linked", account=account.id)
            return (yield from self._link(account, person))

        return await self._changing(script, *[person] * new)

    async def unlink(self, account: Account, person: str = "", last: bool = False, by: str = "") -> None:
        """Takes an account from its person, or from *person* only. `InputError` for the last one, unless *last*."""

        def script() -> Script:
            where = (self.tenant, account.channel, self._account_key(account))
            row = yield from self._first(None, "account_locked", *where)
            if row is None or (person and row[0] != person):
                raise _no_account(account)
            yield from self._first(None, "person_locked", self.tenant, row[0])  # two at once must not take the last two
            if not last and len((yield "accounts_of", (self.tenant, row[0]))) == 1:
                what = "this is the last account of its user, who could not talk to the assistant any more"
                raise InputError(what, hint="say that it is the last one", field="last")
            yield "account_drop", where
            yield "conversations_left", (self.tenant, row[0], account.channel)
            yield from self._audited(row[0], "account", account.channel, "unlinked", by or person, account=account.id)

        await self._changing(script)

    async def trust(self, account: Account, trust: str) -> None:
        """Says how far an account is trusted: ``talk``, or nothing for as far as its channel."""

        def script() -> Script:
            rows = yield "account_trust", (trust, self.tenant, account.channel, self._account_key(account))
            if not rows:
                raise _no_account(account)
            yield from self._audited(rows[0][0], "account", account.channel, trust or "full", account=account.id)

        await self._changing(script)

    # ---- codes ---------------------------------------------------------------------------------------------

    async def make_code(self, account: Account, place: Conversation, person: str = "") -> str:
        """A code, to be shown to an account in *place* and nowhere else: whoever types it on another account links that
        to *person*; without one, it is for the operator, to `pair` the account. An earlier one of the person counts no
        more. Empty where the account has one already, or too many wait."""
        kind, now = "link" if person else "pair", self.clock.now()
        owner = self._keys.digest("code of", kind, person or self._account_key(account).hex())
        shown = encoded(Shown(account=account, place=place))

        def script() -> ScriptOf[str]:
            yield "codes_end", (self.tenant, now)
            if person:
                yield "codes_drop", (self.tenant, owner)
            else:
                mine, all = (yield "code_of", (self.tenant, owner, now)), (yield "codes_open", (self.tenant, now))
                if mine or all[0][0] >= WAITING:
                    return ""
            text = "".join(_LETTERS[byte & 31] for byte in os.urandom(_SIZE))
            code, secret = self._digests(text)
            body = self._keys.seal(person, shown, bound("codes", self.tenant, code, kind, person))
            columns = (self.tenant, code, secret, owner, kind, person, 0, now + CODE_SECONDS, body)
            return f"{text[:5]}-{text[5:]}" if (yield "code_add", columns) else ""

        return await self._script(script, person)

    async def redeem(self, code: str, account: Account) -> Linking | None:
        """Links an account to the person that a code was shown to, once. None if it does not count, or where it was
        shown is an account of theirs no more."""

        def script() -> ScriptOf[Linking | None]:
            found = yield from self._taken(code, "link")
            if found is None:
                return None
            # Whoever had a stolen account, and a code shown there, must not come back with it.
            shown = found[1].account
            by = yield from self._account(shown.channel, self._account_key(shown))
            if by is None or by[0].person.id != found[0] or by[0].trust or not by[0].person.enabled:
                return None
            return replaced((yield from self._link(account, found[0], found[0])), place=found[1].place)

        return await self._changing(script)

    async def pair(self, code: str, person: str = "") -> Linking | None:
        """Gives the account that a code was shown to a person, or a new one, once. None if it does not count."""
        now, new = self.clock.now(), self.clock.new_id()

        def script() -> ScriptOf[Linking | None]:
            if person:
                yield from self._there(person)
            found = yield from self._taken(code, "pair")
            if found is None:
                return None
            account, place = found[1].account, found[1].place
            if person:
                return replaced((yield from self._link(account, person)), place=place)
            yield from self._keys.ensure((new,))
            who = yield from self._new_person(account, self._account_key(account), new, now, True)
            if who.id == new:
                yield from self._audited(new, "account", account.channel, "paired", account=account.id)
            return Linking(account=account, person=who, place=place)

        return await self._changing(script)

    async def burn(self, code: str) -> None:
        """A code was said where others could read it: it counts no more."""
        await self._script(lambda: self._taken(code, ""))

    # ---- inside --------------------------------------------------------------------------------------------

    async def _changing(self, script: Callable[[], ScriptOf[V]], *people: str) -> V:
        """Runs a script that changes people or accounts, and forgets what is remembered of them."""
        try:
            return await self._script(script, *people)
        finally:
            self._changes += 1
            self._accounts.clear()

    def _there(self, id: str, statement: str = "person") -> ScriptOf[Person]:
        found = yield from self._person(id, statement)
        if found is None:
            raise InputError(f"there is no user {id}", hint="list them with: gitu users", user=id)
        return found

    def _link(self, account: Account, person: str, by: str = "") -> ScriptOf[Linking]:
        channel, key, now = account.channel, self._account_key(account), self.clock.now()
        row = yield from self._first(None, "account_locked", self.tenant, channel, key)
        who = yield from self._there(person)
        if row is None or row[0] != person:
            yield from self._keys.ensure((person,))
            body = self._keys.seal(person, encoded(account), bound("accounts", self.tenant, channel, key, person))
            yield "account_move", (self.tenant, channel, key, person, now, now, body)
            if row is not None:
                # None of the chats on its channel is where they spoke last, until they begin one there again.
                yield "conversations_left", (self.tenant, row[0], account.channel)
                yield from self._audited(row[0], "account", channel, "unlinked", by, account=account.id)
            yield from self._audited(person, "account", channel, "linked", by, account=account.id)
        return Linking(account=account, person=who, before=row[0] if row and row[0] != person else "")

    def _taken(self, text: str, kind: str) -> ScriptOf[tuple[str, Shown] | None]:
        """Uses up the code that *text* is: its person and what it knows. None if it does not count; that is a try, or
        without a *kind* it is its end if it is right."""
        code, secret = self._digests(text.upper().translate(_READ_AS))
        row = yield from self._first(5, "code_locked", self.tenant, code)
        if row is None:
            return None
        if not compare_digest(bytes(row[0]), secret) or kind not in ("", row[1]):
            if kind:
                yield "code_tried" if row[3] + 1 < TRIES else "code_drop", (self.tenant, code)
            return None
        yield "code_drop", (self.tenant, code)
        if not kind or row[4] <= self.clock.now():
            return None
        seal = ("codes", self.tenant, code, kind, row[2])
        return row[2], unsealed(self._keys, row[5], Shown, "a code", *seal)

    def _digests(self, text: str) -> tuple[bytes, bytes]:
        return self._keys.digest("code", text[:_HEAD]), self._keys.digest("code", text)

    def _linked(self, row: Any) -> Linked:
        channel, key, person, since, last_used, trust, body = row
        seal = ("accounts", self.tenant, channel, bytes(key), person)
        account: Account = unsealed(self._keys, body, Account, f"an account on {channel}", *seal)
        return Linked(account=account, person=person, trust=trust, since=since, last_used=last_used)


def _check(settings: object) -> None:
    data = encoded(settings)
    if type(settings) is not dict or msgspec.json.decode(data) != settings:
        raise InputError("settings are a JSON object", hint='hand in one like {"language": "en"}', field="settings")
    if len(data) > MAX_SETTINGS:
        what = f"the settings take {len(data)} bytes, {MAX_SETTINGS} are allowed"
        raise InputError(what, hint="keep less in them", field="settings")


def _no_account(account: Account) -> InputError:
    return InputError(f"no user has the account {account.id} on {account.channel}", hint="list them with: gitu users")
