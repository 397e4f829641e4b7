"""Holds a call against what is known of the Bot API: a machine-readable description where it lies beside the project,
else the types of the library itself."""

from __future__ import annotations

import gzip
import inspect
import json
import re
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import telegram

PLACE = Path(__file__).parents[3].parent / "shared" / "data" / "telegram_api.json.gz"
"""Where the description lies, beside the folder of the project."""

_RANGE = re.compile(r"(\d+)-(\d+) (characters|bytes)")
_SIMPLE: dict[str, tuple[type, ...]] = {
    "String": (str,), "Integer": (int,), "Float": (int, float), "Boolean": (bool,), "True": (bool,),
}  # fmt: skip


@cache
def described() -> dict[str, Any] | None:
    """The description; None where there is none."""
    if not PLACE.is_file():
        return None
    with gzip.open(PLACE) as file:
        return dict(json.load(file))


def problems(method: str, given: Mapping[str, Any], known: Mapping[str, Any] | None) -> list[str]:
    """What is wrong with a call, by a description or by the library."""
    return _described(method, given, known) if known else _by_library(method, given)


# ---- by the description --------------------------------------------------------------------------------------------


def _described(method: str, given: Mapping[str, Any], known: Mapping[str, Any]) -> list[str]:
    if method not in known["methods"]:
        return [f"there is no method {method}"]
    return _fields(method, known["methods"][method].get("fields", ()), given, known)


def _fields(where: str, fields: Sequence[Any], given: Mapping[str, Any], known: Mapping[str, Any]) -> list[str]:
    by_name = {each["name"]: each for each in fields}
    found = [f"{where}: there is no field {name}" for name in given if name not in by_name]
    found += [
        f"{where}: {each['name']} is missing" for each in fields if each["required"] and each["name"] not in given
    ]
    for name, value in given.items():
        if name in by_name:
            each = by_name[name]
            found += _one_of(f"{where}.{name}", each["types"], value, known)
            found += _in_range(f"{where}.{name}", each["description"], value)
    return found


def _one_of(where: str, types: Sequence[str], value: Any, known: Mapping[str, Any]) -> list[str]:
    tried = [_value(where, each, value, known) for each in types]
    return [] if [] in tried else min(tried, key=len)


def _value(where: str, kind: str, value: Any, known: Mapping[str, Any]) -> list[str]:
    if kind == "InputFile":
        return [] if isinstance(value, bytes) else [f"{where}: no file"]
    if kind.startswith("Array of "):
        if not isinstance(value, list):
            return [f"{where}: no list"]
        inner = kind.removeprefix("Array of ")
        return [line for each in value for line in _one_of(where, inner.split(" or "), each, known)]
    if kind in _SIMPLE:
        right = isinstance(value, _SIMPLE[kind]) and isinstance(value, bool) == (kind in ("Boolean", "True"))
        return [] if right else [f"{where}: {value!r} is no {kind}"]
    described = known["types"].get(kind)
    if described is None:
        return [f"{where}: the description does not know {kind}"]
    if described.get("subtypes"):
        return _one_of(where, described["subtypes"], value, known)
    if not isinstance(value, dict):
        return [f"{where}: no {kind}"]
    return _fields(f"{where}:{kind}", described.get("fields", ()), value, known)


def _in_range(where: str, description: str, value: Any) -> list[str]:
    found = _RANGE.search(description)
    if not found or not isinstance(value, str):
        return []
    size = len(value.encode()) if found[3] == "bytes" else len(value.encode("utf-16-le")) // 2
    fits = int(found[1]) <= size <= int(found[2])
    return [] if fits else [f"{where}: {size} {found[3]}, allowed are {found[0]}"]


# ---- by the library ------------------------------------------------------------------------------------------------

_OBJECTS: dict[str, type[telegram.TelegramObject]] = {
    "entities": telegram.MessageEntity, "caption_entities": telegram.MessageEntity, "commands": telegram.BotCommand,
    "link_preview_options": telegram.LinkPreviewOptions, "reply_parameters": telegram.ReplyParameters,
    "reply_markup": telegram.InlineKeyboardMarkup,
}  # fmt: skip


def _by_library(method: str, given: Mapping[str, Any]) -> list[str]:
    function = getattr(telegram.Bot, method, None)
    if function is None:
        return [f"there is no method {method}"]
    known = inspect.signature(function).parameters
    found = [f"{method}: there is no field {name}" for name in given if name not in known]
    found += [
        f"{method}: {name} is missing"
        for name, each in known.items()
        if each.default is each.empty and name not in ("self", *given) and each.kind is not each.VAR_KEYWORD
    ]
    for name, value in given.items():
        for each in value if isinstance(value, list) else [value]:
            if name in _OBJECTS:
                found += _by_type(f"{method}.{name}", _OBJECTS[name], each)
    return found


def _by_type(where: str, kind: type[telegram.TelegramObject], value: Any) -> list[str]:
    try:
        made = kind.de_json(dict(value), None)
    except (TypeError, KeyError, ValueError, AttributeError) as error:
        return [f"{where}: no {kind.__name__}: {error}"]
    return [f"{where}: there is no field {name}" for name in made.api_kwargs]
