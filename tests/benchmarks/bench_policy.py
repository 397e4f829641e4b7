"""What a decision costs with 1,000 grants, in a turn that read mail, a calendar and files.

Every turn hears a request, reads two long results and decides a hundred times about each of eight calls: grants that
fit and do not, values that the user said, named records, strangers, links that were slipped in. What a turn hears and
reads is indexed once, outside of decisions. The first round of a turn finds the processor's caches cold; it is told.
"""

from __future__ import annotations

import gc
import time
from statistics import median

from gitu_core.contracts.authority import Grant
from gitu_core.model import Label, ToolCall, ToolResult, ToolSpec, from_outside, private_to
from gitu_core.policy.decide import decide
from gitu_core.policy.evidence import Evidence
from gitu_core.policy.grants import Grants
from tests.benchmarks.table import Report, finish, parser

GRANTS, LIMIT, TURNS, TIMES = 1_000, 50.0, 40, 100
"""Grants of the user, microseconds that a decision may take at the 99th percentile, turns, decisions on a call."""

_EVENT_BY = {"": "outside", "id": "system", "day": "system", "with": "system"}
FIND = ToolSpec("find_events", "Finds.", writers=_EVENT_BY,
                records={"id": "reference:event", "title": "name", "day": "when", "with": "recipient"})  # fmt: skip
READ = ToolSpec("read_mail", "Reads.", writers={"": "outside"}, records={"subject": "name", "from": "reply"})
SEND = ToolSpec("send_mail", "Sends.", effects=("send",), asked=("send", "email", "write email"),
                roles={"to": "recipient", "subject": "title", "body": "body"})  # fmt: skip
MOVE = ToolSpec("move_event", "Moves.", effects=("write",), asked=("move event", "reschedule", "move"),
                roles={"event": "reference:event", "day": "when"})  # fmt: skip
PAY = ToolSpec("pay", "Pays.", effects=("spend",), asked=("pay",), roles={"to": "recipient", "amount": "amount"})
TOOLS = (FIND, READ, SEND, MOVE, PAY)
REQUEST = (
    "Please move the 'Team Sync' event to 2024-05-20 and send an email with the new date to anna.berg@example.com and "
    "the participants. Then pay 40.50 to GB29NWBK60161331926819, and tell me what else there is this week."
)
BODY = "Hello, the meeting is on Monday at ten. " * 12


def grants() -> Grants:
    """A thousand, most of them for the same tools, some with patterns."""
    made = []
    for n in range(GRANTS):
        tool = ("send_mail", "pay", f"plugin{n % 40}.do", "mail.*", "move_event")[n % 5]
        when = {"to": f"person{n}@example.com"} if n % 3 else {"to": f"*@firm{n}.example"}
        if tool == "move_event":
            when = {"event": str(10_000 + n)}
        patterns = {path: (pattern,) for path, pattern in when.items()}
        made.append(Grant(f"g{n}", "me", tool, patterns, {"amount": 10.0} if tool == "pay" else {}))
    return Grants(made)


def evidence(all_grants: Grants) -> Evidence:
    """What a turn has read before it acts."""
    outside = private_to("me").join(from_outside("mail")).join(from_outside("calendar"))
    known = Evidence("user:me", outside, people=["anna.berg@example.com"], tools=TOOLS)
    known.book = all_grants
    known.heard(REQUEST)
    events = [{"id": str(n), "title": f"Meeting number {n}", "day": f"2024-05-{n % 28 + 1:02}", "text": "x " * 40,
               "with": [f"p{n}@example.com"]} for n in range(40)]  # fmt: skip
    events[7]["title"] = "Team Sync"
    known.saw(FIND, ToolResult(content=events, label=from_outside("calendar")))
    mails = [{"subject": f"News {n}", "from": f"news{n}@shop.example", "text": f"See https://shop{n}.example/a. " * 5}
             for n in range(30)]  # fmt: skip
    known.saw(READ, ToolResult(content=mails, label=from_outside("mail")))
    known.catch_up()
    return known


CALLS = [
    (MOVE, {"event": "7", "day": "2024-05-20"}, "allow"),
    (SEND, {"to": ["anna.berg@example.com"], "subject": "Team Sync", "body": BODY}, "allow"),
    (SEND, {"to": ["person31@example.com"], "subject": "Team Sync", "body": BODY}, "ask"),
    (SEND, {"to": ["person25@example.com"], "subject": "Team Sync", "body": BODY}, "allow"),
    (SEND, {"to": ["eve@evil.example"], "subject": "x", "body": BODY}, "ask"),
    (SEND, {"to": ["anna.berg@example.com"], "subject": "x", "body": BODY + "https://shop3.example/a"}, "ask"),
    (PAY, {"to": "GB29NWBK60161331926819", "amount": 40.5}, "allow"),
    (MOVE, {"event": "8", "day": "2024-05-20"}, "deny"),
]  # fmt: skip


def main() -> None:
    """Measures and prints."""
    options = parser(__doc__).parse_args()
    report, all_grants = Report("policy"), grants()
    taken: list[int] = []
    reading: list[int] = []
    first: list[int] = []
    tails: list[int] = []
    clock = time.thread_time_ns  # what others do on the machine does not count
    gc.disable()  # a collection belongs to whoever left the garbage
    for turn in range(TURNS):
        began = clock()
        known = evidence(all_grants)
        reading.append(clock() - began)
        for number, (tool, arguments, wanted) in enumerate(CALLS * TIMES):
            call = ToolCall(f"c{number}", tool.name, arguments, label=Label())
            began = clock()
            verdict = decide(call, tool, known)
            taken.append(clock() - began)
            if number < len(CALLS):
                first.append(taken[-1])
            if turn == 0 and verdict.decision != wanted:
                raise SystemExit(
                    f"error: {tool.name} {arguments} was {verdict.decision}, not {wanted}: {verdict.reason}"
                )
        tails.append(sorted(taken[-len(CALLS) * TIMES :])[len(CALLS) * TIMES * 99 // 100])
        gc.collect()
    taken.sort()
    report.line("a decision, median", median(taken) / 1000, "us")
    report.line("a decision, 99th percentile of a turn (median turn)", median(tails) / 1000, "us", LIMIT)
    report.line("a decision, 99th percentile of all", taken[len(taken) * 99 // 100] / 1000, "us")
    first.sort()
    report.line("the first decisions of a turn, median", median(first) / 1000, "us")
    report.line("the first decisions of a turn, 99th percentile", first[len(first) * 99 // 100] / 1000, "us")
    report.line("the longest of 1,000", taken[len(taken) * 999 // 1000] / 1000, "us")
    report.line("a turn's request and results, indexed", median(reading) / 1e6, "ms")
    report.note(f"{len(taken)} decisions in {TURNS} turns, {GRANTS} grants")
    finish(report, options)


if __name__ == "__main__":
    main()
