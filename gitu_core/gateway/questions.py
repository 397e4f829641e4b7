"""Answers to questions that turns wait for: taken from the person asked and from nobody else, each question once."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta

import msgspec

from gitu_core.contracts.authority import Grant
from gitu_core.contracts.ports import Approval, Clock, InboxEntry, OutboxEntry, Records
from gitu_core.failpoints import hit
from gitu_core.gateway.jobs import Job, place_of
from gitu_core.model import Answer, Ask, Message
from gitu_core.model.message import same_author

YES = frozenset({"yes", "y", "ok", "allow", "approve"})
NO = frozenset({"no", "n", "deny", "refuse"})
BARE = YES | NO | {"retry", "leave", "session", "always"}
UNTIL = "until "
CLOSED = "This question is closed: it was answered, nobody answered it in time, or it was not asked of you."

FORGEABLE = "Messages from here could be forged, so that this does not count. Answer from another account of yours, \
where /questions shows what I asked."

LONGEST = 24  # characters of a message that may be a bare choice; what is longer is for the assistant
MOST_SHOWN = 1_000  # conversations of which it is remembered which question of another one was shown there last


class Questions:
    """Finds out whether a message answers a question, and records the choice."""

    def __init__(self, records: Records, trusts: Callable[[InboxEntry], Awaitable[bool]], clock: Clock) -> None:
        self._records = records
        self._trusts = trusts
        self._clock = clock
        self._shown: dict[tuple[str, ...], tuple[str, str, float]] = {}

    def shown(self, job: Job, now: float) -> None:
        """A command was answered. Where that showed one question, from somewhere else, a bare word answers it."""
        asks = [part for part in job.reply.parts if isinstance(part, Ask)] if job.reply else []
        where = place_of(job.entry.message.conversation)
        self._shown.pop(where, None)
        if len(asks) == 1:
            self._shown[where] = asks[0].id, f"{job.id}.answer", now
        if len(self._shown) > MOST_SHOWN:
            del self._shown[next(iter(self._shown))]

    def arrived(self, entry: OutboxEntry) -> None:
        """Something that was for another channel was said. Where that is a question, a bare word answers it."""
        said, here = entry.outgoing, entry.outgoing.conversation
        asks = [part for part in said.parts if isinstance(part, Ask)]
        self._shown.pop(where := place_of(here), None)
        if asks:
            self._shown[where] = asks[0].id, said.id, self._clock.now()

    async def take(self, job: Job) -> Approval | str | None:
        """The question that a message settles, or why its answer does not count; None if it is none.

        A bare "yes" or "no" counts only where exactly one question is open for the person in this conversation, or was
        shown there, and was the last thing that was said there: whatever was said since may have asked for a yes as
        well.
        """
        message, person = job.entry.message, job.entry.person
        if not self.may_answer(message):
            return None
        mine = await self._records.approvals(person)
        answer = next((part for part in message.parts if isinstance(part, Answer)), None)
        if answer is not None:
            mine = [each for each in mine if each.id == answer.ask]
        else:
            shown = self._shown.get(place_of(message.conversation), ("", "", 0.0))
            here = [each for each in mine if each.conversation == message.conversation]
            mine = here or [each for each in mine if each.id == shown[0] and shown[2] <= job.at]
        asked = mine[0] if len(mine) == 1 else None
        now = self._clock.now()
        choice = _chosen(_word(answer.choice if answer else message.text), asked.ask.choices, now) if asked else ""
        if answer is None and not (asked and choice and await self._last(job, asked)):
            return None
        if asked is None:
            return CLOSED
        if not choice:
            possible = ", ".join(f"until {_day(now)}" if each == "until" else each for each in asked.ask.choices)
            return f"This does not answer the question. Possible answers: {possible}."
        if not await self._trusts(job.entry):
            return FORGEABLE
        hit("answer.before")
        grant = granted(asked, choice, self._clock)
        settled = await self._records.answer(asked.id, person, choice, job.id, grant)
        hit("answer.after")
        return settled or CLOSED

    async def _last(self, job: Job, asked: Approval) -> bool:
        """True if nothing was said after a question but the message of a job, and that not before it."""
        lane, records = job.entry.session, self._records
        here = asked.conversation == job.entry.message.conversation
        said = asked_as(asked) if here else self._shown[place_of(job.entry.message.conversation)][1]
        if job.again or job.at < asked.created_at or await records.said_since(said, lane):
            return False
        last = await records.history(lane, 1 << 40, 1)
        here = not here or (bool(last) and last[-1].turn == asked.turn)
        open = [id for id, _ in await records.pending_in(lane)]  # what is worked on may have been shown in part
        return (here or not asked.message) and open[:1] == [job.id]

    async def about(self, job: Job) -> list[Approval]:
        """The questions that hold up the message which the one of a job names, and is by the same author."""
        message, asked = job.entry.message, await self._records.approvals(job.entry.person)
        found = {each.message: await self._records.accepted(each.message) for each in asked}
        mine = {
            id for id, row in found.items()
            if row and row.entry.message.key == message.target and same_author(row.entry.message, message)
        }  # fmt: skip
        return [each for each in asked if each.message in mine]

    async def decline(self, asked: Sequence[Approval], why: str) -> list[Approval]:
        """Says no to questions; gives those that were open."""
        return [each for each in asked if await self._records.answer(each.id, "", why) is not None]

    @staticmethod
    def may_answer(message: Message) -> bool:
        """True if a message may be an answer, by its words alone."""
        word = _word(message.text)
        return word in BARE or word.startswith(UNTIL) or any(isinstance(part, Answer) for part in message.parts)


def asked_as(entry: Approval) -> str:
    """The id and key under which a question is said. Asked again, it expires later, and is said under another one."""
    return f"{entry.id}.{entry.expires_at:.3f}"


def _word(text: str) -> str:
    word = text.strip().strip(".!").lower() if len(text) <= LONGEST else ""
    return word.removeprefix("yes,").removeprefix("yes ").strip()


def _chosen(word: str, choices: tuple[str, ...], now: float) -> str:
    if word.startswith(UNTIL) and "until" in choices:
        return word if (ends := _end_of(word)) is not None and ends > now else ""
    for choice in choices:
        if word == choice.lower() != "until":
            return choice
    if len(choices) == 2 or choices[:2] == ("yes", "no"):
        return choices[0] if word in YES else choices[1] if word in NO else ""
    return ""


def noted(answered: Approval) -> str:
    """What is said to an answer where its turn does not go on."""
    more = (
        f" What comes of it is told where I asked, on {answered.conversation.channel}." if answered.conversation else ""
    )
    return f"Noted: {answered.choice}.{more if answered.message else ''}"


def granted(asked: Approval, choice: str, clock: Clock) -> Grant | None:
    """What a choice allows beyond the call that was asked about."""
    made = {"id": clock.new_id(), "made_at": clock.now(), "cause": asked.id}
    if asked.kind == "permit" and asked.grant is not None and choice == "yes":
        return msgspec.structs.replace(asked.grant, **made)
    if asked.grant is None or not (choice in ("session", "always") or choice.startswith(UNTIL)):
        return None
    session, until = asked.session if choice == "session" else "", _end_of(choice)
    return msgspec.structs.replace(asked.grant, session=session, expires_at=until, **made)


def _end_of(choice: str) -> float | None:
    """When the day of an ``until`` ends, UTC; None where none is named."""
    try:
        day = datetime.strptime(choice.removeprefix(UNTIL).strip(), "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError:
        return None
    return (day + timedelta(days=1)).timestamp()


def _day(now: float) -> str:
    return datetime.fromtimestamp(now + 7 * 86_400, UTC).strftime("%Y-%m-%d")
