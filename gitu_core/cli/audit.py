"""``gitu audit``: what was done on whose word, and whether the record is whole. ``gitu trace``: from an effect back to
the person who caused it."""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from typing import Any

from gitu_core.cli.common import answering
from gitu_core.cli.show import as_json, paint, table
from gitu_core.contracts.audit import AuditEntry, AuditReport
from gitu_core.contracts.ports import Store
from gitu_core.errors import InputError
from gitu_core.gateway import turns_of
from gitu_core.model.steps import Begun, CallDecided, ModelAnswered, Step
from gitu_core.secrecy import hidden

HEAD = ("n", "when", "person", "what", "of", "outcome", "why")


def arguments(name: str, command: argparse.ArgumentParser) -> None:
    """What the command takes."""
    if name == "trace":
        command.add_argument("id", help="a turn, a call, an audit entry, a message that was taken in or sent")
        command.add_argument("--why", action="store_true", help="also what influenced it and who said yes")
        command.add_argument("--content", action="store_true", help="also the exact arguments and the person's words")
        return
    command.add_argument("action", nargs="?", default="list", choices=("list", "verify"),
                         help="print the newest entries, or follow the chain (default: list)")  # fmt: skip
    command.add_argument("--turn", default="", help="only entries of this turn")
    command.add_argument("--person", default="", help="only entries of this person")
    command.add_argument("--limit", type=int, default=50, help="how many entries (default: 50)")
    command.add_argument("--noted", default="", help="an end of the chain that an earlier verify printed")
    command.add_argument("--json", action="store_true", help="print JSON")


async def run(options: argparse.Namespace) -> int:
    """Runs the command."""
    return await (_trace if options.command == "trace" else _audit)(options)


async def _audit(options: argparse.Namespace) -> int:
    report, entries = None, list[AuditEntry]()
    async with answering(options) as gitu:
        if options.action == "verify":
            report = await gitu.house.store.audit_verify(options.noted)
        else:
            entries += await gitu.house.store.audit(options.turn, options.person, options.limit)
    if report is not None:
        print(as_json(report) if options.json else _words(report))
        return 1 if report.problems else 0
    print(as_json(entries) if options.json else table(HEAD, [_row(each) for each in entries]))
    return 0


def _words(report: AuditReport) -> str:
    gone = f", {report.erased} of them without facts, which were erased" if report.erased else ""
    lines = [f"{report.entries} entries{gone}", f"the chain ends at {report.head}"]
    lines += [paint(problem, "red") for problem in report.problems] or [paint("it is whole", "green")]
    return "\n".join(lines)


def _row(entry: AuditEntry) -> tuple[str, ...]:
    facts = entry.facts
    why = str(facts.get("reason") or (f"by {facts['by']}" if facts.get("by") else ""))
    return str(entry.n), _when(entry.at), entry.person, entry.kind, entry.subject, entry.outcome, why


def _when(at: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(at)) if at else ""


async def _trace(options: argparse.Namespace) -> int:
    async with answering(options) as gitu:
        lines = await trace(gitu.house.store, options.id, options.why, options.content)
    print(hidden("\n".join(lines)))
    return 0


async def trace(store: Store, id: str, why: bool, content: bool) -> list[str]:
    """The chain from what *id* names back to whoever caused it, a line each. `InputError` if nothing is known by it."""
    turn = await _turn_of(store, id)
    if not turn:
        found = [each for each in await store.audit(limit=10_000) if each.id == id]
        if not found:
            raise InputError(f"nothing is known as {id}", hint="take an id from: gitu audit list, or gitu sessions")
        return [*_line(found[0], (), True, content), f"about {found[0].person}"]
    steps = [entry.step for entry in await store.steps(turn)]
    begun = steps[0]
    assert isinstance(begun, Begun)
    entries = await store.audit(turn, limit=10_000)
    calls = {each.facts.get("call") for each in entries if id in (each.id, each.facts.get("call"))}
    chosen = [each for each in entries if each.facts.get("call") in calls] if calls else entries
    lines = [line for each in chosen for line in _line(each, steps, why, content)]
    lines += [f"asked of {step.model}" for step in steps if isinstance(step, ModelAnswered)] if why else []
    info = begun.info
    lines.append(f"in turn {turn} of session {info.session}, profile {info.profile}, for {info.principal}")
    accepted = await store.accepted(info.cause)
    if accepted is not None:
        message = accepted.entry.message
        sender = f"{message.sender.id} ({accepted.entry.person})"
        place = f"on {message.conversation.channel}, {_when(message.at)}"
        lines.append(f"because of message {info.cause} from {sender} {place}")
        lines += [f"  {message.text}"] if content else []
    return lines


async def _turn_of(store: Store, id: str) -> str:
    """The turn that *id* names, or is a part of; empty where it is none's."""
    sent = await store.outgoing(id)
    names = [sent.outgoing.cause] if sent is not None else []
    names += [entry.turn for entry in await store.audit(id=id)]
    names += [id, id.partition("_")[0]]
    for name in filter(None, names):
        if await store.steps(name):
            return name
        if under := await store.steps_under(turns_of(name)):
            return max(entry.turn for entry in under if "." not in entry.turn)
    return ""


def _line(entry: AuditEntry, steps: Sequence[Step], why: bool, content: bool) -> list[str]:
    facts = entry.facts
    lines = [f"{_when(entry.at)}  {entry.subject} {entry.kind}: {entry.outcome}"]
    if why:
        known = (("reason", facts.get("reason")), ("said by", facts.get("by")), ("approval", facts.get("approval")),
                 ("influenced by", ", ".join(facts.get("origins", ()))), ("key", facts.get("key")))  # fmt: skip
        lines += [f"    {name}: {value}" for name, value in known if value]
    if content:
        calls = {step.call.id: step.call for step in steps if isinstance(step, CallDecided)}
        call = calls.get(facts.get("call", ""))
        lines += [f"    {name}: {_shown(value)}" for name, value in (call.arguments if call else {}).items()]
    return lines


def _shown(value: Any) -> str:
    return value if isinstance(value, str) else as_json(value)
