"""The decision about a call: a pure function of the call, its tool, and the evidence. It never asks a model."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, cast

from gitu_core.contracts import authority
from gitu_core.contracts.authority import Grant, Mode, Verdict
from gitu_core.model import Label, ToolCall, ToolSpec, TurnInfo
from gitu_core.policy.evidence import Evidence, Role
from gitu_core.policy.grants import Grants, standing
from gitu_core.policy.paths import follow
from gitu_core.policy.records import all_strings
from gitu_core.policy.sources import trace, unanchored
from gitu_core.policy.text import pieces, scan
from gitu_core.policy.wish import Wish

_SLIPPED = {"email": "an address", "url": "a link", "account": "an account"}
_READS = Verdict("allow", "it only reads")
_READING = Wish("yes", reads=True)
_TRUSTED = Verdict("allow", "only people you trust wrote what led to it")


def decide(call: ToolCall, tool: ToolSpec, evidence: Evidence) -> Verdict:
    """What may happen, and why, in words.

    Reading is free. What acts, or sends data to a place that the call chooses, needs a grant, or a context that only
    trusted people wrote, or all of this: the user asked for it, every value that decides where it goes comes from the
    user, nothing leaves with it that others slipped in, and it was not done in this turn already.
    """
    acts, roles = tool.acts, evidence.roles(tool)
    if acts and (bare := call.arguments.keys() - tool.roles.keys()):  # what nobody described may decide
        roles = [*roles, *(Role(it, "", "", True) for it in sorted(bare - {at.partition(".")[0] for at in tool.roles}))]
    sinks = [(role, each) for role in roles if role.sink for each in follow(call.arguments, role.path)]
    if not acts and not sinks:
        return _READS
    paths = tuple(dict.fromkeys(role.path for role, _ in sinks))
    if evidence.mode == "read-only" and acts:
        return Verdict("deny", f"this session only looks; {tool.name} acts", paths)
    influence = evidence.label.join(call.influence)
    if not influence.readable_by(evidence.principal) and (tool.audience == "others" or _leaves(tool, sinks)):
        return Verdict("deny", f"it would tell what only {', '.join(sorted(influence.readers or ()))} may know", paths)
    trusted = influence.trusted_for(evidence.principal, tool.heeds)
    grant = evidence.book.find(tool.name, call.arguments, evidence, trusted)
    if grant is not None:
        return Verdict("allow", f"you allowed it beforehand (grant {grant.id})", paths, grant=grant)
    if evidence.mode == "confirm" and acts:
        return Verdict("ask", "you want to be asked before everything that acts", paths)
    if trusted:
        return _TRUSTED
    if evidence.request is None:
        return Verdict("ask", f"{tool.name} acts after content from {_others(influence, evidence)} was read", paths)
    return _after_outside(call, tool, evidence, sinks, paths, influence, acts)


def _after_outside(
    call: ToolCall, tool: ToolSpec, evidence: Evidence, sinks: list[tuple[Role, Any]], paths: tuple[str, ...],
    influence: Label, acts: bool,
) -> Verdict:  # fmt: skip
    """The decision once outside content has entered."""
    wish, doubts, sources, denied = _READING, list[str](), dict[str, str](), False
    if acts:
        wish = evidence.wish(tool)
        if why := _unwanted(tool, wish, evidence):
            return Verdict(
                "deny", f"{why}; it was tried after content from {_others(influence, evidence)} was read", paths
            )
        doubts = _unclear(call, tool, wish, evidence)
    # What is neither clearly asked for nor going where the user said would only spend their attention.
    vague = wish.asked in ("likely", "unclear") and not (wish.delegated or wish.guessed)
    strict = acts and vague and evidence.understood
    for role, value in sinks:
        found = trace(role, value, wish, evidence)
        sources[role.path] = f"{sources[role.path]}; {found.words}" if role.path in sources else found.words
        if found.how != "ok":
            doubts.append(f"{role.path}: {found.words}")
            denied |= strict or found.how == "no"
    if acts and not sinks:
        loose = unanchored(call, tool, wish, evidence)
        doubts, denied = doubts + loose, bool(loose) and strict
    if tool.audience == "others" or (tool.audience != "self" and sinks and _leaves(tool, sinks)):
        doubts += _slipped_in(call, set(paths), evidence, sources)
    if not doubts:
        return Verdict("allow", "you asked for it, and what decides where it goes comes from you", paths, sources)
    if tool.name in evidence.declined:  # what is clear is allowed all the same
        denied, doubts = True, [f"you declined {tool.name} in this turn already", *doubts]
    reason = f"{tool.name} acts after content from {_others(influence, evidence)} was read: {'; '.join(doubts)}"
    return Verdict("deny" if denied else "ask", reason, paths, sources)


def _unwanted(tool: ToolSpec, wish: Wish, evidence: Evidence) -> str:
    """Why an effect is not even asked about; empty if it may be."""
    if wish.asked == "no":
        return f"nobody asked for {tool.name}"
    if wish.delegated and "spend" in tool.effects and not tool.reversible:
        return f"money is only spent when you ask for it, and nobody asked for {tool.name}"
    return ""


def _unclear(call: ToolCall, tool: ToolSpec, wish: Wish, evidence: Evidence) -> list[str]:
    """What speaks against an effect, wherever it goes."""
    doubts = []
    if wish.asked == "unclear" or (wish.asked in ("maybe", "likely") and not tool.reversible):
        doubts.append(f"it is not clear that you asked for {tool.name}")
    if evidence.begun and evidence.repeated(call, tool):
        doubts.append("the same was done in this turn already")
    return doubts


def _others(influence: Label, evidence: Evidence) -> str:
    return ", ".join(sorted(influence.origins - {evidence.principal, "system"})) or "somebody else"


def _leaves(tool: ToolSpec, sinks: list[tuple[Role, Any]]) -> bool:
    """True if somebody other than the user sees what the call carries."""
    return "send" in tool.effects or any(role.base in ("recipient", "url") for role, _ in sinks)


def _slipped_in(call: ToolCall, places: set[str], evidence: Evidence, sources: dict[str, str]) -> list[str]:
    """The links, addresses, accounts and secrets in the texts of a call that no trusted person wrote."""
    doubts: list[str] = []
    for path, text in all_strings(call.arguments):
        if path.removesuffix(".*") in places or path in places:
            continue
        bad = {key: _SLIPPED[kind] for kind, key in scan(text) if not evidence.trusts(kind, key)}
        if evidence.secrets:
            found = (word for word in pieces(text) if word in evidence.secrets)
            bad |= {word: f"a secret from {evidence.secrets[word]}" for word in found}
        if bad:
            doubts.append(f"{path} carries {' and '.join(dict.fromkeys(bad.values()))} that you did not write")
            sources[path] = f"not from you: {', '.join(bad)}"
    return doubts


class LabelPolicy:
    """Decides by labels, roles and what the user said (the port `Policy`)."""

    def evidence(
        self, turn: TurnInfo, tools: Sequence[ToolSpec], mode: Mode, read: Callable[[authority.Evidence], None]
    ) -> authority.Evidence:
        """What a turn knows."""
        made = Evidence(turn.principal, mode=mode, tools=tools, session=turn.session, read=read)
        return cast(authority.Evidence, made)

    def decide(self, call: ToolCall, tool: ToolSpec, evidence: authority.Evidence) -> Verdict:
        """What may happen, and why, in words."""
        return decide(call, tool, cast(Evidence, evidence))

    def lacks(self, call: ToolCall, tool: ToolSpec, evidence: authority.Evidence) -> Sequence[str]:
        """The tools that could tell what a call is about."""
        return cast(Evidence, evidence).lacks(call, tool)

    def book(self, grants: Iterable[Grant]) -> authority.Book:
        """Grants, ordered."""
        return Grants(grants)

    def standing(self, call: ToolCall, tool: ToolSpec, person: str) -> Grant | None:
        """What a standing yes to a call allows."""
        return standing(call, tool, person)
