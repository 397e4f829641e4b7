"""Readers: what a turn may take in where others read along, and what it may say there. What rests on things that only
one person may see is said in front of others when that person says yes to the exact words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import msgspec

from gitu_core.contracts.authority import Verdict
from gitu_core.errors import Denied
from gitu_core.model.audience import audience, readable, with_reader
from gitu_core.model.chat import ModelMessage
from gitu_core.model.label import Label, join_all
from gitu_core.model.message import Text
from gitu_core.model.spec import ToolSpec
from gitu_core.model.steps import CallDecided, Noted
from gitu_core.model.tooling import ToolCall, ToolResult
from gitu_core.model.turn import ToolFinished, ToolStarted, TurnEvent, TurnFinished

if TYPE_CHECKING:
    from gitu_core.runtime.consent import Consent
    from gitu_core.runtime.turn import Turn
    from gitu_core.runtime.work import Work

SAY = ToolSpec("say", "Says an answer where others read it.", effects=("send",), roles={"text": "body"})
"""What an answer is to whoever has to allow it, and to the audit."""

IN_PRIVATE = "The details are in /questions, in a private chat."
REFUSAL = "I do not say here what I found: it rests on what only you may see. Ask me in a private chat."


def reader_of(work: Work) -> str:
    """The reader who has to be allowed what a turn says."""
    return audience(work.conversation, work.info.principal)


def taken_in(history: Sequence[ModelMessage], work: Work) -> list[ModelMessage]:
    """What of a session's history a turn may take in: what everybody may read to whom it speaks. Who is in a group is
    among those who may read what was said there."""
    who, reader = work.info.principal, reader_of(work)
    found = readable(history, reader)
    if reader == who:
        return found
    return [msgspec.structs.replace(each, label=with_reader(each.label, who)) for each in found]


def made_private(label: Label, spec: ToolSpec, principal: str) -> Label:
    """The label of what a tool gives: for its principal's eyes only, where the tool is private."""
    return label.join(Label(readers=frozenset((principal,)))) if spec.private else label


def shown_of(turn: Turn, call: ToolCall, kind: str, question: str) -> str:
    """A question without what the audience of the turn may not read; nothing where it may read all of it."""
    looked = (each.influence for each in turn.state.looked.values())  # the question may name what was looked up
    if join_all((turn.state.label, call.influence, *looked)).readable_by(reader_of(turn.work)):
        return ""
    named = question if kind == "retry" or call.id not in turn.state.open else f"May I use {call.tool}?"
    return f"{named} {IN_PRIVATE}"


def in_sight(event: TurnEvent, reader: str) -> TurnEvent:
    """An event of a turn without what *reader* may not see of it."""
    if isinstance(event, ToolStarted) and not event.call.influence.readable_by(reader):
        return ToolStarted(ToolCall(event.call.id, event.call.tool))
    if isinstance(event, ToolFinished) and not event.result.influence.join(event.call.influence).readable_by(reader):
        bare = ToolCall(event.call.id, "")  # a tool that there is not has whatever name a model gave it
        return ToolFinished(bare, ToolResult(event.result.status), event.seconds)
    if isinstance(event, TurnFinished):
        reply = event.reply
        seen = [reply.label, *(each.influence for each in reply.calls), *(each.influence for each in reply.results)]
        if not all(label.readable_by(reader) for label in seen):
            parts = () if reply.status == "waiting" else reply.parts
            return TurnFinished(msgspec.structs.replace(reply, calls=(), results=(), data=None, parts=parts))
    return event


async def may_say(consent: Consent, turn: Turn, answer: ModelMessage) -> bool:
    """True if the answer of a turn may be said; False where somebody has to allow it first, and True again when what is
    to be said was noted instead. `Denied` for what even the one it is said to may not see."""
    work, reader = turn.work, reader_of(turn.work)
    if work.depth or answer.label.readable_by(reader):
        return True
    if reader == work.info.principal or not answer.label.readable_by(work.info.principal):
        raise Denied("the answer rests on what you may not see", hint="ask whoever may see it")
    call = ToolCall(answer.id, SAY.name, {"text": answer.text}, label=answer.label)
    state = turn.state  # a tool that there is not has whatever name a model gave it
    tools = ", ".join(sorted({
        each.tool for each in state.calls
        if each.id in state.decided and not state.results[each.id].influence.readable_by(reader)
    }))  # fmt: skip
    reason = f"The answer rests on what only you may see{f' ({tools})' if tools else ''}"
    if call.id not in turn.state.decided:
        audited = turn.audited("decided", call, "ask", reason=reason, origins=sorted(answer.label.origins))
        turn.note(CallDecided(call, "ask", reason), audited)
    try:
        if not await consent.given(turn, call, SAY, Verdict("ask", reason), question=f"{reason}. Shall I say it here?"):
            return False
        parts, label = answer.parts, with_reader(answer.label, reader)
    except Denied:
        parts, label = (Text(REFUSAL),), turn.work.ask.label
    turn.note(Noted(ModelMessage("assistant", parts, id=turn.mint(), label=label)))
    return True
