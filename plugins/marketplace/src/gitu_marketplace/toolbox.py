"""The tools that the servers of a package say they have, made fit to be offered: names, descriptions, schemas."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from typing import Any
from urllib.parse import unquote

import msgspec

from gitu_core import Schema
from gitu_core.contracts import ToolSpec
from gitu_core.errors import ConfigError, ToolInputError
from gitu_marketplace.agent.agreed import Agreed, Pinned, tool_spec
from gitu_marketplace.agent.link import LARGEST
from gitu_marketplace.text import clean, plain

MOST, MOST_BYTES, MOST_PARTS, DEEPEST, LONGEST = 256, 512 << 10, 2_000, 16, 1_024
"""Tools of one package, bytes of all of them, parts of a schema, how deep it may be, characters of a description."""

_NAME = re.compile(r"[A-Za-z0-9_.-]{1,128}")
_CHECKS = ("pattern", "patternProperties", "format", "propertyNames", "$id", "$schema", "$anchor",
           "$dynamicAnchor", "$dynamicRef", "$recursiveRef", "$ref", "$defs", "definitions",
           "unevaluatedItems", "unevaluatedProperties")  # fmt: skip
"""What is left to the server to check: patterns are of its dialect, and an identifier changes what a link means."""


class _Told(msgspec.Struct):
    name: str
    description: str
    schema: Any
    digest: str


class _Answer(msgspec.Struct):
    tools: list[_Told] = []
    trouble: str = ""


def read(text: str, agreed: Agreed, skip: Callable[[str], None]) -> tuple[Pinned, ...]:
    """The tools that can be offered, from what the command of the plugin printed. *skip* is told of the others."""
    answers = msgspec.json.decode(text, type=dict[str, _Answer])
    found, size = dict[str, Pinned](), 0
    for server, answer in answers.items():
        if answer.trouble:
            skip(f"server {clean(server, 60)}: {clean(answer.trouble)}")
        for each in answer.tools:
            what = f"tool {clean(each.name, 80)!r} of the server {clean(server, 60)}"
            try:
                if len(found) >= MOST or size > MOST_BYTES:
                    raise ValueError("there are too many")
                spec = _spec(agreed, server, each)
                size += len(msgspec.json.encode(spec))
                if spec.name in found:
                    raise ValueError("there are two of one name")
            except (ValueError, RecursionError) as error:
                skip(f"{what}: {clean(str(error))}")
                continue
            found[spec.name] = Pinned(server, each.name, each.digest, spec)
    return tuple(found[name] for name in sorted(found))


def _spec(agreed: Agreed, server: str, told: _Told) -> ToolSpec:
    if not _NAME.fullmatch(told.name):
        raise ValueError("its name has other characters than letters, digits, '.', '_' and '-'")
    if told.schema is None:
        raise ValueError("what it says of itself is too large")
    if not isinstance(told.schema, dict) or told.schema.get("type") != "object":
        raise ValueError("its schema is none of an object")
    name = re.sub(r"[.-]", "_", f"{agreed.prefix}_{server}_{told.name}")
    if len(name) > 64:  # what every provider of models takes
        name = f"{name[:57]}_{hashlib.sha256(name.encode()).hexdigest()[:6]}"
    description = clean(told.description, LONGEST) or f"{clean(told.name)} of the server {server}"
    schema = _Loose(told.schema).copied(told.schema)
    try:
        Schema(schema, "the tool")
    except (ConfigError, ToolInputError) as error:
        raise ValueError(f"its schema is none: {error.message}") from error
    shown = msgspec.json.encode(schema).decode()
    if len(shown) > LARGEST or not plain(shown):  # models read all of it, and the operator is to see what they read
        raise ValueError("its schema is too deep or too large, or holds characters that cannot be shown")
    return tool_spec(name, description, schema)


def _newer(schema: dict[str, Any]) -> dict[str, Any]:
    """A schema of an older draft in the words of today: lists of items, and limits that are yes or no."""
    found = dict(schema)
    if isinstance(found.get("items"), list):
        found["prefixItems"] = found.pop("items")
    for word, limit in (("exclusiveMinimum", "minimum"), ("exclusiveMaximum", "maximum")):
        if isinstance(found.get(word), bool) and found.pop(word) and limit in found:
            found[word] = found.pop(limit)
    return found


class _Loose:
    """Copies a schema without what only the server can check safely, every link replaced by what it leads to: what is
    left ends, and refers to nothing. `ValueError` for one that leads outside, is too deep or too large."""

    def __init__(self, schema: dict[str, Any]) -> None:
        self._schema, self._left = schema, MOST_PARTS

    def copied(self, schema: Any, depth: int = 0) -> Any:
        """A part of it."""
        self._left -= 1
        if depth > DEEPEST or self._left < 0:
            raise ValueError("its schema is too deep or too large")
        if isinstance(schema, list):
            return [self.copied(each, depth + 1) for each in schema]
        if isinstance(schema, str):
            return clean(schema, LONGEST)
        if not isinstance(schema, dict):
            return schema
        kept = self._led_to(schema["$ref"], depth) if "$ref" in schema else {}
        schema = _newer(schema)
        for word, value in schema.items():
            if word in ("properties", "dependentSchemas") and isinstance(value, dict):
                kept[word] = {name: self.copied(each, depth + 1) for name, each in value.items()}
            elif word in ("enum", "const", "default", "examples", "required"):
                kept[word] = value  # as it is, or the server would not know it
            elif word not in _CHECKS:
                kept[word] = self.copied(value, depth + 1)
        return self._weaker(kept, schema)

    @staticmethod
    def _weaker(kept: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
        """What was *kept* of a schema refuses nothing that the schema takes: what asks that a part does not hold, or
        nothing else, would, where something was left out."""
        if "patternProperties" in schema:
            kept.pop("additionalProperties", None)
        left = [word for word in ("not", "if", "oneOf", "contains") if word in schema and kept[word] != schema[word]]
        for word in left:
            part = kept.pop("maxContains" if word == "contains" else word, None)
            if word == "oneOf":
                kept.setdefault("anyOf", part)
        return kept

    def _led_to(self, link: Any, depth: int) -> dict[str, Any]:
        if not isinstance(link, str) or not f"{link}/".startswith("#/") or len(link) > LONGEST:
            raise ValueError("its schema refers to another one")
        target: Any = self._schema
        for name in unquote(link).split("/")[1:]:
            name = name.replace("~1", "/").replace("~0", "~")
            if isinstance(target, list):
                target = next(iter(target[int(name) :]), None) if name.isdecimal() and len(name) < 6 else None
            else:
                target = target.get(name) if isinstance(target, dict) else None
        found = self.copied(target, depth + 1)
        if not isinstance(found, dict):
            raise ValueError("its schema refers to what is not there")
        return found
