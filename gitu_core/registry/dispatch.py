"""Calls observers, filters and guards: in order, with time limits, and so that a failure hits nobody but its
plugin.

A ``def`` runs inline, because a thread costs more than most hooks do; it cannot be stopped, so one that
blocks the event loop for longer than its time limit is counted as a hang when it returns, and reported
meanwhile by the `Watchdog`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from gitu_core.errors import Denied, HookError
from gitu_core.hookspecs import HOOKS
from gitu_core.model import Event, Message, ModelRequest, Outgoing, ToolCall, ToolResult
from gitu_core.registry.faults import HANG

if TYPE_CHECKING:
    from gitu_core.registry.hooks import Implementation

Fault = Callable[[str, HookError, int], None]
"""Told about every failure: the plugin, what happened, and how many faults it counts."""

TAP: ContextVar[Callable[[Implementation], Implementation] | None] = ContextVar("gitu_tap", default=None)
"""What a `Dispatcher` that is made in this context hands every implementation to; what it gives is called instead."""

_VALUES: dict[str, type] = {
    "message": Message, "request": ModelRequest, "call": ToolCall, "result": ToolResult, "outgoing": Outgoing,
}  # fmt: skip
_GUARDS = frozenset(name for name, meta in HOOKS.items() if meta.mode == "guard")


def _flaw(value: Any, kind: type) -> str:
    """What is wrong inside *value*, or nothing: a field may hold anything, whatever its annotation says."""
    try:
        msgspec.convert(msgspec.to_builtins(value), kind)
    except (TypeError, ValueError, RecursionError) as error:  # a ValidationError is a ValueError
        return str(error) or type(error).__name__
    return ""


class Refusal(str):
    """A guard's reason to refuse, with the next step as `hint` where the guard knows one."""

    hint: str

    def __new__(cls, reason: str, hint: str = "") -> Refusal:
        """*reason* with a *hint*."""
        made = super().__new__(cls, reason)
        made.hint = hint
        return made


class _Failed(NamedTuple):
    """What stands for the value of an implementation that failed."""

    error: HookError


class Dispatcher:
    """The hooks of active plugins. Keeps the promises of the port `Hooks`."""

    def __init__(self, fault: Fault) -> None:
        self._fault, self._tap = fault, TAP.get()
        self._calls: dict[str, tuple[Implementation, ...]] = {name: () for name in HOOKS}
        self._closed: dict[str, dict[str, tuple[int, str]]] = {}
        self._off, self._wanted = set[str](), frozenset[str]()
        self.events: list[Event] = []
        self.running: tuple[Implementation, float] | None = None

    def wants(self, hook: str) -> bool:
        """True if somebody implements the hook, or a guard that cannot run refuses in its place."""
        return hook in self._wanted

    @property
    def blocks(self) -> bool:
        """True if some implementation runs inside the event loop and could block it."""
        return any(not call.awaits and not call.thread for calls in self._calls.values() for call in calls)

    def taken(self, found: dict[str, Implementation]) -> dict[str, Implementation]:
        """A plugin's implementations as they are called: as they are, unless somebody listens in (`TAP`). Every kind of
        hook comes by here once, so that calls cost nothing where nobody does."""
        return {name: self._tap(each) for name, each in found.items()} if self._tap else found

    async def observe(self, hook: str, **arguments: Any) -> None:
        """Tells everybody who listens; failures are counted against the plugin and go no further."""
        for call in self._calls[hook]:
            await self._call(call, arguments)
        await self._announce()

    async def filter(self, hook: str, **arguments: Any) -> Any:
        """Hands the hook's value from one implementation to the next; gives the last."""
        name = HOOKS[hook].value
        for call in self._calls[hook]:
            value = await self._call(call, arguments)
            if value is None or value is arguments[name] or isinstance(value, _Failed):
                continue
            kind = _VALUES[name]
            if not isinstance(value, kind):
                self._wrong(call, value, f"a {kind.__name__} or None")
            elif flaw := _flaw(value, kind):
                self._count(call, f"returned a broken {kind.__name__}: {flaw}", "fill every field with its type", 1)
            else:
                arguments[name] = value
        await self._announce()
        return arguments[name]

    async def guard(self, hook: str, **arguments: Any) -> str | None:
        """The first reason to refuse, or None. A guard that fails, or cannot run, refuses and names its
        plugin.
        """
        closed = [(order, plugin, why) for plugin, (order, why) in self._closed.get(hook, {}).items()]
        reason: str | None = min(closed)[2] if closed else None
        if reason is None:
            for call in self._calls[hook]:
                if (value := await self._call(call, arguments)) is not None:
                    reason = self._reason(call, value)
                    break
        await self._announce()
        return reason

    def add(self, implementations: Iterable[Implementation]) -> None:
        """Takes in the implementations of a plugin; provider and lifecycle hooks are not called from here."""
        for each in implementations:
            self._off.discard(each.plugin)
            if each.meta.mode in ("observe", "filter", "guard"):
                calls = [*(call for call in self._calls[each.meta.name] if call.plugin != each.plugin), each]
                self._calls[each.meta.name] = tuple(sorted(calls, key=lambda call: (call.order, call.plugin)))
        self._look()

    def remove(self, plugin: str) -> None:
        """Calls a plugin no more, not even by a dispatch that is under way."""
        self._off.add(plugin)
        for name, calls in self._calls.items():
            self._calls[name] = tuple(call for call in calls if call.plugin != plugin)
        self._look()

    def close(self, plugin: str, hooks: dict[str, int], reason: str) -> None:
        """Lets the guards among *hooks* (with their order) refuse, because their plugin cannot run."""
        for hook in _GUARDS.intersection(hooks):
            self._closed.setdefault(hook, {})[plugin] = (hooks[hook], reason)
        self._look()

    def reopen(self, plugin: str) -> None:
        """Takes back what `close` did."""
        for closed in self._closed.values():
            closed.pop(plugin, None)
        self._look()

    def _look(self) -> None:
        """Notes which hooks are wanted, so that asking costs one look-up."""
        self._wanted = frozenset(name for name in HOOKS if self._calls[name] or self._closed.get(name))

    async def _call(self, call: Implementation, arguments: dict[str, Any]) -> Any:
        """One implementation's value, or `_Failed`."""
        if self._off and call.plugin in self._off:
            return None
        args = [arguments[name] for name in call.arguments]
        if call.awaits or call.thread:
            return await self._wait(call, call.function, args)
        started = time.monotonic()
        self.running = (call, started)
        try:
            value = call.function(*args)
        except KeyboardInterrupt:  # a person pressed Ctrl-C while the plugin ran
            raise
        except BaseException as error:  # noqa: BLE001 - even sys.exit counts against its plugin alone
            return self._failed(call, error)
        finally:
            self.running = None
        if (took := time.monotonic() - started) > call.timeout:
            what = f"blocked the event loop for {took:.1f} s; it may take {call.timeout:g} s"
            return self._count(call, what, "make it async def, or mark it @hook(thread=True)", HANG)
        if value is not None and hasattr(value, "__await__"):
            return await self._wait(call, lambda: value, [])
        return value

    async def _wait(self, call: Implementation, function: Callable[..., Any], args: list[Any]) -> Any:
        """Awaits an implementation within its time limit."""
        from gitu_core.isolation import Overdue, in_thread, is_cancellation, within

        limit = call.timeout
        try:
            blocks, name = call.thread and not call.awaits, f"gitu-{call.plugin}"
            value = await in_thread(lambda: function(*args), limit, name) if blocks else function(*args)
            return await within(limit, value) if hasattr(value, "__await__") else value
        except Overdue as error:
            return self._count(call, str(error), "make it faster, or let it start a task of its own", HANG)
        except BaseException as error:  # everything but the host's own cancellation counts against the plugin
            if is_cancellation(error):
                raise
            return self._failed(call, error)

    def _failed(self, call: Implementation, error: BaseException) -> Any:
        from gitu_core.isolation import in_words

        if call.meta.mode == "guard" and isinstance(error, Denied):
            return Refusal(error.message, error.hint)  # another way to refuse: it says more than a reason alone
        return self._count(call, f"raised {in_words(error)}", getattr(error, "hint", ""), 1)

    def _wrong(self, call: Implementation, value: Any, wanted: str) -> _Failed:
        return self._count(call, f"returned a {type(value).__name__}", f"return {wanted}", 1)

    def _count(self, call: Implementation, what: str, hint: str, weight: int) -> _Failed:
        hint = hint or f"report it to the author of {call.plugin}, or run: gitu plugins disable {call.plugin}"
        error = HookError(what, hint=hint, plugin=call.plugin, hook=call.meta.name)
        self._fault(call.plugin, error, weight)
        return _Failed(error)

    def _reason(self, call: Implementation, value: Any) -> str:
        """The words of a guard's refusal."""
        if not isinstance(value, str | _Failed):
            value = self._wrong(call, value, "a reason (str) or None")
        if isinstance(value, _Failed):
            return Refusal(f"the plugin {call.plugin} could not check it: {value.error.message}", value.error.hint)
        return value or f"the plugin {call.plugin} refused it"

    async def _announce(self) -> None:
        """Tells observers of `gitu_event` what happened to plugins meanwhile."""
        while self.events:
            event = self.events.pop(0)
            for call in self._calls["gitu_event"]:
                await self._call(call, {"event": event})
