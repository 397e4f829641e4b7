"""Tool calls: validate, filter, guard, decide, ask, run, label. What one call does never harms another."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import Any

import anyio
import msgspec

from gitu_core.contracts.ports import Clock, Hooks, Policy, Verdict
from gitu_core.errors import Denied, GituError, OutputTooLarge, ToolError, ToolInputError, ToolTimeout
from gitu_core.isolation import Overdue, is_cancellation, within
from gitu_core.model import (
    CallInfo,
    Label,
    Progress,
    ToolCall,
    ToolFinished,
    ToolResult,
    ToolSpec,
    ToolStarted,
    outside,
)  # fmt: skip
from gitu_core.model.steps import CallDecided, CallFinished, CallStarted
from gitu_core.runtime.failures import error_info
from gitu_core.runtime.toolbox import DELEGATE, Toolbox, missing
from gitu_core.runtime.turn import Turn
from gitu_core.runtime.validate import Validators
from gitu_core.runtime.work import Work
from gitu_core.telemetry import span

log = logging.getLogger("gitu.runtime")

Approve = Callable[[Work, ToolCall, ToolSpec, Verdict], Awaitable[str]]
"""Asks a person about a call; gives ``yes``, or the reason why not."""

Delegate = Callable[[Work, str, ToolCall], Awaitable[ToolResult]]
"""Runs another profile for a call."""


class CallContext:
    """What a running call knows and may say (the contract `Context`)."""

    def __init__(self, info: CallInfo, work: Work) -> None:
        self.info = info
        self.deps = work.deps
        self._emit = work.emit

    async def progress(self, text: str, fraction: float | None = None) -> None:
        """Shows how far the work is."""
        await self._emit(Progress(text, self.info.call, fraction))


class Caller:
    """Runs the tool calls of turns."""

    def __init__(
        self, toolbox: Toolbox, hooks: Hooks, policy: Policy, clock: Clock, approve: Approve, delegate: Delegate
    ) -> None:
        self._toolbox = toolbox
        self._hooks = hooks
        self._policy = policy
        self._clock = clock
        self._approve = approve
        self._delegate = delegate
        self._validators = Validators()

    async def resolve(self, turn: Turn, tools: tuple[ToolSpec, ...]) -> None:
        """Gives every open call of the turn a result. Decisions come in order, then the allowed calls run at once."""
        specs = {spec.name: spec for spec in tools}
        allowed: list[tuple[ToolCall, ToolSpec]] = []
        for call in list(turn.state.open.values()):
            if call.id in turn.state.started:
                await self._recover(turn, call, specs.get(call.tool))
                continue
            try:
                allowed.append(await self._decide(turn, call, specs))
            except GituError as error:
                result = ToolResult("denied" if isinstance(error, Denied) else "error", error=error_info(error))
                await self._finish(turn, call, msgspec.structs.replace(result, label=call.label), 0.0)
        if len(allowed) == 1:
            await self._run(turn, *allowed[0])
        elif allowed:
            limiter = anyio.CapacityLimiter(turn.work.profile.limits.calls)
            async with anyio.create_task_group() as group:
                for call, spec in allowed:
                    group.start_soon(self._run_limited, limiter, turn, call, spec)

    async def _decide(self, turn: Turn, call: ToolCall, specs: dict[str, ToolSpec]) -> tuple[ToolCall, ToolSpec]:
        spec, info = specs.get(call.tool), turn.work.info
        if spec is None:
            raise missing(call.tool, specs)
        self._check(call, spec)
        if self._hooks.wants("gitu_filter_call"):
            changed = await self._hooks.filter("gitu_filter_call", turn=info, call=call, tool=spec)
            # A filter may change arguments and label, never which tool is called or which call it is.
            call = msgspec.structs.replace(changed, id=call.id, tool=call.tool, label=changed.label.join(call.label))
            self._check(call, spec)
        if self._hooks.wants("gitu_guard_call"):
            reason = await self._hooks.guard("gitu_guard_call", turn=info, call=call, tool=spec)
            if reason is not None:
                turn.note(CallDecided(call, "deny", reason))
                raise Denied(reason, hint="do it another way, or tell the user")
        verdict = self._policy.decide(call, spec, turn.state.label, info)
        turn.note(CallDecided(call, verdict.decision, verdict.reason))
        if verdict.decision == "ask":
            answer = await self._approve(turn.work, call, spec, verdict)
            if answer != "yes":
                raise Denied(answer, hint="tell the user what you wanted to do")
        elif verdict.decision == "deny":
            raise Denied(verdict.reason, hint="do it another way, or tell the user")
        return call, spec

    def _check(self, call: ToolCall, spec: ToolSpec) -> None:
        if call.raw is not None:
            raise ToolInputError("the arguments are no JSON object", hint="send one JSON object", path="")
        self._validators.check(f"tool {spec.name}", spec.input_schema, call.arguments)

    async def _run_limited(self, limiter: anyio.CapacityLimiter, turn: Turn, call: ToolCall, spec: ToolSpec) -> None:
        async with limiter:
            await self._run(turn, call, spec)

    async def _run(self, turn: Turn, call: ToolCall, spec: ToolSpec) -> None:
        key = f"{turn.work.info.id}.{call.id}"
        if spec.acts:
            await turn.commit(CallStarted(call.id, key))
        await turn.work.emit(ToolStarted(call))
        began = self._clock.monotonic()
        with span("execute_tool", gen_ai__operation__name="execute_tool", gen_ai__tool__name=spec.name):
            result = await self._outcome(turn, call, spec, key)
        result = labelled(result, spec, call, turn.work.info.principal)
        if self._hooks.wants("gitu_filter_result"):
            changed = await self._hooks.filter("gitu_filter_result", turn=turn.work.info, call=call, result=result)
            result = msgspec.structs.replace(changed, label=changed.label.join(result.label))
        await self._finish(turn, call, result, self._clock.monotonic() - began)

    async def _outcome(self, turn: Turn, call: ToolCall, spec: ToolSpec, key: str) -> ToolResult:
        try:
            result = await within(spec.timeout, self._work(turn, call, spec, key))
            return _limited(result, spec)
        except Overdue:
            late = ToolTimeout(f"{spec.name} took longer than {spec.timeout:g} s", hint="ask for less, or try later")
            # An effect that was cut off may have happened: nobody may say that it did not.
            return ToolResult("unknown" if spec.acts else "error", error=error_info(late))
        except GituError as error:
            return ToolResult("unknown" if error.code == "unknown" else "error", error=error_info(error))
        except BaseException as error:  # a tool is somebody else's code: even sys.exit stays in its result
            if is_cancellation(error):
                raise
            log.exception("tool %s raised", spec.name)
            wrong = ToolError(f"{spec.name} failed with {type(error).__name__}: {error}", hint="try another way")
            return ToolResult("error", error=error_info(wrong))

    async def _work(self, turn: Turn, call: ToolCall, spec: ToolSpec, key: str) -> ToolResult:
        name = call.tool.removeprefix(DELEGATE)
        if name != call.tool and name in turn.work.profile.delegates:
            return await self._delegate(turn.work, name, call)
        tool = await self._toolbox.get(call.tool)
        result: ToolResult = await tool.run(call, self._context(turn, call, spec, key))
        return result

    async def _recover(self, turn: Turn, call: ToolCall, spec: ToolSpec | None) -> None:
        """A call that was dispatched and has no result: its tool is asked, else nobody knows."""
        call = turn.state.decided[call.id].call if call.id in turn.state.decided else call
        result = ToolResult("unknown")
        if spec is not None and spec.verifiable:
            tool = await self._toolbox.get(call.tool)
            result = await tool.verify(call, self._context(turn, call, spec, turn.state.started[call.id]))
        if result.status == "unknown" and result.error is None:
            lost = GituError(f"nobody knows whether {call.tool} was done", hint="look, and tell the user")
            result = msgspec.structs.replace(result, error=error_info(lost))
        await self._finish(turn, call, result, 0.0)

    def _context(self, turn: Turn, call: ToolCall, spec: ToolSpec, key: str) -> CallContext:
        work = turn.work
        deadline = self._clock.now() + spec.timeout
        info = CallInfo(
            call.id,
            key,
            work.info.id,
            work.info.session,
            work.info.principal,
            deadline,
            turn.state.label.join(call.label),
        )
        return CallContext(info, work)

    async def _finish(self, turn: Turn, call: ToolCall, result: ToolResult, seconds: float) -> None:
        turn.note(CallFinished(call.id, result, seconds))
        await turn.work.emit(ToolFinished(call, result, seconds))
        if self._hooks.wants("gitu_tool_called"):
            await self._hooks.observe(
                "gitu_tool_called", turn=turn.work.info, call=call, result=result, seconds=seconds
            )


def _limited(result: ToolResult, spec: ToolSpec) -> ToolResult:
    if not isinstance(result, ToolResult):
        raise ToolError(
            f"{spec.name} returned a {type(result).__name__} instead of a ToolResult", hint="correct the tool"
        )
    size = len(result.text)
    if size > spec.output_limit:
        raise OutputTooLarge(
            f"{spec.name} returned {size} characters, {spec.output_limit} are allowed", hint="ask for less"
        )
    return result


def labelled(result: ToolResult, spec: ToolSpec, call: ToolCall, principal: str) -> ToolResult:
    """The result with everybody on its labels who wrote parts of it or chose its arguments."""
    source = outside(f"tool:{spec.name}")
    whole = result.label.join(call.label)
    fields = dict(result.fields)
    for path, writer in spec.writers.items():
        if writer == "outside" or writer.startswith("field:"):
            mark = Label(origins=frozenset((source,)))
            if path:
                fields[path] = fields.get(path, whole).join(mark)
            else:
                whole = whole.join(mark)
    return msgspec.structs.replace(result, label=whole, fields=fields)


def refuse(reason: str) -> Approve:
    """An `Approve` for places where nobody can be asked."""

    async def answer(work: Work, call: ToolCall, tool: ToolSpec, verdict: Verdict) -> str:
        return f"{verdict.reason}, and {reason}"

    return answer


def describe_call(call: ToolCall, tool: ToolSpec) -> str:
    """The exact call in words, for whoever has to agree to it."""
    lines = [f"{name}: {_shown(value)}" for name, value in call.arguments.items()]
    return "\n".join([f"{tool.name} ({', '.join(tool.effects)})", *lines])


def _shown(value: Any) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()
