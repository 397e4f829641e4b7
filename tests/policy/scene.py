"""Tools and sessions for the tests of the policy."""

from __future__ import annotations

from typing import Any

from gitu_core.contracts.authority import Grant, Mode, Verdict
from gitu_core.model import Label, ToolCall, ToolResult, ToolSpec, from_outside, private_to
from gitu_core.policy.decide import decide
from gitu_core.policy.evidence import Evidence, identity
from gitu_core.policy.grants import Grants

ME = "user:anna"
MAIL = ToolSpec("read_mail", "Reads mail.", writers={"": "outside"})
FILES = ToolSpec("list_files", "Lists files.", writers={"": "outside", "id": "system", "name": "principal"},
                 records={"id": "reference:file", "name": "name", "people": "recipient"})  # fmt: skip
MOVES = ToolSpec("list_payments", "Lists payments.", writers={"": "system", "for": "outside"},
                 records={"id": "reference:payment", "for": "name", "amount": "amount", "to": "recipient"})  # fmt: skip
SEND = ToolSpec("send_mail", "Sends mail.", effects=("send",), asked=("send", "email", "write email", "reply"),
                roles={"to": "recipient", "subject": "title", "body": "body"})  # fmt: skip
DELETE = ToolSpec("delete_file", "Deletes a file.", effects=("write",), asked=("delete file", "remove file"),
                  roles={"file": "reference:file"})  # fmt: skip
PAY = ToolSpec("pay", "Pays.", effects=("spend",), asked=("pay", "transfer", "send"),
               roles={"to": "recipient", "amount": "amount", "for": "title"})  # fmt: skip
PASSWORD = ToolSpec("set_password", "Sets it.", effects=("write",), asked=("set password", "change password"),
                    roles={"password": "secret"})  # fmt: skip
FETCH = ToolSpec("fetch", "Gets a page.", roles={"url": "url"}, writers={"": "outside"})
NOTE = ToolSpec("create_note", "Writes a note.", effects=("write",), asked=("create note", "write note"),
                audience="self", reversible=True, roles={"title": "title", "text": "body"})  # fmt: skip
ACTING = (SEND, DELETE, PAY, PASSWORD, NOTE)
TOOLS = (*ACTING, MAIL, FILES, MOVES, FETCH)


def session(
    *said: str, outside: str = "Nothing of interest.", people: tuple[str, ...] = (), mode: Mode = "default",
    grants: tuple[Grant, ...] = (), now: float = 0.0,
) -> Evidence:  # fmt: skip
    """A session in which the user said some things, the last of them just now, and mail was read since."""
    evidence = Evidence(ME, private_to("anna"), people=people, tools=TOOLS, mode=mode)
    evidence.book, evidence.now = Grants(grants), now
    for each in said:
        evidence.heard(each)
    read(evidence, MAIL, [{"text": outside}], from_outside("mail"))
    return evidence


def read(evidence: Evidence, tool: ToolSpec, content: Any, label: Label) -> None:
    """The model reads what a tool gave."""
    evidence.saw(tool, ToolResult(content=content, label=label))
    evidence.label = evidence.label.join(label)


def ask(evidence: Evidence, tool: ToolSpec, **arguments: Any) -> Verdict:
    """What the policy says about a call."""
    return decide(ToolCall("c", tool.name, arguments), tool, evidence)


def began(evidence: Evidence, call: ToolCall, tool: ToolSpec) -> None:
    """A call that was allowed begins."""
    evidence.begun.append((call.id, identity(call, tool, evidence)))


def answer(evidence: Evidence, tool: ToolSpec, **arguments: Any) -> str:
    """The decision alone; what is allowed begins."""
    verdict = ask(evidence, tool, **arguments)
    if verdict.decision == "allow" and tool.acts:
        began(evidence, ToolCall(f"c{len(evidence.begun)}", tool.name, arguments), tool)
    return verdict.decision
