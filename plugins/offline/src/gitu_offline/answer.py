"""From results of tools to plain sentences, and what is said when nothing can be done."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from gitu_core.contracts import ToolSpec

_FAILED = ("error:", "denied:", "unknown:")
_ALONE = ("text", "answer", "result", "value", "message", "summary", "output", "content")


def tell(results: Sequence[tuple[str, str]]) -> str:
    """What the tools answered, in words. *results* are (tool, its result as the model reads it)."""
    return "\n".join(_one(tool, text) for tool, text in results)


def _one(tool: str, text: str) -> str:
    if text.startswith(_FAILED):
        status, _, why = text.partition(":")
        words = {"denied": "was not allowed", "unknown": "may or may not have happened"}.get(status, "did not work")
        return f"{tool} {words}: {why.strip()}"
    try:
        value = msgspec.json.decode(text)
    except msgspec.DecodeError:
        return text.strip() or "Done."
    return in_words(value)


def in_words(value: Any) -> str:
    """A JSON value as somebody would say it."""
    if value is None or value == "" or value is True:
        return "Done."
    if value is False:
        return "No."
    if isinstance(value, int | float):
        return f"The answer is {value}."
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        return "\n".join(f"- {_short(item)}" for item in value) if value else "There is nothing."
    if isinstance(value, dict):
        alone = [value[key] for key in _ALONE if isinstance(value.get(key), str | int | float)]
        if len(value) == 1 and alone:
            return in_words(alone[0])
        return _sentence(
            ", ".join(f"{_name(key)}: {_short(item)}" for key, item in value.items() if item not in (None, ""))
        )
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


def _sentence(text: str) -> str:
    text = text[:1].upper() + text[1:]
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
    lines.append("For a real model, set a provider's API key in the environment, or `model` in gitu.toml.")
    return "\n".join(lines)
