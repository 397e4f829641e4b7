"""Structured output: a JSON Schema filled as well as a text allows. What the text does not tell becomes
neutral."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gitu_offline.fill import MISSING, Text, kinds, resolve, value_for

_DEPTH = 8


def structure(schema: Mapping[str, Any], words: str) -> Any:
    """A value that fits *schema* in type, filled from *words*."""
    return _value("answer", schema, schema, Text(words, rest=words.strip()), 0)


def _value(name: str, schema: Mapping[str, Any], root: Mapping[str, Any], text: Text, depth: int) -> Any:
    part = resolve(schema, root)
    if part.get("type") == "object" or "properties" in part:
        required = set(part.get("required", ()))
        names = [each for each in part.get("properties", {}) if depth < _DEPTH or each in required]
        return {each: _value(each, part["properties"][each], root, text, depth + 1) for each in names}
    value = value_for(name, part, root, text)
    if value is not MISSING:
        return value
    if part.get("type", "string") == "string" and not part.get("enum") and not part.get("format"):
        about = kinds(name, part)
        if depth == 0 or not about or about[0] in ("body", "topic"):
            return text.rest[: part.get("maxLength", len(text.rest))]
    return _neutral(part, schema)


def _neutral(part: Mapping[str, Any], schema: Mapping[str, Any]) -> Any:
    """A value of the right type that says nothing."""
    if "default" in part:
        return part["default"]
    if any(each.get("type") == "null" for each in schema.get("anyOf", ())):
        return None
    if part.get("enum"):
        return part["enum"][0]
    kind = part.get("type")
    if kind in ("number", "integer"):
        return max(part.get("minimum", 0), min(0, part.get("maximum", 0)))
    return {"boolean": False, "array": [], "object": {}, "null": None}.get(str(kind), "")
