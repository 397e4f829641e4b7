"""The contracts: one module a seam, and the values they speak in. What an author needs beyond `gitu_core` is here."""

from gitu_core.contracts.adapter import Adapter, Channel, Inbox
from gitu_core.contracts.base import SEAMS, WIRE_VERSION, Seam, contract, seam_of
from gitu_core.contracts.dispatcher import Dispatcher, Handler
from gitu_core.contracts.host import (
    FACETS,
    Admin,
    Asking,
    Blobs,
    Entry,
    FileInfo,
    Files,
    Host,
    Http,
    HttpRequest,
    HttpResponse,
    Kv,
    Log,
    Models,
    Notify,
    Recall,
    Schedule,
    Secrets,
)
from gitu_core.contracts.memory import MemoryStore
from gitu_core.contracts.page import Block, Command, CommandSpec, Page
from gitu_core.contracts.provider import Embedder, ModelProvider, ModelRouter
from gitu_core.contracts.tool import Context, RuleAction, Tool
from gitu_core.model import *  # noqa: F403 (authors find every value beside the contract that uses it)
from gitu_core.model import __all__ as _values

__all__ = [
    "FACETS",
    "SEAMS",
    "WIRE_VERSION",
    "Adapter",
    "Admin",
    "Asking",
    "Block",
    "Blobs",
    "Channel",
    "Command",
    "CommandSpec",
    "Context",
    "Dispatcher",
    "Embedder",
    "Entry",
    "FileInfo",
    "Files",
    "Handler",
    "Host",
    "Http",
    "HttpRequest",
    "HttpResponse",
    "Inbox",
    "Kv",
    "Log",
    "MemoryStore",
    "ModelProvider",
    "ModelRouter",
    "Models",
    "Notify",
    "Page",
    "Recall",
    "RuleAction",
    "Schedule",
    "Seam",
    "Secrets",
    "Tool",
    "contract",
    "seam_of",
    *_values,
]
