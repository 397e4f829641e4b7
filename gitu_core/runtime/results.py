"""What a tool gave back, made sound: valid, clean, within its limit, labelled. Nothing a tool returns gets further."""

from __future__ import annotations

from typing import Any

import msgspec

from gitu_core.errors import GituError, OutputTooLarge, ToolError
from gitu_core.model import Label, ToolCall, ToolResult, ToolSpec, clean_text, outside
from gitu_core.runtime.failures import error_info
from gitu_core.runtime.readers import made_private
from gitu_core.secrecy import hidden

_read = msgspec.json.Decoder(ToolResult).decode

_UNDONE = frozenset({"config", "input", "not_ready", "rate_limited", "auth", "rejected", "denied", "tool", "tool_input",
                     "facet_unavailable", "load", "quarantined", "manifest", "incompatible", "limit"})  # fmt: skip
"""Failures with which a tool says that nothing was done."""


def sound(result: Any, spec: ToolSpec) -> ToolResult:
    """*result* as a value that can be stored and sent, without secrets. `ToolError` if it is no result at all."""
    if not isinstance(result, ToolResult):
        raise ToolError(
            f"{spec.name} returned a {type(result).__name__} instead of a ToolResult", hint="correct the tool"
        )
    try:
        return limited(_read(hidden(msgspec.json.encode(result).decode())), spec)
    except UnicodeEncodeError:
        cleaned = clean(msgspec.to_builtins(result))
        return limited(_read(hidden(msgspec.json.encode(cleaned).decode())), spec)
    except (msgspec.MsgspecError, TypeError, ValueError, RecursionError) as error:
        raise ToolError(f"{spec.name} returned what is no JSON data: {error}", hint="correct the tool") from error


def clean(value: Any) -> Any:
    """*value* with all text in it cleaned."""
    if isinstance(value, str):
        return clean_text(value)
    if isinstance(value, dict):
        return {clean(key): clean(item) for key, item in value.items()}
    return [clean(item) for item in value] if isinstance(value, list | tuple) else value


def limited(result: ToolResult, spec: ToolSpec) -> ToolResult:
    """The result, if it is not too large. What acted is never called a failure for that: its text is cut."""
    text = result.text
    if len(text) <= spec.output_limit:
        return result
    if spec.acts and result.status == "ok":
        return msgspec.structs.replace(result, content=text[: spec.output_limit] + "…")
    raise OutputTooLarge(
        f"{spec.name} returned {len(text)} characters, {spec.output_limit} are allowed", hint="ask for less"
    )


def failed(error: BaseException, spec: ToolSpec) -> ToolResult:
    """The result of a call that raised. Where a tool acts and nobody said that nothing was done, nobody knows."""
    if isinstance(error, GituError):
        undone = error.code in _UNDONE or not spec.acts
        return ToolResult("error" if undone and error.code != "unknown" else "unknown", error=error_info(error))
    wrong = ToolError(f"{spec.name} failed with {type(error).__name__}: {clean_text(str(error))}",
                      hint="look whether it was done" if spec.acts else "try another way")  # fmt: skip
    return ToolResult("unknown" if spec.acts else "error", error=error_info(wrong))


def labelled(result: ToolResult, spec: ToolSpec, call: ToolCall, principal: str) -> ToolResult:
    """The result with everybody on its labels who wrote parts of it or chose its arguments, and who may read it."""
    mark = Label(origins=frozenset((outside(f"tool:{spec.name}"),)))
    whole = made_private(result.label.join(call.influence), spec, principal)
    fields = dict(result.fields)
    for path, writer in spec.writers.items():
        if writer != "outside" and not writer.startswith("field:"):
            continue
        if path:
            fields[path] = fields.get(path, whole).join(mark)
        else:
            whole = whole.join(mark)
    return msgspec.structs.replace(result, label=whole, fields=fields)


def refiltered(changed: ToolResult, before: ToolResult) -> ToolResult:
    """What a filter made of a result: it keeps everybody who influenced any part of what the filter read."""
    return msgspec.structs.replace(changed, label=changed.label.join(before.influence))
