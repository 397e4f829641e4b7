"""On whose behalf code of a plugin runs right now. The host sets it around every call; facets read it."""

from __future__ import annotations

from contextvars import ContextVar

from gitu_core.model import CallInfo, Label

CURRENT_CALL: ContextVar[CallInfo | None] = ContextVar("gitu_current_call", default=None)
"""The call that is being worked on in this task; None where a plugin acts of its own accord."""


def acting(principal: str) -> CallInfo:
    """The call that is being worked on, else one that stands for *principal* acting of its own accord."""
    return CURRENT_CALL.get() or CallInfo("", "", principal=principal, label=Label(origins=frozenset((principal,))))


def person_of(principal: str) -> str:
    """The person that a principal stands for; nothing if it is not a person."""
    kind, _, person = principal.partition(":")
    return person if kind == "user" else ""
