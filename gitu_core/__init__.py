"""Gitu: a plugin-first agent framework and a universal assistant.

Every public name is listed once, below, and loaded when it is first used: importing this package loads nothing else.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from gitu_core.app import Gitu as Gitu
    from gitu_core.config import Limits as Limits
    from gitu_core.config import Profile as Profile
    from gitu_core.contracts.host import Host as Host
    from gitu_core.contracts.tool import Tool as Tool
    from gitu_core.errors import GituError as GituError
    from gitu_core.errors import ToolError as ToolError
    from gitu_core.hookspecs import hook as hook
    from gitu_core.model import Account as Account
    from gitu_core.model import Answer as Answer
    from gitu_core.model import AnswerDelta as AnswerDelta
    from gitu_core.model import Ask as Ask
    from gitu_core.model import BlobRef as BlobRef
    from gitu_core.model import Claim as Claim
    from gitu_core.model import Conversation as Conversation
    from gitu_core.model import Delivery as Delivery
    from gitu_core.model import Label as Label
    from gitu_core.model import Location as Location
    from gitu_core.model import Media as Media
    from gitu_core.model import Message as Message
    from gitu_core.model import Outgoing as Outgoing
    from gitu_core.model import Reply as Reply
    from gitu_core.model import Text as Text
    from gitu_core.model import ToolCall as ToolCall
    from gitu_core.model import ToolFinished as ToolFinished
    from gitu_core.model import ToolResult as ToolResult
    from gitu_core.model import ToolSpec as ToolSpec
    from gitu_core.model import ToolStarted as ToolStarted
    from gitu_core.model import TurnEvent as TurnEvent
    from gitu_core.model import TurnFinished as TurnFinished
    from gitu_core.model import Usage as Usage
    from gitu_core.sync import SyncGitu as SyncGitu
    from gitu_core.tools import Role as Role
    from gitu_core.tools import ToolContext as ToolContext
    from gitu_core.tools import tool as tool

_HOMES = {
    "app": "Gitu",
    "config": "Limits Profile",
    "contracts.host": "Host",
    "contracts.tool": "Tool",
    "errors": "GituError ToolError",
    "hookspecs": "hook",
    "model.chat": "Usage",
    "model.label": "Label",
    "model.memory": "Claim",
    "model.message": "Account Answer Ask BlobRef Conversation Delivery Location Media Message Outgoing Text",
    "model.tooling": "ToolCall ToolResult ToolSpec",
    "model.turn": "AnswerDelta Reply ToolFinished ToolStarted TurnEvent TurnFinished",
    "sync": "SyncGitu",
    "tools": "Role ToolContext tool",
}
_HOME = {name: module for module, names in _HOMES.items() for name in names.split()}

__all__ = [*sorted(_HOME), "__version__"]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
