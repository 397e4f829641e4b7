"""``gitu trace``: from an effect back to the person who caused it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from gitu_core.contracts import Admin
from gitu_core.contracts.audit import AuditEntry
from gitu_core.errors import InputError
from gitu_operator.audit import SECONDS
from gitu_operator.shape import Given
from gitu_operator.show import as_json, when

Step = dict[str, Any]
"""A step of a turn as JSON, as it is kept; `type` says which kind."""


async def run(admin: Admin, given: Given) -> str:
    """Runs the command."""
    return "\n".join(await trace(admin, given["id"], bool(given.get("why")), bool(given.get("content"))))


async def trace(admin: Admin, id: str, why: bool, content: bool) -> list[str]:
    """The chain from what *id* names back to whoever caused it, a line each. `InputError` if nothing is known by it."""
    turn = await admin.turn_of(id)
    if not turn:
        found = [each for each in await admin.audit.audit(limit=10_000) if each.id == id]
        if not found:
            raise InputError(f"nothing is known as {id}", hint="take an id from: gitu audit list, or gitu sessions")
        return [*_line(found[0], (), True, content), f"about {found[0].person}"]
    steps: list[Step] = [msgspec.to_builtins(entry.step) for entry in await admin.turns.steps(turn)]
    entries = await admin.audit.audit(turn, limit=10_000)
    calls = {each.facts.get("call") for each in entries if id in (each.id, each.facts.get("call"))}
    chosen = [each for each in entries if each.facts.get("call") in calls] if calls else entries
    lines = [line for each in chosen for line in _line(each, steps, why, content)]
    lines += [f"asked of {step['model']}" for step in steps if step["type"] == "model_answered"] if why else []
    info = steps[0]["info"]
    lines.append(f"in turn {turn} of session {info['session']}, profile {_profile(info)}, for {info['principal']}")
    return [*lines, *await _message(admin, info["cause"], content)]


def _profile(info: dict[str, Any]) -> str:
    return str(info.get("profile", "default"))


async def _message(admin: Admin, cause: str, content: bool) -> list[str]:
    """The message that a turn answers."""
    accepted = await admin.turns.accepted(cause)
    if accepted is None:
        return []
    message = accepted.entry.message
    sender = f"{message.sender.id} ({accepted.entry.person})"
    place = f"on {message.conversation.channel}, {when(message.at, SECONDS)}"
    return [f"because of message {cause} from {sender} {place}", *([f"  {message.text}"] if content else [])]


def _line(entry: AuditEntry, steps: Sequence[Step], why: bool, content: bool) -> list[str]:
    facts = entry.facts
    lines = [f"{when(entry.at, SECONDS)}  {entry.subject} {entry.kind}: {entry.outcome}"]
    if why:
        known = (("reason", facts.get("reason")), ("said by", facts.get("by")), ("approval", facts.get("approval")),
                 ("influenced by", ", ".join(facts.get("origins", ()))), ("key", facts.get("key")))  # fmt: skip
        lines += [f"    {name}: {value}" for name, value in known if value]
    if content:
        calls = {step["call"]["id"]: step["call"] for step in steps if step["type"] == "call_decided"}
        called = calls.get(facts.get("call", ""), {})
        lines += [f"    {name}: {_shown(value)}" for name, value in called.get("arguments", {}).items()]
    return lines


def _shown(value: Any) -> str:
    return value if isinstance(value, str) else as_json(value)
