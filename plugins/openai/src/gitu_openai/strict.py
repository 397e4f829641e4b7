"""Whether a JSON Schema may be sent with ``strict``, where the model is made to fit it exactly."""

from __future__ import annotations

from typing import Any

_KNOWN = frozenset(
    {
        *("type", "properties", "required", "additionalProperties", "items", "enum", "const", "anyOf", "$ref"),
        *("$defs", "definitions", "description", "title", "pattern", "format", "minimum", "maximum"),
        *("exclusiveMinimum", "exclusiveMaximum", "multipleOf", "minItems", "maxItems"),
    }
)


def is_strict(schema: dict[str, Any]) -> bool:
    """True if every object is closed and requires all of its properties, and no other keyword is used."""
    return schema.get("type") == "object" and _fits(schema)


def _fits(schema: Any) -> bool:
    if not isinstance(schema, dict) or not schema.keys() <= _KNOWN:
        return False
    if schema.get("type") == "object":
        properties = schema.get("properties", {})
        if schema.get("additionalProperties") is not False or set(schema.get("required", ())) != set(properties):
            return False
    below = [*schema.get("properties", {}).values(), *schema.get("anyOf", ())]
    for name in ("$defs", "definitions"):
        below.extend(schema.get(name, {}).values())
    if "items" in schema:
        below.append(schema["items"])
    return all(_fits(part) for part in below)
