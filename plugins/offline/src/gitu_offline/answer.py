"""From results of tools to plain sentences, and what is said when nothing can be done."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from gitu_core.contracts import ToolSpec

_FAILED = ("error:", "denied:", "unknown:")
_WORDS = ("text", "message", "answer", "summary")
"""What a tool that says it in words calls them; then nothing else is told."""

_ALONE = ("result", "value", "output", "content")


def tell(results: Sequence[tuple[str, str]], tools: Sequence[ToolSpec] = ()) -> str:
    """What the tools answered, in words. *results* are (tool, its result as the model reads it)."""
    acting = {tool.name for tool in tools if tool.acts}
    return "\n".join(_one(tool, text, tool in acting) for tool, text in results)


def _one(tool: str, text: str, acts: bool) -> str:
    if text.startswith(_FAILED):
        return _failed(tool, text)
    try:
        value = msgspec.json.decode(text)
    except msgspec.DecodeError:
        return text.strip() or "Done."
    return in_words(value, tool, acts)


def _failed(tool: str, text: str) -> str:
    """An error with its next step: ``The clock did not work: there is no such place. Next: …``."""
    status, _, why = text.partition(":")
    words = {"denied": "was not allowed", "unknown": "may or may not have happened"}.get(status, "did not work")
    said, mark, hint = why.strip().removesuffix(")").partition(" (next: ")
    said, hint = (said, hint) if mark else (why.strip(), "")
    next_step = f" Next: {_ended(hint)}" if hint else ""
    return f"{_name(tool)} {words}: {_ended(said)}{next_step}"


def in_words(value: Any, tool: str = "", acts: bool = False) -> str:
    """A JSON value as somebody would say it. A number alone says little, so that the *tool* is named with it."""
    if value is None or value == "" or (acts and value is True):
        return "Done." if acts or value is None else "There is nothing."
    if isinstance(value, bool):
        return "Yes." if value else "No."
    if isinstance(value, int | float):
        return f"{_capital(_name(tool))}: {value}" if tool else str(value)
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        return "\n".join(f"- {_short(item)}" for item in value) if value else "There is nothing."
    if isinstance(value, dict):
        said = next((value[key] for key in _WORDS if isinstance(value.get(key), str) and value[key].strip()), "")
        if said:
            return str(said)
        alone = [value[key] for key in _ALONE if isinstance(value.get(key), str | int | float)]
        if len(value) == 1 and alone:
            return in_words(alone[0], tool, acts)
        return _ended(_capital(_short(value))) if value else "There is nothing."
    return str(value)


def _short(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{_name(key)}: {_short(item)}" for key, item in value.items() if item not in (None, ""))
    if isinstance(value, list):
        return "; ".join(_short(item) for item in value) or "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value)


def _name(key: str) -> str:
    return key.replace("_", " ")


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _ended(text: str) -> str:
    return text if text.endswith((".", "!", "?")) else f"{text}."


def cannot(tools: Sequence[ToolSpec]) -> str:
    """What this model says when it cannot help, and how to get one that can."""
    lines = ["I am the offline model: I understand no language, I only recognise what the installed tools can do."]
    if tools:
        known = ", ".join(tool.name for tool in tools[:12])
        lines.append(f"None of them fits what you wrote. I can use: {known}.")
        examples = [tool.examples[0] for tool in tools if tool.examples][:3]
        if examples:
            lines.append("Try: " + " / ".join(f"“{example}”" for example in examples))
    else:
        lines.append("No tools are installed here.")
    lines.append("Another model can be chosen with `model` in gitu.toml; `gitu doctor` tells which can be used.")
    return "\n".join(lines)
