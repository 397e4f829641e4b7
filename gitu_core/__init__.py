"""Gitu: a plugin-first agent framework and a universal assistant.

Every public name is listed once, below, and loaded when it is first used: importing this package loads nothing else.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from gitu_core.app import Gitu
    from gitu_core.config import Limits, Profile
    from gitu_core.contracts import Host, Tool
    from gitu_core.errors import GituError, ToolError
    from gitu_core.hookspecs import hook
    from gitu_core.model import Account, Claim, Conversation, Label, Usage
    from gitu_core.model.message import Answer, Ask, BlobRef, Delivery, Location, Media, Message, Outgoing, Text
    from gitu_core.model.spec import ToolSpec
    from gitu_core.model.tooling import ToolCall, ToolResult
    from gitu_core.model.turn import AnswerDelta, Reply, ToolFinished, ToolStarted, TurnEvent, TurnFinished
    from gitu_core.schemas import Schema
    from gitu_core.sync import SyncGitu
    from gitu_core.tools import Role, ToolContext, tool

__all__ = [
    "Account", "Answer", "AnswerDelta", "Ask", "BlobRef", "Claim", "Conversation", "Delivery", "Gitu", "GituError",
    "Host", "Label", "Limits", "Location", "Media", "Message", "Outgoing", "Profile", "Reply", "Role", "Schema",
    "SyncGitu", "Text", "Tool", "ToolCall", "ToolContext", "ToolError", "ToolFinished", "ToolResult", "ToolSpec",
    "ToolStarted", "TurnEvent", "TurnFinished", "Usage", "hook", "tool",
]  # fmt: skip
__all__ += ["__version__"]

_HOMES = {
    "app": "Gitu",
    "config": "Limits Profile",
    "contracts": "Host Tool",
    "errors": "GituError ToolError",
    "hookspecs": "hook",
    "model": "Account Answer AnswerDelta Ask BlobRef Claim Conversation Delivery Label Location Media Message Outgoing"
    " Reply Text ToolCall ToolFinished ToolResult ToolSpec ToolStarted TurnEvent TurnFinished Usage",
    "schemas": "Schema",
    "sync": "SyncGitu",
    "tools": "Role ToolContext tool",
}
_HOME = {name: module for module, names in _HOMES.items() for name in names.split()}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
