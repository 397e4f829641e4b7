"""A reply in the words that go out on a channel, and as it is found again when the same message comes once more."""

from __future__ import annotations

from typing import Any, get_args, get_type_hints

from gitu_core.contracts.ports import Records
from gitu_core.errors import Unknown
from gitu_core.gateway.jobs import Job
from gitu_core.gateway.past import Past, turns_of
from gitu_core.model import ErrorInfo, Outgoing, Part, Reply, Text

ABANDONED = "abandoned"
"""The outcome of a message that nobody dealt with for so long that nobody will."""

_STATES = get_args(get_type_hints(Reply)["status"])


def answer(job: Job, reply: Reply) -> Outgoing:
    """A reply as the message that goes out. Its id and key follow from the job, whoever runs it and however often."""
    parts = reply.parts
    if reply.error is not None:
        parts = (Text(in_words("I could not finish this", reply.error)),)
    elif reply.status == "cancelled":
        parts = (Text("Stopped."),)
    elif reply.degraded and parts:
        lines = dict.fromkeys(f"({_who(each)} {in_words('could not answer', each)})" for each in reply.failures)
        parts = (*parts, Text("\n".join(lines)))
    message = job.entry.message
    return Outgoing(
        f"{job.id}.answer", f"{job.id}.answer", message.conversation, parts, cause=reply.turn, label=reply.label
    )


def in_words(what: str, error: ErrorInfo) -> str:
    """What did not work, why, and what to do next."""
    hint = f" Next: {error.hint.rstrip('.')}." if error.hint else ""
    return f"{what}: {error.message.rstrip('.')}.{hint}"


def _who(error: ErrorInfo) -> str:
    return str(error.details.get("model") or "a model")


async def recalled(records: Records, job: Job, outcome: str) -> Reply:
    """The reply that a message had when it was dealt with. `Unknown` if it never had one and never will."""
    past = Past(await records.steps_under(turns_of(job.id)), turns_of(job.id))
    if past.reply is not None:
        return past.reply
    if past.waits:
        asks = [each.ask for each in await records.approvals(turn=past.turn) if each.state == "pending"]
        return Reply(past.turn, job.entry.session, "waiting", tuple(asks), label=job.entry.message.label)
    if outcome == ABANDONED:
        raise Unknown("nobody answered this message in time, and it was given up",
                      hint="see what it did, and send it again under another key")  # fmt: skip
    said = await records.outgoing(f"{job.id}.answer")
    parts: tuple[Part, ...] = said.outgoing.parts if said is not None else ()
    status: Any = outcome if outcome in _STATES else "ok" if parts else "silent"
    label = job.entry.message.label if said is None else said.outgoing.label
    if status == "failed":
        text = said.outgoing.text if said is not None else "it could not be finished"
        return Reply("", job.entry.session, status, error=ErrorInfo("error", text), label=label)
    cause = said.outgoing.cause if said is not None else ""
    return Reply(cause, job.entry.session, status, () if status == "cancelled" else parts, label=label)
