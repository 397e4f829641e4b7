"""Finds where two values first differ, and says so in words."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

import msgspec

from gitu_core.model import UNLABELLED, ModelRequest

NOTHING = type("Nothing", (), {"__repr__": lambda self: "nothing"})()
"""Stands where one side has nothing at all."""

INPUT = frozenset({"extra", "version"})
"""Fields that are no outcome: what a newer program wrote, and which version wrote it."""

_SHOWN = 300


@dataclass(frozen=True)
class Difference:
    """The first difference of a replay: at which step of which turn, in which field, and what was and is there."""

    turn: str
    step: int
    kind: str
    path: str
    recorded: Any
    now: Any
    words: str = ""

    def __str__(self) -> str:
        where = f"{self.path}: " if self.path else ""
        more = f"; {self.words}" if self.words else ""
        at = f"step {self.step} ({self.kind}) of turn {self.turn}"
        return f"{at}: {where}recorded was {shown(self.recorded)}, now it is {shown(self.now)}{more}"


def kind_of(step: Any) -> str:
    """What a step is called in a file."""
    return str(getattr(step, "__struct_config__").tag) if isinstance(step, msgspec.Struct) else "nothing"  # noqa: B009


def shown(value: Any) -> str:
    """A value as people read it, on one line."""
    if value is NOTHING:
        return "nothing"
    if isinstance(value, frozenset | set):
        value = sorted(value, key=str)
    try:
        text = msgspec.json.encode(value, order="deterministic").decode()
    except (TypeError, ValueError, msgspec.MsgspecError):
        text = repr(value)
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "…"


def first_difference(
    recorded: Any, now: Any, path: str = "", skip: frozenset[str] = INPUT
) -> tuple[str, Any, Any] | None:  # fmt: skip
    """The dotted path of the first field that differs, with both values; None if none does. Fields of values that are
    named in *skip* are not looked at."""
    if isinstance(recorded, msgspec.Struct) and type(recorded) is type(now):
        names = [name for name in recorded.__struct_fields__ if name not in skip]
        pairs = [(name, getattr(recorded, name), getattr(now, name)) for name in names]
    elif isinstance(recorded, dict) and isinstance(now, dict):
        keys = dict.fromkeys((*recorded, *now))
        pairs = [(str(key), recorded.get(key, NOTHING), now.get(key, NOTHING)) for key in keys]
    elif isinstance(recorded, list | tuple) and isinstance(now, list | tuple):
        length = max(len(recorded), len(now))
        pairs = [
            (str(n), recorded[n] if n < len(recorded) else NOTHING, now[n] if n < len(now) else NOTHING)
            for n in range(length)
        ]
    else:
        return None if type(recorded) is type(now) and recorded == now else (path, recorded, now)
    for name, before, after in pairs:
        found = first_difference(before, after, f"{path}.{name}" if path else name, skip)
        if found is not None:
            return found
    return None


def read_in(request: ModelRequest) -> Iterator[tuple[str, str, Any]]:
    """What a model reads in a request: the place, a digest, and the value. Labels are compared with the steps, and what
    a newer program added to a value is not read."""
    for message in request.messages:
        yield f"messages.{message.id}", _digest(msgspec.structs.replace(message, label=UNLABELLED)), message
    for tool in request.tools:
        yield f"tools.{tool.name}", _digest(tool), tool


def _digest(value: Any) -> str:
    text = json.dumps(_told(value), sort_keys=True, default=str)
    return blake2b(text.encode(), digest_size=8).hexdigest()


def _told(value: Any) -> Any:
    """*value* without what it does not tell: fields as they are by default, which may be new, and unknown ones."""
    if isinstance(value, msgspec.Struct):
        pairs = ((each, getattr(value, each.name)) for each in msgspec.structs.fields(value) if each.name not in INPUT)
        return [value.__struct_config__.tag, {each.name: _told(item) for each, item in pairs if item != _default(each)}]
    if isinstance(value, dict):
        return {key: _told(item) for key, item in value.items()}
    if isinstance(value, frozenset | set):
        return sorted(map(str, value))
    return list(map(_told, value)) if isinstance(value, list | tuple) else value


def _default(field: msgspec.structs.FieldInfo) -> Any:
    return field.default_factory() if callable(field.default_factory) else field.default
