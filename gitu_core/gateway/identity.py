"""Who may say something, how far it counts as their own word, and how an account becomes somebody's.

On a channel that is not open, an account that nobody knows starts nothing and leaves nothing behind: all it gets,
seldom and in private, is the way to be paired.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime

from msgspec.structs import replace

from gitu_core.config import ChannelRules
from gitu_core.contracts import Channel
from gitu_core.contracts.adapter import Access
from gitu_core.contracts.ports import Clock, InboxEntry, People, Person, Speaker
from gitu_core.errors import GituError, InputError
from gitu_core.gateway.intake import normalise, split
from gitu_core.gateway.jobs import APP
from gitu_core.model import Account, Conversation, Message, Outgoing, Text, check_name

log = logging.getLogger("gitu.gateway")

ONCE_IN = 600.0
"""Seconds in which an account is told once how to be paired, makes `MOST` codes and types as many."""

MOST = 5

CROWD = 60
"""How many unknown accounts of a channel are answered in that time, and how many codes they may type."""

AT_ONCE = 50
"""How many accounts a look asks about."""

LONGEST = 40
"""Characters of what may be a code."""

MAX_NAME = 60
"""Characters of a person's name."""

LINK = (
    "Type this on your other account, in a private chat with me, within 10 minutes:\n/link {}\n"
    "Whoever types it speaks for you from then on. Give it to nobody, whatever they say they need it for."
)
PAIR = (
    "I do not know you here. If you talk to me elsewhere, say /link there and type here what I answer. Else give this "
    "code to whoever runs this assistant, within 10 minutes: {}"
)
VOID = "This does not count: it is no code of mine, it was used, or it is older than 10 minutes. /link makes another."
DOUBTFUL = "Messages from here could be forged, so that I do not do this here. Do it from another account of yours."


class Pace:
    """Lets each key do something at most *most* times in `ONCE_IN` seconds; the last 10,000 keys are remembered."""

    def __init__(self, clock: Clock, most: int) -> None:
        self._clock, self._most = clock, most
        self._seen: dict[str, tuple[float, int]] = {}

    def allows(self, key: str) -> bool:
        """True if it may be done now; that counts."""
        now = self._clock.monotonic()
        since, count = self._seen.pop(key, (now, 0))
        since, count = (since, count) if now - since < ONCE_IN else (now, 0)
        self._seen[key] = since, count + 1
        if len(self._seen) > 10_000:
            del self._seen[next(iter(self._seen))]
        return count < self._most


class Identity:
    """Knows people by their accounts. *rules* are the operator's, by channel; *channel* tells what a channel is like;
    *say* says something of the assistant's own accord; *resident* tells which user sits at a channel, if any."""

    def __init__(
        self, people: People, rules: Mapping[str, ChannelRules], channel: Callable[[str], Channel | None],
        say: Callable[[Outgoing], Awaitable[None]], clock: Clock, resident: Callable[[str], str] = lambda channel: "",
    ) -> None:  # fmt: skip
        self._people, self._resident = people, resident
        self._rules = rules
        self._channel = channel
        self._say = say
        self._clock = clock
        self._told, self._tries, self._made = Pace(clock, 1), Pace(clock, MOST), Pace(clock, MOST)
        self._crowd, self._guesses = Pace(clock, CROWD), Pace(clock, CROWD)
        self._looks = 0
        self.off: frozenset[str] = frozenset()
        """The people who are switched off, as of the last look."""

    # ---- who may say what -----------------------------------------------------------------------

    def access(self, channel: str) -> Access:
        """Who may talk on a channel. The application answers for its own users."""
        if channel == APP:
            return "open"
        rules, known = self._rules.get(channel), self._channel(channel)
        said = (rules.access if rules else None) or (known.access if known else None)
        return said or ("open" if known is not None and known.foreground else "paired")

    def vouches(self, channel: str, account: str = "") -> bool:
        """True if what comes from an account of which the operator said *account* is its person's own word, so far that
        it may approve and link."""
        rules, known = self._rules.get(channel), self._channel(channel)
        said = rules.trust if rules else None
        return not account and (channel == APP or said == "full" or (not said and known is not None and known.trusted))

    async def speaker(self, message: Message, person: str) -> Speaker | None:
        """Who says a message; None if nobody knows them, and nobody may come to be known like that."""
        channel = check_name(message.conversation.channel, "channel")
        check_name(message.sender.id, "sender")
        found = await self._people.known(message.sender)
        if found is None and self.access(channel) == "open":
            normalise(message)  # nobody comes to be known by what cannot be accepted
            found = Speaker(person=await self._met(message.sender, person))
        return found

    async def _met(self, account: Account, person: str) -> Person:
        """Whom an account belongs to that nobody knew: the first one of a channel to whoever sits there."""
        resident = self._resident(account.channel) if self.vouches(account.channel) and not person else ""
        if resident and not await self._people.active(account.channel, -1.0):
            return (await self._people.link(account, resident, new=True)).person
        return await self._people.person_for(account, person)

    def admits(self, person: Person) -> bool:
        """False for who is switched off."""
        return person.enabled and person.id not in self.off

    async def trusts(self, entry: InboxEntry) -> bool:
        """True if the sender of a message is still its person's, and what comes from there may approve and link."""
        found = await self._people.known(entry.message.sender)
        if found is None or found.person.id != entry.person or not self.admits(found.person):
            return False
        return self.vouches(entry.message.sender.channel, found.trust)

    async def left(self, entry: InboxEntry) -> bool:
        """True if the account that a message came from is its person's no more: nothing goes on for it."""
        found = await self._people.known(entry.message.sender)
        return found is None or found.person.id != entry.person

    async def look(self, entries: Sequence[InboxEntry] = ()) -> Sequence[int]:
        """Looks who is switched off; gives which of *entries* are not to be worked on any more. Whether their accounts
        are still their people's is asked of about `AT_ONCE` of them at each look."""
        self.off = frozenset(await self._people.disabled())
        self._looks += 1
        every = 1 + len(entries) // AT_ONCE
        gone = [number for number, each in enumerate(entries) if each.person in self.off]
        return gone + [n for n in range(self._looks % every, len(entries), every) if await self.left(entries[n])]

    async def ways(self, person: str, channel: str) -> set[str]:
        """The channels on which a person may be told what was for *channel*: where nobody can speak in their name, and
        the operator did not say otherwise."""
        kept = {name for name, rules in self._rules.items() if not rules.fallback}
        found = [] if person in self.off or channel in kept else await self._people.accounts(person)
        doubtful = {each.account.channel for each in found if not self.vouches(each.account.channel, each.trust)}
        return {each.account.channel for each in found} - doubtful - kept - {channel}

    async def lately(self, channel: str, since: float) -> Sequence[str]:
        """The people who used a channel since a time."""
        return await self._people.active(channel, since)

    # ---- who may not ----------------------------------------------------------------------------

    async def turned_away(self, message: Message, who: Speaker | None) -> str:
        """What somebody is told who may not talk here; mostly nothing. Of what they say nothing is kept."""
        where, sender = message.conversation, message.sender
        if who is None and self.access(where.channel) == "closed":
            return ""
        word, code = split(message.text[: LONGEST + 1])
        if who is None and word == "link" and code:
            vouched, may = self.vouches(where.channel), self._guesses.allows(where.channel)
            return await self.typed(code, message) if vouched and may else ""
        told = where.kind == "direct" and self._told.allows(_key(sender)) and self._crowd.allows(where.channel)
        if not told:
            return ""
        if who is not None:
            return "You may not use this assistant. Ask whoever runs it."
        made = await self._people.make_code(sender, where)
        return PAIR.format(made) if made else ""

    # ---- what people say about their accounts ---------------------------------------------------

    async def code(self, message: Message, person: str) -> str:
        """A code for a person's other account, in words."""
        may, where = self._made.allows(person), message.conversation
        made = await self._people.make_code(message.sender, where, person) if may else ""
        return LINK.format(made) if made else "There were many codes lately. Try again in 10 minutes."

    async def typed(self, code: str, message: Message) -> str:
        """Links the account that typed a code; tells so there, and where the code was shown."""
        account, code = message.sender, code[:LONGEST]
        if message.conversation.kind == "group":
            await self._people.burn(code)
            return "Codes are for private chats. This one does not count any more."
        done = await self._people.redeem(code, account) if self._tries.allows(_key(account)) else None
        if done is None:
            return VOID
        if done.place is not None:
            await self._tell(done.place, f"{_name(account)} speaks for you now. If that is not you: /accounts")
        before = " What was said here before stays with the user that this account had, unseen." if done.before else ""
        return f"This account is linked: you are {plain(done.person.name) or 'the same user'} here.{before}"

    async def _tell(self, place: Conversation, what: str) -> None:
        id = f"identity.{self._clock.new_id()}"
        try:
            await self._say(Outgoing(id, id, place, (Text(what),)))
        except GituError as error:  # what it tells of is done all the same
            log.warning("nobody could be told in the chat where a code was shown: %s", error)

    async def accounts(self, person: str) -> Sequence[str]:
        """The accounts of a person, in lines."""
        lines = []
        for number, each in enumerate(await self._people.accounts(person), 1):
            account = each.account
            trust = "full" if self.vouches(account.channel, each.trust) else "talk only"
            used = datetime.fromtimestamp(each.last_used, UTC).strftime("%Y-%m-%d")
            lines.append(f"{number}. {_name(account)}, {trust}, last used {used}")
        return lines

    async def unlink(self, person: str, which: str) -> str:
        """Unlinks the account with a number, as `accounts` counts; ``NUMBER last`` for the last one."""
        number, _, last = which.partition(" ")
        found = await self._people.accounts(person)
        if not number.isdecimal() or len(number) > 9 or not 0 < int(number) <= len(found) or last not in ("", "last"):
            return "Say which one: /unlink NUMBER, as /accounts counts them."
        account = found[int(number) - 1].account
        try:
            await self._people.unlink(account, person, bool(last))
        except InputError as error:
            again = f" If you mean it: /unlink {number} last" if error.details.get("field") == "last" else ""
            return f"{error.message[0].upper()}{error.message[1:]}.{again}"
        return f"{_name(account)} does not speak for you any more."


def _key(account: Account) -> str:
    return f"{account.channel}:{account.id}"


def _name(account: Account) -> str:
    return f"{plain(account.name) or account.id} on {account.channel}"


def named(message: Message) -> Message:
    """A message whose sender's name is one that can be kept and shown."""
    sender, name = message.sender, message.sender.name
    if len(name) <= MAX_NAME and name.isprintable():
        return message
    return replace(message, sender=replace(sender, name=plain(name)))


def plain(name: str) -> str:
    """A name that somebody chose, short and on one line, without what would steer a terminal."""
    return "".join(filter(str.isprintable, name))[:MAX_NAME]
