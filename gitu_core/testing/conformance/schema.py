"""Arguments for a tool out of its JSON Schema: one plain example, and many that are hostile."""

from __future__ import annotations

from typing import Any

import jsonschema
from hypothesis import strategies as st

from gitu_core.testing.conformance.base import HOSTILE
from gitu_core.testing.strategies import json_values, numbers, texts

_LIMIT = 10**6


def example_of(schema: dict[str, Any]) -> Any:
    """One plain value that fits the usual keywords of *schema*: what is required, and nothing else."""
    schema = _simple(schema)
    for key in ("const", "default"):
        if key in schema:
            return schema[key]
    for key in ("enum", "examples"):
        if schema.get(key):
            return schema[key][0]
    kind = _kind(schema)
    if kind == "object":
        properties = schema.get("properties", {})
        return {name: example_of(properties.get(name, {})) for name in schema.get("required", ())}
    if kind == "array":
        return [example_of(schema.get("items", {})) for _ in range(schema.get("minItems", 0))]
    if kind in ("integer", "number"):
        return schema.get("minimum", schema.get("maximum", 1))
    return {"boolean": True, "null": None}.get(kind, "word".ljust(schema.get("minLength", 0), "x"))


def values_of(schema: dict[str, Any]) -> st.SearchStrategy[Any]:
    """Values that fit *schema*, hostile texts and odd numbers among them."""
    validator = jsonschema.Draft202012Validator(schema)
    return _any_of(schema).filter(lambda value: validator.is_valid(value))


def _any_of(schema: dict[str, Any]) -> st.SearchStrategy[Any]:
    for key in ("anyOf", "oneOf"):
        if key in schema:
            return st.one_of([_any_of(each) for each in schema[key]])
    schema = _simple(schema)
    if "const" in schema:
        return st.just(schema["const"])
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    kind = _kind(schema)
    least, most = schema.get("minimum"), schema.get("maximum")
    if kind == "object":
        return _objects(schema)
    if kind == "array":
        items = _any_of(schema.get("items", {}))
        return st.lists(items, min_size=schema.get("minItems", 0), max_size=max(3, schema.get("minItems", 0)))
    if kind == "integer":
        return st.integers(least if least is not None else -_LIMIT, most if most is not None else _LIMIT)
    if kind == "number":
        return numbers if least is None and most is None else st.floats(least, most, allow_nan=False)
    plain = {"boolean": st.booleans(), "null": st.none(), "string": st.sampled_from(HOSTILE) | texts}
    return plain.get(kind, json_values)


def _objects(schema: dict[str, Any]) -> st.SearchStrategy[Any]:
    fields = {name: _any_of(each) for name, each in schema.get("properties", {}).items()}
    needed = set(schema.get("required", ()))
    optional = {name: each for name, each in fields.items() if name not in needed}
    return st.fixed_dictionaries({name: fields.get(name, json_values) for name in needed}, optional=optional)


def _simple(schema: dict[str, Any]) -> dict[str, Any]:
    """The first of several possibilities."""
    for key in ("anyOf", "oneOf", "allOf"):
        if schema.get(key):
            return {**{name: each for name, each in schema.items() if name != key}, **schema[key][0]}
    return schema


def _kind(schema: dict[str, Any]) -> str:
    kind = schema.get("type", "object" if "properties" in schema else "")
    return str(kind[0] if isinstance(kind, list) else kind)
