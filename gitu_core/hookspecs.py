"""Every hook, one sentence each. A plugin fulfils a hook by a function of its name that takes any of its arguments.

Modes
    provide   hands over objects that satisfy a contract; called once, when the plugin is activated
    observe   watches; its value is ignored; a failure is logged and counted (fails open)
    filter    may return a changed value, handed to the next; None leaves it as it is; a failure leaves it too
    guard     may return a reason (str) to refuse; a failure or time-out refuses (fails closed)
    lifecycle called of one plugin, when it starts, stops, is upgraded, or has something to do

Implementations run in ascending ``order`` (see `gitu_core.hook`), then by plugin id. Either ``def`` or ``async def``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

from gitu_core.contracts import Adapter, Command, Dispatcher, Host, MemoryStore, Page, RuleAction, Tool
from gitu_core.contracts.provider import Embedder, ModelProvider, ModelRouter
from gitu_core.model import Delivery, Event, Message, Outgoing, Reply, ToolCall, ToolResult, ToolSpec, TurnInfo
from gitu_core.model.chat import ModelRequest, Usage

F = TypeVar("F", bound=Callable[..., Any])
Mode = Literal["provide", "observe", "filter", "guard", "lifecycle"]


@dataclass(frozen=True)
class HookMeta:
    """How a hook is called: its mode, its time limit in seconds, and for a filter the argument it may change."""

    name: str
    mode: Mode
    timeout: float
    value: str = ""
    seam: str = ""


HOOKS: dict[str, HookMeta] = {}
"""Every hook by name."""


def spec(mode: Mode, timeout: float, value: str = "", seam: str = "") -> Callable[[F], F]:
    """Marks a function as a hook specification, in the form pluggy reads."""

    def mark(function: F) -> F:
        HOOKS[function.__name__] = HookMeta(function.__name__, mode, timeout, value, seam)
        function.gitu_spec = {"firstresult": False, "historic": False, "warn_on_impl": None}  # type: ignore[attr-defined]
        return function

    return mark


# fmt: off
@spec("provide", 10, seam="adapter")
def gitu_adapters(host: Host) -> Sequence[Adapter]:  # type: ignore[empty-body]
    """Channels that the plugin speaks."""
@spec("provide", 10, seam="tool")
def gitu_tools(host: Host) -> Sequence[Tool]:  # type: ignore[empty-body]
    """Tools that a model may call."""
@spec("provide", 10, seam="memory")
def gitu_memory_stores(host: Host) -> Sequence[MemoryStore]:  # type: ignore[empty-body]
    """Stores that keep claims."""
@spec("provide", 10, seam="provider")
def gitu_model_providers(host: Host) -> Sequence[ModelProvider]:  # type: ignore[empty-body]
    """Providers of models."""
@spec("provide", 10, seam="router")
def gitu_model_routers(host: Host) -> Sequence[ModelRouter]:  # type: ignore[empty-body]
    """Routers that choose among models."""
@spec("provide", 10, seam="embedder")
def gitu_embedders(host: Host) -> Sequence[Embedder]:  # type: ignore[empty-body]
    """Embedders that turn text into vectors."""
@spec("provide", 10, seam="action")
def gitu_rule_actions(host: Host) -> Sequence[RuleAction]:  # type: ignore[empty-body]
    """Actions that a rule may take."""
@spec("provide", 10, seam="dispatcher")
def gitu_dispatchers(host: Host) -> Sequence[Dispatcher]:  # type: ignore[empty-body]
    """Carriers of wake-ups between processes; the setting `dispatcher` chooses one."""
@spec("provide", 10, seam="page")
def gitu_pages(host: Host) -> Sequence[Page]:  # type: ignore[empty-body]
    """Pages of the console."""
@spec("provide", 10, seam="command")
def gitu_commands(host: Host) -> Sequence[Command]:  # type: ignore[empty-body]
    """Commands of the terminal program."""

@spec("lifecycle", 30)
def gitu_start(host: Host) -> None:
    """The plugin was activated; open what it needs."""
@spec("lifecycle", 10)
def gitu_stop(host: Host) -> None:
    """The plugin is about to leave; close what it opened."""
@spec("lifecycle", 60)
def gitu_migrate(host: Host, before: int, after: int) -> None:
    """The plugin's stored state has an older version; bring it up to date."""
@spec("lifecycle", 300)
def gitu_timer(host: Host, key: str, data: dict[str, Any], attempt: int) -> None:
    """A timer of this plugin is due; attempt counts from 1, above 1 an earlier handling was cut off or not ready."""

@spec("observe", 5)
def gitu_message_received(message: Message) -> None:
    """A message was committed."""
@spec("observe", 5)
def gitu_turn_started(turn: TurnInfo) -> None:
    """A turn begins."""
@spec("observe", 5)
def gitu_turn_finished(turn: TurnInfo, reply: Reply) -> None:
    """A turn ended, however it ended."""
@spec("observe", 5)
def gitu_model_called(turn: TurnInfo, model: str, usage: Usage, seconds: float) -> None:
    """A model answered."""
@spec("observe", 5)
def gitu_tool_called(turn: TurnInfo, call: ToolCall, result: ToolResult, seconds: float) -> None:
    """A tool call ended."""
@spec("observe", 5)
def gitu_delivered(outgoing: Outgoing, delivery: Delivery) -> None:
    """A channel told what became of an outgoing message."""
@spec("observe", 5)
def gitu_event(event: Event) -> None:
    """Something else happened: a session ended, a plugin was quarantined, a model cooled down."""

@spec("filter", 5, value="message")
def gitu_filter_message(message: Message) -> Message | None:
    """Changes a message before its turn begins."""
@spec("filter", 5, value="request")
def gitu_filter_request(turn: TurnInfo, request: ModelRequest) -> ModelRequest | None:
    """Changes what a model is asked."""
@spec("filter", 5, value="call")
def gitu_filter_call(turn: TurnInfo, call: ToolCall, tool: ToolSpec) -> ToolCall | None:
    """Changes a tool call before the policy decides; afterwards its arguments are frozen."""
@spec("filter", 5, value="result")
def gitu_filter_result(turn: TurnInfo, call: ToolCall, result: ToolResult) -> ToolResult | None:
    """Changes a result before the model reads it."""
@spec("filter", 5, value="outgoing")
def gitu_filter_outgoing(outgoing: Outgoing) -> Outgoing | None:
    """Changes what is about to be said."""

@spec("guard", 5)
def gitu_guard_message(message: Message) -> str | None:
    """Refuses a message."""
@spec("guard", 5)
def gitu_guard_call(turn: TurnInfo, call: ToolCall, tool: ToolSpec) -> str | None:
    """Refuses a tool call."""
@spec("guard", 5)
def gitu_guard_outgoing(outgoing: Outgoing) -> str | None:
    """Refuses to say something."""
# fmt: on


@dataclass(frozen=True)
class HookOptions:
    """What `hook` wrote beside an implementation."""

    order: int = 0
    timeout: float | None = None
    thread: bool = False


def hook(*, order: int = 0, timeout: float | None = None, thread: bool = False) -> Callable[[F], F]:
    """Options of a hook implementation: *order* (lower runs first), *timeout* (seconds, at most the hook's own),
    *thread* (a ``def`` that blocks runs in a worker thread instead of in the event loop).

    A function that is named like a hook needs no mark at all; this one is for those that want options.
    """

    def mark(function: F) -> F:
        function.gitu_hook = HookOptions(order, timeout, thread)  # type: ignore[attr-defined]
        return function

    return mark
