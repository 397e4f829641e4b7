"""Whether a person said yes to a call: asked once, bound to the exact arguments, and waited for outside of memory."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Literal

import msgspec

from gitu_core.contracts.audit import AuditEntry
from gitu_core.contracts.authority import Grant, Verdict
from gitu_core.contracts.ports import Approval, Clock
from gitu_core.errors import Denied, ToolError
from gitu_core.failpoints import hit
from gitu_core.model import NANO, Ask, AskItem, ToolCall, ToolSpec
from gitu_core.model.steps import CallAnswered
from gitu_core.runtime.failures import error_info
from gitu_core.runtime.readers import shown_of
from gitu_core.runtime.turn import Turn, digest_of
from gitu_core.runtime.work import Work

Approve = Callable[[Work, ToolCall, ToolSpec, Verdict], Awaitable[str | None]]
"""Decides about a call at once: ``yes``, or the reason why not. None: ask the person, and wait."""

Kind = Literal["approve", "retry"]

NOTHING: Mapping[str, str] = MappingProxyType({})

OPEN_FOR = 86_400.0
"""Seconds that a question stays open."""

APPROVE, RETRY = ("yes", "no"), ("retry", "leave")

STANDING = ("session", "always", "until")
"""A yes that holds for longer: in this session, for ever, or until a day (``until 2031-12-31``)."""


class Consent:
    """Asks for a yes, and finds the answer when the turn goes on."""

    def __init__(self, clock: Clock, approve: Approve) -> None:
        self._clock = clock
        self._approve = approve

    @staticmethod
    def bounded(turn: Turn, verdict: Verdict) -> Verdict:
        """The verdict, unless it is a question and the turn has asked as often as it may."""
        most = turn.work.profile.limits.questions
        if verdict.decision != "ask" or _asked(turn) < most:
            return verdict
        return Verdict("deny", f"{verdict.reason}; this task asked {most} times already", verdict.sinks)

    async def given(
        self, turn: Turn, call: ToolCall, spec: ToolSpec, verdict: Verdict, standing: Grant | None = None,
        question: str = "",
    ) -> bool:  # fmt: skip
        """True for a yes; False where the turn has to wait for one. `Denied` for a no. *standing* is what a yes that
        holds for longer would allow."""
        answered = self._arrived(turn, call, "approve")
        if answered is None:
            said = None if self._waits(turn, call, "approve") else await self._approve(turn.work, call, spec, verdict)
            if said is None:
                hit("park.before")
                question = question or f"May I use {spec.name}? {verdict.reason}."
                choices = APPROVE + (STANDING if standing else ())
                items = described(call, verdict.sources)
                told = [*_consequences(spec), *_lines(items), *_history(turn)]
                told += [f"a yes that holds for longer allows: {standing}"] if standing else []
                self.ask(turn, call, "approve", question, choices, "\n".join(told), items, standing)
                return False
            answered = CallAnswered(call.id, "", said, "app", digest_of(call))
            turn.note(answered, _audited(turn, call, answered))
        if answered.digest != digest_of(call):
            raise Denied("the arguments are not those that were approved", hint="ask again")
        if not is_yes(answered.choice):
            raise declined(answered.choice)
        return True

    def again(self, turn: Turn, call: ToolCall) -> str:
        """The choice about a call of which nobody knows whether it was done: ``retry``, ``leave``, ``expired``, or
        ``""`` where the turn has to wait for it. Code that approves is not asked: it would say yes to whatever it was
        made for, and do it twice."""
        if not turn.work.parks:
            return "leave"
        answered = self._arrived(turn, call, "retry")
        if answered is not None:
            return answered.choice
        question = f"I was interrupted, and nobody knows whether {call.tool} was done. Shall I do it again?"
        self.ask(turn, call, "retry", question, RETRY, describe_call(call, None))
        return ""

    def stuck(self, turn: Turn, call: ToolCall, error: ToolError) -> str:
        """The tool of a call that was decided about is gone: the question stays open until it is back, unless somebody
        said no meanwhile or nobody said anything; that choice is given then."""
        kind: Kind = "retry" if call.id in turn.state.started else "approve"
        found = turn.approvals.get(self._id(turn, call, kind))
        if found is not None and found.state != "pending":
            if not is_yes(found.choice):
                answered = self._arrived(turn, call, kind)
                return answered.choice if answered is not None else ""
            turn.asks.append(asked_again(found, self._clock.now()))
        turn.stuck = error_info(error)
        choices = RETRY if kind == "retry" else APPROVE
        self.ask(turn, call, kind, f"{error.message}. Shall I go on?", choices, describe_call(call, None))
        return ""

    def ask(
        self, turn: Turn, call: ToolCall, kind: Kind, question: str, choices: tuple[str, ...], details: str,
        items: tuple[AskItem, ...] = (), grant: Grant | None = None,
    ) -> None:  # fmt: skip
        """Asks a question about a call, unless it is open already."""
        id = self._id(turn, call, kind)
        if id in turn.approvals:
            return
        work, now = turn.work, self._clock.now()
        ask = Ask(id, question, choices, details, items)
        turn.asks.append(Approval(
            id, work.person, work.info.session, work.root, work.message, call.id, digest_of(call), ask, now + OPEN_FOR,
            now, kind, work.conversation, grant, shown=shown_of(turn, call, kind, question),
        ))  # fmt: skip

    def _waits(self, turn: Turn, call: ToolCall, kind: str) -> bool:
        return self._id(turn, call, kind) in turn.approvals

    def _arrived(self, turn: Turn, call: ToolCall, kind: str) -> CallAnswered | None:
        """The answer that came while the turn was parked; from here on it is a step of the turn. Where the question was
        asked again since, the last answer counts."""
        found, known = turn.approvals.get(self._id(turn, call, kind)), turn.state.answered.get(call.id)
        if found is None or (known is not None and known.choice == found.choice):
            return known
        if found.state == "pending":
            return None
        answered = CallAnswered(call.id, found.id, found.choice or "expired", found.by, found.digest)
        turn.note(answered, _audited(turn, call, answered))
        return answered

    @staticmethod
    def _id(turn: Turn, call: ToolCall, kind: str) -> str:
        # A call that was dispatched again can get lost again: that is another question.
        return f"{call.id}.{kind}{turn.state.starts.get(call.id, 0) or ''}"


def _audited(turn: Turn, call: ToolCall, answered: CallAnswered) -> AuditEntry:
    return turn.audited("answered", call, answered.choice, by=answered.by, approval=answered.approval)


def declined(choice: str) -> Denied:
    """What a call gets that nobody said yes to."""
    words = {"no": "the user said no", "expired": "nobody answered in time"}
    return Denied(words.get(choice, choice), hint="tell the user what you wanted to do")


def asked_again(entry: Approval, now: float) -> Approval:
    """A question that was answered, and has to be asked once more."""
    return msgspec.structs.replace(entry, state="pending", choice="", expires_at=now + OPEN_FOR, created_at=now)


def is_yes(choice: str) -> bool:
    """True for a choice that lets a call be run."""
    return choice in ("yes", "retry", *STANDING) or choice.startswith("until ")


def described(call: ToolCall, sources: Mapping[str, str] = NOTHING) -> tuple[AskItem, ...]:
    """The exact arguments of a call, each with where it came from."""
    found = [(path.partition(".")[0], words) for path, words in sources.items()]
    return tuple(
        AskItem(name, _shown(value), "; ".join(dict.fromkeys(words for path, words in found if path == name)))
        for name, value in call.arguments.items()
    )


def describe_call(call: ToolCall, tool: ToolSpec | None) -> str:
    """The exact call in words, for whoever has to agree to it."""
    return "\n".join([*(_consequences(tool) if tool else [call.tool]), *_lines(described(call))])


def _lines(items: Sequence[AskItem]) -> list[str]:
    return [f"{item.name}: {item.value}" + (f"  [{item.source}]" if item.source else "") for item in items]


def _consequences(tool: ToolSpec) -> list[str]:
    undo = "can be undone" if tool.reversible else "cannot be undone"
    return [f"{tool.name} ({', '.join(tool.effects)}{f'; {undo}' if tool.acts else ''})"]


def _history(turn: Turn) -> list[str]:
    """How often the task asked already, and what it has cost."""
    asked, cost = _asked(turn), turn.state.usage.cost / NANO
    told = [f"this is question {asked + 1} of this task"] if asked else []
    return told + ([f"the task has cost ${cost:.4f} so far"] if cost >= 0.0001 else [])


def _asked(turn: Turn) -> int:
    return len({each.id for each in (*turn.approvals.values(), *turn.asks) if each.kind == "approve"})


def _shown(value: Any) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()
