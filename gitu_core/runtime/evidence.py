"""What a turn knows when a call is decided: what was said and found in its session, what it did, what was allowed."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field

import msgspec

from gitu_core.contracts.authority import Book, Evidence, Grant, Grants, Policy, Verdict
from gitu_core.model import ModelMessage, ToolCall, ToolResult, ToolSpec
from gitu_core.runtime.fold import TurnState
from gitu_core.runtime.toolbox import DELEGATE
from gitu_core.runtime.turn import Turn

MOST = 1_000  # people whose grants are kept in order

LookUp = Callable[[Turn, ToolSpec], Awaitable[None]]
"""Reads with a tool that needs no arguments, for a decision; the model does not see what it gives."""


@dataclass
class Reader:
    """Tells the evidence of a turn, and of those around it, what is new since it was told last."""

    turn: Turn
    specs: dict[str, ToolSpec]
    _told: set[str] = field(default_factory=set)
    _past: list[tuple[ToolCall, ToolSpec]] = field(default_factory=list)
    _handed: bool = False

    def __call__(self, evidence: Evidence) -> None:
        """Tells what is new."""
        turns, outer = [self.turn], self.turn.work.outer
        while outer is not None:
            turns.insert(0, outer)
            outer = outer.work.outer
        for turn in turns:
            if self._fresh(turn.work.info.id):
                self._said(evidence, turn.history)
                self._asked(evidence, turn.work.ask, turn.work.outer is not None)
            self._done(evidence, turn)
        evidence.effects([*self._past, *(each for state in self.turn.all for each in self._begun(state))])

    def _begun(self, state: TurnState) -> Iterator[tuple[ToolCall, ToolSpec]]:
        """The effects of a turn, those that are about to begin as well; one that failed may be tried again."""
        for id, decided in state.decided.items():
            spec, result = self.specs.get(decided.call.tool), state.results.get(id)
            goes = id in state.starts or decided.verdict == "allow"
            if spec is not None and spec.acts and goes and (result is None or result.status in ("ok", "unknown")):
                yield decided.call, spec

    def _said(self, evidence: Evidence, messages: Sequence[ModelMessage]) -> None:
        """What was said and found before. What was done since the last words of the user counts for what they say next,
        where that only agrees with it."""
        calls = {call.id: call for message in messages for call in message.calls}
        for message in messages:
            if message.role == "user" and self._own(message):
                self._heard(evidence, message.text)
            elif message.role == "tool":
                self._handed |= message.name.startswith(DELEGATE)
                spec, call = self.specs.get(message.name) or ToolSpec(message.name, ""), calls.get(message.call_id)
                result = ToolResult(content=_content(message.text), label=message.label)
                undone = message.text.startswith(("error: ", "denied: "))
                if call is not None and spec.acts and not undone:
                    self._past.append((call, spec))
                if undone or message.text.startswith("unknown: "):  # it quotes what the call was handed
                    spec = ToolSpec(message.name, "", writers={"": "outside"})
                evidence.saw(spec, result, call, earlier=True)

    def _heard(self, evidence: Evidence, text: str) -> None:
        if evidence.heard(text):
            self._past, self._handed = [], False
        elif self._handed:  # what a delegate did in an earlier turn, nobody knows here
            evidence.unasked()

    def _asked(self, evidence: Evidence, ask: ModelMessage, inner: bool) -> None:
        """What is asked for now. The task of a turn inside of another one is the model's; its user asked before."""
        if self._own(ask):
            self._heard(evidence, ask.text)
        elif not inner:
            evidence.unasked()

    def _own(self, message: ModelMessage) -> bool:
        """True for the user's own words: what the system says on their behalf asks for nothing."""
        principal = self.turn.work.info.principal
        return principal in message.label.origins and message.label.trusted_for(principal)

    def _done(self, evidence: Evidence, turn: Turn) -> None:
        state = turn.state
        calls = {call.id: call for call in state.calls}
        for id, result in state.results.items():
            if self._fresh(id) and (spec := self.specs.get(calls[id].tool)) is not None:
                evidence.saw(spec, result, calls[id])
        for name, result in state.looked.items():
            if self._fresh(f"{turn.work.info.id}?{name}") and name in self.specs:
                evidence.saw(self.specs[name], result)
        for id, answered in state.answered.items():
            if answered.choice == "no" and self._fresh(f"{id}!"):
                evidence.refused(state.decided[id].call.tool)

    def _fresh(self, what: str) -> bool:
        fresh = what not in self._told
        self._told.add(what)
        return fresh


def _content(text: str) -> object:
    try:
        return msgspec.json.decode(text)
    except (msgspec.MsgspecError, UnicodeEncodeError, RecursionError):
        return text


class Judge:
    """Decides about the calls of turns, with all that is known."""

    def __init__(self, policy: Policy, grants: Grants, look_up: LookUp) -> None:
        self._policy = policy
        self._grants = grants
        self._look_up = look_up
        self._books: dict[str, tuple[Sequence[Grant], Book]] = {}

    async def verdict(self, turn: Turn, call: ToolCall, spec: ToolSpec, specs: dict[str, ToolSpec]) -> Verdict:
        """What may happen with a call. Where it would not simply be allowed, grants are looked at as they are now;
        where its arguments decided that, what they refer to is looked up."""
        if turn.evidence is None:
            read, work = Reader(turn, specs), turn.work
            mode, tools = work.profile.mode, tuple(specs.values())
            turn.evidence = self._policy.evidence(work.info, tools, mode, read)
        evidence: Evidence = turn.evidence
        evidence.label, evidence.now, looked = turn.state.label, turn.now(), False
        evidence.book, others = self._policy.book(()), evidence.label.join(call.influence)
        if not others.trusted_for(turn.work.info.principal):
            evidence.catch_up()
        while (verdict := self._policy.decide(call, spec, evidence)).decision != "allow":
            grants = await self._grants.grants(turn.work.person)
            if grants and evidence.book is not (book := self._book(turn.work.person, grants)):
                evidence.book = book
            elif looked or not verdict.sources or not await self._looked(turn, call, spec, specs, evidence):
                return verdict
            else:
                looked = True
                evidence.catch_up()
        if verdict.grant is None or verdict.grant.uses is None or await self._grants.use_grant(verdict.grant):
            return verdict
        return await self.verdict(turn, call, spec, specs)  # somebody else used it up meanwhile

    def standing(self, call: ToolCall, spec: ToolSpec, person: str) -> Grant | None:
        """What a standing yes to a call would allow."""
        return self._policy.standing(call, spec, person)

    def _book(self, person: str, grants: Sequence[Grant]) -> Book:
        known = self._books.get(person)
        if known is None or known[0] is not grants:
            self._books = {} if len(self._books) > MOST else self._books
            known = self._books[person] = grants, self._policy.book(grants)
        return known[1]

    async def _looked(
        self, turn: Turn, call: ToolCall, spec: ToolSpec, specs: dict[str, ToolSpec], evidence: Evidence
    ) -> bool:
        """True if something was looked up that may change a decision."""
        names = [name for name in self._policy.lacks(call, spec, evidence) if name not in turn.state.looked]
        for name in names:
            await self._look_up(turn, specs[name])
        return bool(names)
