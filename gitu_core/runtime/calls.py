"""Tool calls: validate, filter, guard, decide, ask, run, label. What one call does never harms another."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable

import anyio
import msgspec

from gitu_core.contracts.authority import Grants, Policy, Verdict
from gitu_core.contracts.ports import Clock, Hooks
from gitu_core.contracts.scope import CURRENT_CALL
from gitu_core.errors import Cancelled, Denied, GituError, StoreError, ToolInputError, ToolTimeout
from gitu_core.failpoints import hit
from gitu_core.isolation import Overdue, is_cancellation, within
from gitu_core.model.chat import Usage
from gitu_core.model.label import by_system
from gitu_core.model.spec import ToolSpec
from gitu_core.model.steps import CallDecided, CallFinished, CallStarted, LookedUp
from gitu_core.model.tooling import CallInfo, ToolCall, ToolResult
from gitu_core.model.turn import Progress, ToolFinished, ToolStarted
from gitu_core.runtime.consent import Consent, declined
from gitu_core.runtime.evidence import Judge
from gitu_core.runtime.failures import error_info
from gitu_core.runtime.handles import LOOK, filled, on, refused, set_aside
from gitu_core.runtime.readers import made_private, reader_of
from gitu_core.runtime.results import failed, labelled, refiltered, sound
from gitu_core.runtime.toolbox import DELEGATE, Toolbox, missing
from gitu_core.runtime.turn import Turn
from gitu_core.runtime.validate import Validators
from gitu_core.runtime.work import Work
from gitu_core.telemetry import span

log = logging.getLogger("gitu.runtime")

Delegate = Callable[[Turn, str, ToolCall], Awaitable[tuple[ToolResult, Usage]]]
"""Runs another profile for a call; gives what it answered and what it used."""

PEEK = "peek"
"""What the id of a call ends with that is made only to decide about another one."""

NO_USAGE = Usage()
WAITS = ToolResult("unknown")
"""Stands for the result of a delegate that has to wait for a person."""


class CallContext:
    """What a running call knows and may say (the contract `Context`)."""

    def __init__(self, info: CallInfo, work: Work) -> None:
        self.info = info
        self.deps = work.deps
        self._emit, self._reader = work.emit, reader_of(work)

    async def progress(self, text: str, fraction: float | None = None) -> None:
        """Shows how far the work is."""
        if self.info.label.readable_by(self._reader):
            await self._emit(Progress(text, self.info.call, fraction))


class Caller:
    """Runs the tool calls of turns."""

    def __init__(
        self, toolbox: Toolbox, hooks: Hooks, policy: Policy, grants: Grants, clock: Clock, consent: Consent,
        delegate: Delegate, hold: Callable[[], Awaitable[None]],
    ) -> None:  # fmt: skip
        self._toolbox = toolbox
        self._hooks = hooks
        self._judge = Judge(policy, grants, self._look_up)
        self._clock = clock
        self._consent = consent
        self._delegate = delegate
        self._hold = hold
        self._validators = Validators()

    async def resolve(self, turn: Turn, tools: tuple[ToolSpec, ...]) -> None:
        """Gives every open call of the turn a result, but those that wait for a person. Decisions come in order, then
        the allowed calls run at once."""
        specs = {spec.name: spec for spec in tools}
        if not turn.work.parks or self._hooks.wants("gitu_filter_call") or self._hooks.wants("gitu_guard_call"):
            await turn.save()  # they may take their time
        allowed: list[tuple[ToolCall, ToolSpec]] = []
        for call in list(turn.state.open.values()):
            try:
                ready = await self._ready(turn, call, specs)
                if ready is not None:
                    allowed.append(ready)
            except GituError as error:
                result = ToolResult("denied" if isinstance(error, Denied) else "error", error=error_info(error))
                label, handle = refused(turn, call, error)
                await self._finish(turn, call, msgspec.structs.replace(result, label=label), 0.0, handle=handle)
        if not all(spec.acts for _, spec in allowed):
            await turn.save()
        if len(allowed) == 1:
            await self._run(turn, *allowed[0])
        elif allowed:
            limiter = anyio.CapacityLimiter(turn.work.profile.limits.calls)
            async with anyio.create_task_group() as group:
                for call, spec in allowed:
                    group.start_soon(self._run_limited, limiter, turn, call, spec)

    async def _ready(
        self, turn: Turn, call: ToolCall, specs: dict[str, ToolSpec]
    ) -> tuple[ToolCall, ToolSpec] | None:  # fmt: skip
        """The call as it may be run now; None where it has its result, or waits."""
        decided, spec = turn.state.decided.get(call.id), specs.get(call.tool)
        if decided is not None:
            call = decided.call
            if decided.verdict == "deny":
                raise Denied(decided.reason, hint="do it another way, or tell the user")
        if spec is None:
            error = missing(call.tool, specs)
            if decided is None or not turn.work.parks:
                raise error
            choice = self._consent.stuck(turn, call, error)
            if choice and call.id not in turn.state.started:
                raise declined(choice)
            if choice:
                await self._finish(turn, call, unknown(call), 0.0)
            return None
        if call.id in turn.state.started:
            return await self._recover(turn, call, spec)
        call = await self._frozen(turn, call, spec)
        return (call, spec) if await self._allowed(turn, call, spec, specs) else None

    async def _frozen(self, turn: Turn, call: ToolCall, spec: ToolSpec) -> ToolCall:
        """The call with the arguments that filters left; once it was decided about, nobody changes it any more."""
        if call.id not in turn.state.decided:
            call = filled(turn, call, delegate_of(turn, call) not in ("", LOOK))
        self._check(call, spec)
        if call.id in turn.state.decided or not self._hooks.wants("gitu_filter_call"):
            return call
        changed = await self._hooks.filter("gitu_filter_call", turn=turn.work.info, call=call, tool=spec)
        # A filter may change arguments and add to labels, never which tool is called or which call it is.
        label = changed.label.join(call.influence)
        kept = {"id": call.id, "tool": call.tool, "given": call.given, "state": call.state}
        call = msgspec.structs.replace(changed, **kept, label=label)
        self._check(call, spec)
        return call

    async def _allowed(self, turn: Turn, call: ToolCall, spec: ToolSpec, specs: dict[str, ToolSpec]) -> bool:
        """True if the call may be run, False if it waits for a yes. `Denied` if it may not."""
        if (reason := await self._guarded(turn, call, spec)) is not None:
            self._decided(turn, call, Verdict("deny", reason))
            raise Denied(reason, hint="do it another way, or tell the user")
        decided = turn.state.decided.get(call.id)
        if decided is not None and decided.verdict == "ask":  # what a person is asked stays as it was asked
            verdict = Verdict("ask", decided.reason, sources=decided.sources)
        else:
            verdict = self._consent.bounded(turn, await self._judge.verdict(turn, call, spec, specs))
        if decided is None:
            self._decided(turn, call, verdict)
        if verdict.decision == "deny":
            raise Denied(verdict.reason, hint="do it another way, or tell the user")
        if verdict.decision == "allow":
            return True
        return await self._consent.given(turn, call, spec, verdict, self._judge.standing(call, spec, turn.work.person))

    async def _guarded(self, turn: Turn, call: ToolCall, spec: ToolSpec) -> str | None:
        """Why a guard refuses a call, if one does."""
        if not self._hooks.wants("gitu_guard_call"):
            return None
        return await self._hooks.guard("gitu_guard_call", turn=turn.work.info, call=call, tool=spec)

    async def _look_up(self, turn: Turn, spec: ToolSpec) -> None:
        """Reads with a tool for a decision."""
        call = ToolCall(f"{turn.mint()}.{PEEK}", spec.name, label=by_system())
        result = ToolResult("denied")
        if await self._guarded(turn, call, spec) is None:
            await turn.save()
            result, _ = await self._outcome(turn, call, spec, self._work(turn, call, spec, call.id))
        turn.note(LookedUp(spec.name, labelled(result, spec, call, turn.work.info.principal)))

    @staticmethod
    def _decided(turn: Turn, call: ToolCall, verdict: Verdict) -> None:
        """Records a decision; the audit keeps what was not simply allowed. What was is there when it acts."""
        grant = verdict.grant.id if verdict.grant else ""
        step = CallDecided(call, verdict.decision, verdict.reason, grant, verdict.sources)
        facts = {"reason": verdict.reason, "sinks": verdict.sinks, "origins": _origins(turn, call)}
        audited = [turn.audited("decided", call, verdict.decision, **facts)] if verdict.decision != "allow" else []
        turn.note(step, *audited)

    def _check(self, call: ToolCall, spec: ToolSpec) -> None:
        if call.raw is not None:
            raise ToolInputError("the arguments are no JSON object", hint="send one JSON object", path="")
        if not spec.by:  # who brought a tool checks for itself: its schema is not run here
            self._validators.check(f"tool {spec.name}", spec.input_schema, call.arguments)

    async def _run_limited(self, limiter: anyio.CapacityLimiter, turn: Turn, call: ToolCall, spec: ToolSpec) -> None:
        async with limiter:
            await self._run(turn, call, spec)
            turn.flush()  # the others may take their time

    async def _run(self, turn: Turn, call: ToolCall, spec: ToolSpec) -> None:
        key = f"{turn.work.info.id}.{call.id}"
        if spec.acts:
            hit("call.intent")
            decided, answered = turn.state.decided[call.id], turn.state.answered.get(call.id)
            facts = {"key": key, "reason": decided.reason, "origins": _origins(turn, call)}
            facts |= {"by": answered.by, "approval": answered.approval} if answered is not None else {}
            facts |= {"grant": decided.grant} if decided.grant else {}
            verdict = "approved" if answered is not None else decided.verdict
            await turn.commit(CallStarted(call.id, key), turn.audited("begun", call, verdict, **facts))
        hit("call.dispatch")
        if spec.acts:
            await self._hold()
        await turn.work.emit(ToolStarted(call))
        began = self._clock.monotonic()
        with span("execute_tool", gen_ai__operation__name="execute_tool", gen_ai__tool__name=spec.name):
            result, usage = await self._outcome(turn, call, spec, self._work(turn, call, spec, key))
        hit("call.effect")
        if result is WAITS:
            return
        given, result = result, labelled(result, spec, call, turn.work.info.principal)
        if self._hooks.wants("gitu_filter_result"):
            changed = await self._hooks.filter("gitu_filter_result", turn=turn.work.info, call=call, result=result)
            try:
                result = refiltered(sound(changed, spec), result)
            except GituError as error:  # a filter that breaks a result has not filtered it
                log.warning("a filter made no result of what %s gave: %s", spec.name, error)
        result, handle = set_aside(turn, call, spec, given, result)
        await self._finish(turn, call, result, self._clock.monotonic() - began, usage, handle)

    async def _outcome(
        self, turn: Turn, call: ToolCall, spec: ToolSpec, work: Awaitable[tuple[ToolResult, Usage]]
    ) -> tuple[ToolResult, Usage]:
        """What became of *work*: a sound result, whatever it raises or returns."""
        try:
            result, usage = await within(spec.timeout, work)
            return result if result is WAITS else sound(result, spec), usage
        except Overdue:
            late = ToolTimeout(f"{spec.name} took longer than {spec.timeout:g} s", hint="ask for less, or try later")
            # An effect that was cut off may have happened: nobody may say that it did not.
            return ToolResult("unknown" if spec.acts else "error", error=error_info(late)), Usage()
        except BaseException as error:  # a tool is somebody else's code: even sys.exit stays in its result
            if is_cancellation(error) or (isinstance(error, StoreError) and delegate_of(turn, call)):
                raise  # what a delegate did could not be recorded: its turn goes on when it can
            if not isinstance(error, GituError):
                log.error("tool %s raised", spec.name, exc_info=error)
            return failed(error, spec), Usage()

    async def _work(self, turn: Turn, call: ToolCall, spec: ToolSpec, key: str) -> tuple[ToolResult, Usage]:
        if name := delegate_of(turn, call):
            return await self._delegate(turn, name, call)
        context = self._context(turn, call, spec, key)
        token = CURRENT_CALL.set(context.info)
        try:
            tool = await self._toolbox.get(spec.by or call.tool)
            result: ToolResult = await tool.run(call, context)
        finally:
            CURRENT_CALL.reset(token)
        return result, Usage()

    async def _recover(self, turn: Turn, call: ToolCall, spec: ToolSpec) -> tuple[ToolCall, ToolSpec] | None:
        """A call that was dispatched and has no result: its tool is asked, else the person, else nobody knows."""
        result, handle, principal = unknown(call), "", turn.work.info.principal
        if call.id not in turn.state.answered and spec.verifiable:
            answer, _ = await self._outcome(turn, call, spec, self._verify(turn, call, spec))
            if answer.status != "unknown":
                result, handle = set_aside(turn, call, spec, answer, labelled(answer, spec, call, principal))
        if result.status == "unknown":
            choice = self._consent.again(turn, call)
            if choice == "retry":
                return call, spec
            if not choice:
                return None
        await self._finish(turn, call, result, 0.0, NO_USAGE, handle)
        return None

    async def _verify(self, turn: Turn, call: ToolCall, spec: ToolSpec) -> tuple[ToolResult, Usage]:
        tool = await self._toolbox.get(spec.by or call.tool)
        context = self._context(turn, call, spec, turn.state.started[call.id])
        result: ToolResult = await tool.verify(call, context)
        return result, Usage()

    def _context(self, turn: Turn, call: ToolCall, spec: ToolSpec, key: str) -> CallContext:
        work = turn.work
        deadline = self._clock.now() + spec.timeout
        label = made_private(turn.state.label.join(call.influence), spec, work.info.principal)
        ids = work.info.id, work.info.session, work.info.principal
        return CallContext(CallInfo(call.id, key, *ids, deadline, label, conversation=work.conversation), work)

    async def _finish(
        self, turn: Turn, call: ToolCall, result: ToolResult, seconds: float, usage: Usage = NO_USAGE, handle: str = ""
    ) -> None:
        turn.finished(call, CallFinished(call.id, result, seconds, usage, handle))
        hit("call.result")
        await turn.work.emit(ToolFinished(call, result, seconds))
        if self._hooks.wants("gitu_tool_called"):
            info = turn.work.info
            await self._hooks.observe("gitu_tool_called", turn=info, call=call, result=result, seconds=seconds)


def _origins(turn: Turn, call: ToolCall) -> list[str]:
    """Everybody who influenced a call."""
    return sorted(turn.state.label.join(call.influence).origins)


def delegate_of(turn: Turn, call: ToolCall) -> str:
    """The profile that a call hands a task to, if it does; `LOOK` for one that nobody but a model works on."""
    if call.tool == LOOK and on(turn):
        return LOOK
    name = call.tool.removeprefix(DELEGATE)
    return name if name != call.tool and name in turn.work.profile.delegates else ""


def unknown(call: ToolCall) -> ToolResult:
    """The result of a call whose outcome nobody knows."""
    lost = GituError(f"nobody knows whether {call.tool} was done", hint="look, and tell the user")
    return ToolResult("unknown", error=error_info(lost), label=call.label)


def close_open(turn: Turn) -> None:
    """Gives every open call of a turn that ends early a result, so that what was done stays in the history."""
    for call in list(turn.state.open.values()):
        if call.id in turn.state.started:
            result = unknown(call)
        else:
            stopped = Cancelled("the turn ended before this was done", hint="ask again")
            result = ToolResult("error", error=error_info(stopped), label=call.label)
        turn.finished(call, CallFinished(call.id, result))
