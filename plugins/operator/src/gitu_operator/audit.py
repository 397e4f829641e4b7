"""``gitu audit``: what was done on whose word, and whether the record is whole."""

from __future__ import annotations

from gitu_core.contracts import Admin
from gitu_core.contracts.audit import AuditEntry, AuditReport
from gitu_operator.shape import Given
from gitu_operator.show import as_json, paint, table, when

HEAD = "n", "when", "person", "what", "of", "outcome", "why"

SECONDS = "%Y-%m-%d %H:%M:%S"


async def run(admin: Admin, given: Given) -> tuple[str, bool]:
    """Runs the command; not well if the record is not whole."""
    if given["action"] == "verify":
        report = await admin.audit.audit_verify(given.get("noted", ""))
        return as_json(report) if given.get("json") else _words(report), not report.problems
    entries = await admin.audit.audit(given.get("turn", ""), given.get("person", ""), given["limit"])
    return as_json(entries) if given.get("json") else table(HEAD, [_row(each) for each in entries]), True


def _words(report: AuditReport) -> str:
    gone = f", {report.erased} of them without facts, which were erased" if report.erased else ""
    lines = [f"{report.entries} entries{gone}", f"the chain ends at {report.head}"]
    lines += [paint(problem, "red") for problem in report.problems] or [paint("it is whole", "green")]
    return "\n".join(lines)


def _row(entry: AuditEntry) -> tuple[str, ...]:
    facts = entry.facts
    why = str(facts.get("reason") or (f"by {facts['by']}" if facts.get("by") else ""))
    return str(entry.n), when(entry.at, SECONDS), entry.person, entry.kind, entry.subject, entry.outcome, why
