"""Dotted paths into JSON values: ``a.b``, ``*`` for any item, ``@`` for the keys; lists are walked through anyway."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Any


@lru_cache(10_000)
def parts(path: str) -> list[str]:
    """The steps of a path; nobody changes them."""
    return path.split(".") if path else []


_PLAIN, _PARTS = frozenset((str, int, float, bool)), object()


def follow(value: Any, path: str) -> Iterable[Any]:
    """Everything in *value* that stands at *path*; lists at its end give their items."""
    if type(value) is dict:  # an argument at the top, as most are
        found = value.get(path, _PARTS)
        if type(found) in _PLAIN:
            return (found,)
        if type(found) is list and _PLAIN.issuperset(map(type, found)):
            return found
    return _follow(value, parts(path))


def _follow(value: Any, path: list[str]) -> Iterator[Any]:
    if isinstance(value, list | tuple):
        # A path may leave the star out: what holds for the list holds for every item.
        for item in value:
            yield from _follow(item, path[1:] if path and path[0] == "*" else path)
    elif not path:
        if value is not None:
            yield value
    elif isinstance(value, dict):
        some = [value[path[0]]] if path[0] in value else []
        items = value.values() if path[0] == "*" else value if path[0] == "@" else some
        for item in items:
            yield from _follow(item, path[1:])
    elif value is not None:
        yield value


def leaves(value: Any, path: str = "", keys: bool = False) -> Iterator[tuple[str, Any]]:
    """Everything in a JSON value that has no parts, with its dotted path; the items of lists count as ``*``. With
    *keys* also the names of parts, but for those at the top."""
    if isinstance(value, dict):
        for key, item in value.items():
            inner = f"{path}.{key}" if path else str(key)
            if keys and path:
                yield inner, key
            yield from leaves(item, inner, keys)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from leaves(item, f"{path}.*" if path else "*", keys)
    elif value is not None:
        yield path, value


def within(path: str, pattern: str) -> bool:
    """True if *path* is what *pattern* names, or a part of it; stars may be left out."""
    wanted, have = ([part for part in parts(each) if part != "*"] for each in (pattern, path))
    return have[: len(wanted)] == wanted
