"""People and their accounts, as the rooms of the house hand them to each other. A part of `ports`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import msgspec

from gitu_core.model.base import Value
from gitu_core.model.message import Account, Conversation


class Person(Value, frozen=True):
    """A user. `settings` is a free document."""

    id: str
    name: str = ""
    enabled: bool = True
    settings: dict[str, Any] = msgspec.field(default_factory=dict)
    created_at: float = 0.0


class Speaker(Value, frozen=True):
    """Who an account belongs to. `trust` is what the operator said of the account: ``talk`` = its messages may be
    forged; empty = as its channel."""

    person: Person
    trust: str = ""


class Linked(Value, frozen=True):
    """An account of a person, and how far it is trusted (see `Speaker`). Times are in seconds since 1970, UTC."""

    account: Account
    person: str
    trust: str = ""
    since: float = 0.0
    last_used: float = 0.0


class Linking(Value, frozen=True):
    """An account now belongs to a person; `before` is the person that it belonged to until now, `place` where the code
    for it was shown."""

    account: Account
    person: Person
    before: str = ""
    place: Conversation | None = None


class People(Protocol):
    """Users and their accounts. Whoever changes something that is not there gets an `InputError`."""

    async def known(self, account: Account) -> Speaker | None:
        """Who an account belongs to, if to anybody."""

    async def person_for(self, account: Account, person: str = "") -> Person:
        """Who an account belongs to; created where nobody does, under the id *person* where given."""

    async def person(self, id: str) -> Person | None:
        """The user with this id."""

    async def people(self, after: str = "", limit: int = 500) -> Sequence[Person]:
        """Users by id, from the one *after* that id on."""

    async def disabled(self) -> Sequence[str]:
        """The ids of all users that are switched off."""

    async def change_person(
        self, id: str, *, enabled: bool | None = None, settings: dict[str, Any] | None = None, by: str = ""
    ) -> Person:
        """Switches a user on or off, replaces their settings; gives the user. The audit tells whom it was done `by`,
        else the operator. `InputError` if the settings are no JSON object, or too large."""

    async def active(self, channel: str, since: float) -> Sequence[str]:
        """The people who used a channel since a time, at most 1,000."""

    async def accounts(self, person: str) -> Sequence[Linked]:
        """The accounts of a person, oldest first."""

    async def link(self, account: Account, person: str, new: bool = False) -> Linking:
        """Gives an account to a person, whoever had it. With *new*, they are made."""

    async def unlink(self, account: Account, person: str = "", last: bool = False, by: str = "") -> None:
        """Takes an account from its person, or from *person* only; the audit tells whom it was done `by`, else that
        person. `InputError` for the last one, unless *last*."""

    async def trust(self, account: Account, trust: str) -> None:
        """Says how far an account is trusted (see `Speaker`)."""

    async def make_code(self, account: Account, place: Conversation, person: str = "") -> str:
        """A code, to be shown to an account in *place* and nowhere else: whoever types it on another account links that
        to *person*; without one, it is for the operator, to `pair` the account. Empty where it may not be had now."""

    async def redeem(self, code: str, account: Account) -> Linking | None:
        """Links an account to the person that a code was shown to, once. None if it does not count."""

    async def pair(self, code: str, person: str = "") -> Linking | None:
        """Gives the account that a code was shown to a person, or a new one, once. None if it does not count."""

    async def burn(self, code: str) -> None:
        """A code was said where others could read it: it counts no more."""
