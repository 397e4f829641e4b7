"""On whose behalf code of a plugin runs right now. The host sets it around every call; facets read it."""

from __future__ import annotations

from contextvars import ContextVar

from gitu_core.model import CallInfo

CURRENT_CALL: ContextVar[CallInfo | None] = ContextVar("gitu_current_call", default=None)
"""The call that is being worked on in this task; None where a plugin acts of its own accord."""
