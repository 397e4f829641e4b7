"""The tool: something a model may call.

Laws
    T1  `spec` never changes while the tool lives, and `spec.input_schema` is a valid JSON Schema of type object.
    T2  `run` is handed only arguments that fit the schema; it gives a `ToolResult` or raises a `GituError`. One that
        carries out what messages bring (`hidden`) is handed arguments that nobody checked, of a tool of another name.
    T3  A tool whose effects are only ``read`` changes nothing.
    T4  A tool that acts uses `context.info.key` as its idempotency key where the other side takes one.
    T5  Where `spec.verifiable`, `verify` tells for a call with the same key: ``ok`` with the result if it happened,
        ``error`` if it did not, ``unknown`` if nobody can tell. It changes nothing.
    T6  `run` ends when it is cancelled; what it had begun is then ``unknown``, never reported as not done.
    T7  Parts of a result that others wrote are named in `spec.writers` or labelled in the result.
"""

from __future__ import annotations

from typing import Any, Protocol

from gitu_core.contracts.base import contract
from gitu_core.model import ActionSpec, CallInfo, ToolCall, ToolResult, ToolSpec

__all__ = ["Context", "RuleAction", "Tool"]


@contract("call", host_only=("deps",))
class Context(Protocol):
    """What a running call knows and may say. `deps` is what the embedder handed over; it stays in the host."""

    info: CallInfo
    deps: Any

    async def progress(self, text: str, fraction: float | None = None) -> None:
        """Shows how far the work is; *fraction* is 0 to 1. Losing it loses nothing."""


@contract("tool")
class Tool(Protocol):
    """Something a model may call. Its laws stand in the module's docstring."""

    spec: ToolSpec

    async def run(self, call: ToolCall, context: Context) -> ToolResult:
        """Does the work."""

    async def verify(self, call: ToolCall, context: Context) -> ToolResult:
        """What became of an earlier `run` with the same key."""


@contract("action")
class RuleAction(Protocol):
    """What a rule may do when it fires. Keeps the laws T1 to T7, read with `ActionSpec` for `ToolSpec`."""

    spec: ActionSpec

    async def run(self, call: ToolCall, context: Context) -> ToolResult:
        """Does the work."""

    async def verify(self, call: ToolCall, context: Context) -> ToolResult:
        """What became of an earlier `run` with the same key."""
