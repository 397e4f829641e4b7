"""Tools that say everything of themselves that version 1 of the contract knows."""

from typing import Annotated

from gitu_core import Role, tool

SENT = []


@tool(
    writers={"*.text": "field:from", "": "outside"},
    records={"*.id": "reference:letter", "*.from": "recipient", "*.title": "name", "*.day": "when"},
    private=True,
    output_limit=2000,
    timeout=7.5,
    examples=["read my letters"],
    asked=["read letters", "show letters"],
)
def letters(about: Annotated[str, Role("query")] = "") -> list[dict[str, str]]:
    """Reads letters."""
    return [{"id": "L1", "from": "bo", "title": "Tea", "day": "2030-01-01", "text": "Come to tea."}]


def sent(to: str, body: str) -> str:
    """What became of an earlier call."""
    return "sent" if (to, body) in SENT else "not sent"


@tool(
    effects=["send", "spend"],
    roles={"to": "recipient", "body": "body"},
    records={"receipt": "reference:letter"},
    reversible=True,
    verify=sent,
    audience="others",
    asked=["send a letter"],
)
def send_letter(to: str, body: str) -> dict[str, str]:
    """Sends a letter."""
    SENT.append((to, body))
    return {"receipt": f"L{len(SENT) + 1}"}


def gitu_tools(host):
    """Tools that a model may call."""
    return [letters, send_letter]
