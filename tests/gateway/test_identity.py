"""Whose word a message is: asked when it counts, not when it came in."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from gitu_core.config import ChannelRules
from gitu_core.contracts import Channel
from gitu_core.contracts.people import Person, Speaker
from gitu_core.contracts.ports import InboxEntry
from gitu_core.gateway.identity import Identity
from gitu_core.model import Account, Conversation, Message, Text

pytestmark = pytest.mark.anyio
SENDER = Account("c", "a")


class People:
    """One account, and whoever it belongs to now."""

    def __init__(self, speaker: Speaker | None):
        self.speaker = speaker

    async def known(self, account):
        return self.speaker if account == SENDER else None


def identity(speaker=None, channel=None, **rules):
    said = {"c": ChannelRules(**rules)} if rules else {}
    return Identity(People(speaker), said, lambda name: channel if name == "c" else None, None, None)


def entry(person="ana"):
    return InboxEntry(Message("k", Conversation("c", "1"), SENDER, (Text("yes"),)), person, "s")


class Newcomers(People):
    """Nobody knows the account. Notes how it came to be somebody's."""

    def __init__(self, *active: str):
        super().__init__(None)
        self.there, self.how = active, []

    async def active(self, channel, since):
        return self.there

    async def link(self, account, person, new=False):
        self.how.append(("link", person, new))
        return SimpleNamespace(person=Person(id=person))

    async def person_for(self, account, person=""):
        self.how.append(("new", person))
        return Person(id=person or "made")


@pytest.mark.parametrize(
    ("resident", "there", "given", "rules", "how"),
    [
        ("local", (), "", {}, ("link", "local", True)),
        ("local", ("bob",), "", {}, ("new", "")),
        ("", (), "", {}, ("new", "")),
        ("local", (), "ana", {}, ("new", "ana")),
        ("local", (), "", {"trust": "talk"}, ("new", "")),
    ],
    ids=["the first", "somebody was there before", "nobody sits there", "the application names them", "may be forged"],
)
async def test_the_first_account_of_a_channel_is_of_whoever_sits_there(resident, there, given, rules, how):
    people, channel = Newcomers(*there), Channel("c", trusted=True, access="open")
    said = {"c": ChannelRules(**rules)} if rules else {}
    who = Identity(people, said, lambda name: channel, None, None, lambda name: resident)
    found = await who.speaker(Message("k", Conversation("c", "1"), SENDER, (Text("hi"),)), given)
    assert people.how == [how]
    assert found.person.id == (how[1] or "made")


async def test_nobody_comes_to_sit_there_where_only_the_known_may_talk():
    people, channel = Newcomers(), Channel("c", trusted=True, access="paired")
    who = Identity(people, {}, lambda name: channel, None, None, lambda name: "local")
    assert await who.speaker(Message("k", Conversation("c", "1"), SENDER, (Text("hi"),)), "") is None
    assert people.how == []


@pytest.mark.parametrize(
    ("speaker", "trusted"),
    [
        (Speaker(person=Person(id="ana")), True),
        (Speaker(person=Person(id="ana"), trust="talk"), False),
        (Speaker(person=Person(id="ana", enabled=False)), False),
        (Speaker(person=Person(id="eve")), False),
        (None, False),
    ],
    ids=["their own", "lowered", "switched off", "moved since", "unlinked since"],
)
async def test_a_message_counts_as_long_as_its_account_is_its_persons(speaker, trusted):
    assert await identity(speaker, Channel("c", trusted=True)).trusts(entry()) is trusted


async def test_who_was_switched_off_lately_does_not_count_though_remembered_as_on():
    who = identity(Speaker(person=Person(id="ana")), Channel("c", trusted=True))
    who.off = frozenset(("ana",))
    assert not await who.trusts(entry())
    assert not who.admits(Person(id="ana"))


@pytest.mark.parametrize(
    ("channel", "rules", "access", "full"),
    [
        (None, {}, "paired", False),
        (None, {"access": "open", "trust": "full"}, "open", True),
        (Channel("c"), {}, "paired", False),
        (Channel("c", foreground=True, trusted=True), {}, "open", True),
        (Channel("c", access="closed", trusted=True), {}, "closed", True),
        (Channel("c", access="open", trusted=True), {"access": "closed", "trust": "talk"}, "closed", False),
        (Channel("c", access="open", trusted=True), {"access": "paired"}, "paired", True),
        (Channel("c", foreground=True), {"access": "paired"}, "paired", False),
    ],
)
def test_the_operators_word_goes_over_the_channels_and_nothing_said_is_the_careful_way(channel, rules, access, full):
    who = identity(None, channel, **rules)
    assert (who.access("c"), who.vouches("c")) == (access, full)
    assert not who.vouches("c", "talk")
    assert (who.access("app"), who.vouches("app")) == ("open", True)
