"""Forms out of JSON Schemas: which fields there are, and what somebody typed as values that fit the schema."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from gitu_core.errors import ConfigError
from gitu_web.console.texts import say

LISTED = 200
"""Fields that a form has at most."""


@dataclass
class Field:
    """One field: what stands beside it, what kind of input it is, and what is in it."""

    name: str
    title: str
    kind: str
    value: str = ""
    hint: str = ""
    required: bool = False
    choices: list[tuple[str, str]] = field(default_factory=list)
    attributes: dict[str, str] = field(default_factory=dict)
    error: str = ""


LIMITS = {"minimum": "form.least", "maximum": "form.most", "maxLength": "form.long", "minLength": "form.short"}
"""What is said where a value breaks a rule of its schema; what breaks another is said as the library says it."""

_KINDS = {"integer": "number", "number": "number", "boolean": "checkbox", "array": "lines", "object": "json"}
_FORMATS = {"uri": "url", "email": "email", "date": "date", "password": "password"}


def fields_of(
    schema: Mapping[str, Any], values: Mapping[str, Any], errors: Mapping[str, str] | None = None
) -> list[Field]:  # fmt: skip
    """The fields of a form for a schema of type object."""
    properties, required = schema.get("properties"), schema.get("required", ())
    if not isinstance(properties, Mapping):
        return []
    found = []
    for name, each in list(properties.items())[:LISTED]:
        each = _plain(schema, each)
        one = _field(str(name), each, values.get(name, each.get("default")))
        one.required, one.error = name in required, (errors or {}).get(str(name), "")
        found.append(one)
    return found


def _plain(schema: Mapping[str, Any], said: Any) -> Mapping[str, Any]:
    """What a property is where it is given at all, as libraries write it: null is left aside, and links into the
    definitions are followed. Of the type ``any`` where it may be several things."""
    part: Mapping[str, Any] = said if isinstance(said, Mapping) else {}
    for _ in range(4):
        where, _, name = str(part.get("$ref", "")).rpartition("/")
        either, types = part.get("anyOf") or part.get("oneOf"), part.get("type")
        if where in ("#/$defs", "#/definitions"):
            known = schema.get(where[2:])
            found = known.get(name) if isinstance(known, Mapping) else None
            further = [found] if isinstance(found, Mapping) else []
        elif isinstance(types, str):
            return part
        elif isinstance(either, list):
            further = [each for each in either if isinstance(each, Mapping) and each.get("type") != "null"]
        elif isinstance(types, list):
            further = [{"type": each} for each in types if each != "null"]
        else:
            return part
        one = further[0] if len(further) == 1 else {"type": "any"}
        if one.get("type") == "boolean" and "$ref" not in part:  # a box that is not ticked is no, not null
            one = {"enum": [True, False]}
        part = {**one, **{key: each for key, each in part.items() if key not in ("$ref", "anyOf", "oneOf", "type")}}
    return part


def _field(name: str, schema: Mapping[str, Any], value: Any) -> Field:
    title = str(schema.get("title") or name.replace("_", " "))
    hint, kind = str(schema.get("description", "")), str(schema.get("type", ""))
    if isinstance(choices := schema.get("enum"), list):
        listed = [(json.dumps(each), each if isinstance(each, str) else json.dumps(each)) for each in choices]
        return Field(name, title, "select", "" if value is None else json.dumps(value), hint, choices=listed)
    if schema.get("writeOnly"):
        return Field(name, title, "password", "", hint)
    made = Field(name, title, _KINDS.get(kind, "text"), "", hint)
    if made.kind == "text":
        made.kind = _FORMATS.get(str(schema.get("format", "")), "text")
        made.value = (
            "" if value is None else str(value) if kind != "any" or isinstance(value, str) else json.dumps(value)
        )
    elif made.kind == "number":
        made.value = "" if value is None else str(value)
        limits = {"minimum": "min", "maximum": "max"}
        made.attributes = {html: str(schema[key]) for key, html in limits.items() if key in schema}
        made.attributes["step"] = "1" if kind == "integer" else "any"
    elif made.kind == "checkbox":
        made.value = "on" if value else ""
    elif made.kind == "lines":
        plain = isinstance(value, list) and all(isinstance(each, str) for each in value)
        made.value = "\n".join(value) if plain else "" if value is None else json.dumps(value)
        made.hint = f"{hint} {say('form.lines')}".strip()
    else:
        made.value = "" if value is None else json.dumps(value, indent=2)
    return made


def read(schema: Mapping[str, Any], typed: Mapping[str, str]) -> tuple[dict[str, Any], dict[str, str]]:
    """What was *typed* into the fields of a form, as values; and what is wrong with it, by the field. What was left
    empty is left out."""
    values: dict[str, Any] = {}
    errors: dict[str, str] = {}
    for each in fields_of(schema, {}):
        told = _plain(schema, schema["properties"].get(each.name))
        try:
            value = _value(each.kind, str(told.get("type", "")), typed.get(each.name, ""))
        except ValueError as error:
            errors[each.name] = f"{error}"[:200]
            continue
        if value is not None:
            values[each.name] = value
    for name, message in _checked(schema, values).items():
        errors.setdefault(name, message)
    return values, errors


def _value(kind: str, type: str, text: str) -> Any:
    if kind == "checkbox":
        return text == "on"
    if not text.strip():
        return None
    if kind == "number":
        try:
            number = int(text) if type == "integer" else float(text)
            if not math.isfinite(number):
                raise ValueError
            return number
        except (ValueError, OverflowError):
            raise ValueError(say("form.number" if type == "number" else "form.integer")) from None
    if kind == "lines":
        if text.lstrip().startswith("["):
            return _json(text)
        return [line.strip() for line in text.splitlines() if line.strip()]
    if type == "any":
        with suppress(ValueError):
            return _json(text)
    return _json(text) if kind in ("select", "json") else text.strip() if kind != "password" else text


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        raise ValueError(say("form.json")) from None


def _checked(schema: Mapping[str, Any], values: Mapping[str, Any]) -> dict[str, str]:
    from gitu_core import Schema

    try:
        found = list(Schema(dict(schema), configuration=True).problems(dict(values)))
    except ConfigError as error:  # the schema itself is none, or what was typed is too much for it
        return {"": say("form.schema", error=error.message[:300])}
    errors: dict[str, str] = {}
    for each in found:
        if each.validator == "required":
            for name in each.validator_value:
                if name not in values:
                    errors.setdefault(str(name), say("form.needed"))
        else:
            name, rule = str(each.absolute_path[0]) if each.absolute_path else "", LIMITS.get(each.validator)
            if name in errors:
                continue  # one is enough, and there may be thousands
            words = say(rule, limit=each.validator_value) if rule else each.message
            part = schema["properties"].get(name)
            if not name or '"writeOnly": true' in json.dumps([part, _plain(schema, part)], default=str):
                words = words.replace(repr(each.instance), "this")  # a secret that was typed is not shown
            errors.setdefault(name, words[:300])
    return errors
