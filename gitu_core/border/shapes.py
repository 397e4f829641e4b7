"""The careful way from values to JSON data and back, guided by type hints: what the fast way in `codec`
cannot do.

`lower` puts unknown fields (`Value.extra`, `Opaque.data`) back where they came from and names what cannot
cross; `lift` is its mirror: it collects unknown fields and unknown parts. Both work on plain JSON data.
"""

from __future__ import annotations

import base64
import math
from typing import Any

import msgspec
from msgspec import inspect as shape

from gitu_core.errors import BorderError
from gitu_core.model import Opaque, Value

Path = tuple[str | int, ...]
"""Where in a value: field names, keys and indices from the outside in."""

_SETS = (shape.SetType, shape.FrozenSetType)
_LISTS = (shape.ListType, shape.VarTupleType, *_SETS)
_OPAQUE = "opaque"


def show(path: Path) -> str:
    """A path as people read it: ``$.calls[0].arguments.body``."""
    return "$" + "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path)


def refuse(path: Path, what: str) -> BorderError:
    """The error for something at *path* that cannot cross."""
    place = clear(show(path))
    return BorderError(f"{what} at {place}", hint="hand over JSON data; bytes travel as a BlobRef", path=place)


def clear(text: object) -> str:
    """The words of something, without characters that could not cross themselves."""
    return str(text).encode("utf-8", "backslashreplace").decode()[:500]


# ---- values to JSON data -----------------------------------------------------------------------------------


def lower(node: shape.Type, value: Any, path: Path = ()) -> Any:
    """*value* as JSON data; `BorderError` names the first thing that JSON cannot say.

    Types are not checked here: the caller reads the result back through its hint, which does.
    """
    if isinstance(value, msgspec.Struct):
        found = _struct_node(node, type(value))
        if found is None:
            raise refuse(path, f"a {type(value).__name__}, where JSON data is expected,")
        return _lower_struct(found, value, path)
    if isinstance(value, bytes):
        if _find(node, (shape.BytesType,)) is None:
            raise refuse(path, "raw bytes")
        return base64.b64encode(value).decode()
    if isinstance(value, dict):
        inner = _find(node, (shape.DictType,))
        item = inner.value_type if isinstance(inner, shape.DictType) else shape.AnyType()
        return {_key(key, path): lower(item, each, (*path, key)) for key, each in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return _lower_items(node, value, path)
    if isinstance(value, msgspec.Raw):
        return value
    return _scalar(value, path)


def _lower_items(node: shape.Type, value: Any, path: Path) -> list[Any]:
    inner = _find(node, _LISTS)
    if isinstance(value, set | frozenset) and not isinstance(inner, _SETS):
        raise refuse(path, "a set, which JSON does not have,")
    item = inner.item_type if isinstance(inner, _LISTS) else shape.AnyType()
    return [lower(item, each, (*path, index)) for index, each in enumerate(value)]


def _lower_struct(node: shape.StructType, value: msgspec.Struct, path: Path) -> dict[str, Any]:
    if isinstance(value, Opaque):
        return {**lower(shape.AnyType(), value.data, path), **lower(shape.AnyType(), value.extra, path)}
    fields: dict[str, Any] = {}
    if node.tag_field is not None:
        fields[node.tag_field] = node.tag
    extra: dict[str, Any] = {}
    for field in node.fields:
        item = getattr(value, field.name)
        if field.name == "extra" and isinstance(value, Value):
            extra = item
        elif item is not msgspec.UNSET and not _is_default(field, item):
            fields[field.encode_name] = lower(field.type, item, (*path, field.name))
    if extra:
        known = {field.encode_name for field in node.fields if field.name != "extra"} | {node.tag_field}
        if clash := sorted(known.intersection(extra), key=str):
            raise refuse((*path, "extra"), f"an unknown field named like the known field {clash[0]!r}")
        fields.update(lower(shape.AnyType(), extra, (*path, "extra")))
    return fields


def _is_default(field: shape.Field, item: Any) -> bool:
    if field.required:
        return False
    if field.default is not msgspec.NODEFAULT:
        return type(item) is type(field.default) and bool(item == field.default)
    return field.default_factory in (dict, list) and item in ({}, [])


def _key(key: Any, path: Path) -> str:
    if not isinstance(key, str):
        raise refuse(path, f"a key of type {type(key).__name__}, where JSON allows only text,")
    return str(_scalar(key, (*path, key)))


def _scalar(value: Any, path: Path) -> Any:
    kind = type(value)
    if kind is str:
        try:
            value.encode()
        except UnicodeEncodeError:
            raise refuse(path, "a lone surrogate, which no text encoding carries,") from None
    elif kind is float:
        if not math.isfinite(value):
            raise refuse(path, f"the number {value}, which JSON does not have,")
    elif kind is not int and kind is not bool and value is not None:
        raise refuse(path, f"an object of type {kind.__name__}")
    return value


# ---- JSON data to what msgspec.convert takes ---------------------------------------------------------------


def lift(node: shape.Type, data: Any) -> Any:
    """JSON *data* with unknown fields moved to ``extra`` and unknown parts wrapped as `Opaque`."""
    if isinstance(data, dict):
        found = _lift_target(node, data)
        if isinstance(found, shape.StructType):
            return _lift_struct(found, data)
        if isinstance(found, shape.DictType):
            return {key: lift(found.value_type, each) for key, each in data.items()}
    elif isinstance(data, list):
        inner = _find(node, _LISTS)
        if isinstance(inner, _LISTS):
            return [lift(inner.item_type, each) for each in data]
    return data


def _lift_target(node: shape.Type, data: dict[str, Any]) -> shape.Type | None:
    if not isinstance(node, shape.UnionType):
        return node
    structs = [each for each in node.types if isinstance(each, shape.StructType)]
    for each in structs:
        if each.tag_field is None or (data.get(each.tag_field) == each.tag and each.cls is not Opaque):
            return each
    return next((each for each in structs if each.cls is Opaque), None) or _find(node, (shape.DictType,))


def _lift_struct(node: shape.StructType, data: dict[str, Any]) -> dict[str, Any]:
    if node.cls is Opaque:
        return {"type": _OPAQUE, "data": data}
    fields: dict[str, Any] = {}
    extra = dict(data)
    if node.tag_field is not None and node.tag_field in extra:
        fields[node.tag_field] = extra.pop(node.tag_field)
    for field in node.fields:
        if field.encode_name in extra and field.name != "extra":
            fields[field.encode_name] = lift(field.type, extra.pop(field.encode_name))
    if extra and issubclass(node.cls, Value):
        fields["extra"] = extra
    return fields


# ---- finding the right branch of a union -------------------------------------------------------------------


def _branches(node: shape.Type) -> tuple[shape.Type, ...]:
    return node.types if isinstance(node, shape.UnionType) else (node,)


def _find(node: shape.Type, kinds: tuple[type[shape.Type], ...]) -> shape.Type | None:
    return next((each for each in _branches(node) if isinstance(each, kinds)), None)


def _struct_node(node: shape.Type, cls: type) -> shape.StructType | None:
    return next((each for each in _branches(node) if isinstance(each, shape.StructType) and each.cls is cls), None)
