"""Makes a plugin out of whatever an entry point names, and checks objects against their contract."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Sequence
from operator import attrgetter
from types import ModuleType, SimpleNamespace
from typing import Any, get_type_hints

import msgspec

from gitu_core.contracts.base import SEAMS
from gitu_core.errors import HookError, LoadError
from gitu_core.hookspecs import HOOKS
from gitu_core.manifest import Contribution
from gitu_core.model import ActionSpec
from gitu_core.tools import FunctionTool, as_tool

PROVIDES = {meta.seam: name for name, meta in HOOKS.items() if meta.mode == "provide"}
"""The provider hook of each seam."""

_NAMES = {"adapter": "channel.name", "tool": "spec.name", "action": "spec.name", "command": "spec.name", "page": "path"}


class Ready:
    """A plugin made of objects that exist already: tools of an embedder, or a distribution that is one
    function.
    """

    def __init__(self, objects: Sequence[tuple[str, Any]]) -> None:
        self.objects = tuple(objects)
        for seam in dict.fromkeys(seam for seam, _ in self.objects):
            setattr(self, PROVIDES[seam], self._provide(seam))

    def _provide(self, seam: str) -> Any:
        return lambda: [each for kind, each in self.objects if kind == seam]


def as_plugin(value: Any, name: str) -> Any:
    """*value* as an object with hook functions: a module, a class, an instance, or tools. `LoadError` says
    why not.
    """
    if inspect.isclass(value):
        try:
            value = value()
        except TypeError as error:
            raise LoadError(f"{name}: {error}", hint="give the plugin class a constructor without arguments") from error
    if any(name.startswith("gitu_") and callable(getattr(value, name, None)) for name in dir(value)):
        return value
    if isinstance(value, ModuleType):
        return _module(value, name)
    if isinstance(value, list | tuple):
        return Ready([_object(each, name) for each in value])
    if inspect.isfunction(value) and value.__name__.startswith("gitu_"):
        return SimpleNamespace(**{value.__name__: value, "__doc__": value.__doc__})
    return Ready([_object(value, name)])


def _module(module: ModuleType, name: str) -> Ready:
    """The tools that a module defines; what it imported from elsewhere is not its own."""
    tools = [each for each in vars(module).values() if isinstance(each, FunctionTool)]
    own = [each for each in tools if each.function.__module__ == module.__name__]
    if not own:
        hint = f"define gitu_tools(host) in it, or let the entry point {name} name a tool"
        raise LoadError(f"{module.__name__} has neither hook functions nor tools", hint=hint)
    return Ready([("tool", each) for each in own])


def _object(value: Any, name: str) -> tuple[str, Any]:
    """One object with the seam that it fulfils."""
    if inspect.isclass(value):
        value = value()
    for seam in PROVIDES:
        if seam not in ("tool", "action", "command") and not lacks(seam, value):
            return seam, value
    if hasattr(value, "spec") and hasattr(value, "run"):
        if isinstance(value.spec, ActionSpec):
            return "action", value
        return ("command" if lacks("tool", value) and not lacks("command", value) else "tool"), value
    if inspect.isroutine(value):
        return "tool", as_tool(value)
    raise LoadError(f"{name}: a {type(value).__name__} is neither a plugin nor a tool",
                    hint="give it hook functions (docs/hooks.md), or pass a function")  # fmt: skip


@functools.cache
def _members(seam: str) -> tuple[dict[str, Any], tuple[str, ...]]:
    """The data attributes of a contract with their types, and the names of its methods."""
    protocol = SEAMS[seam].protocol
    methods = tuple(name for name, each in vars(protocol).items() if inspect.isfunction(each) and name[0] != "_")
    return get_type_hints(protocol), methods


def lacks(seam: str, value: Any) -> str:
    """What keeps *value* from fulfilling the contract of a seam, in words; empty when nothing does."""
    data, methods = _members(seam)
    for name in methods:
        if not callable(getattr(value, name, None)):
            return f"no method {name!r}"
    for name, kind in data.items():
        if not hasattr(value, name):
            return f"no attribute {name!r}"
        if isinstance(kind, type) and not isinstance(getattr(value, name), kind):
            return f"{name!r} is a {type(getattr(value, name)).__name__}, not a {kind.__name__}"
    return ""


def checked(seam: str, value: Any, hook: str) -> list[Any]:
    """What a provider hook returned, as objects that fulfil the contract. `HookError` names what lacks."""
    if value is None:
        return []
    if not isinstance(value, list | tuple):
        raise HookError(f"returned a {type(value).__name__}, expected a list of {seam}s", hook=hook,
                        hint=f"return a list from {hook}")  # fmt: skip
    found = []
    for each in value:
        if seam == "tool" and inspect.isfunction(each):
            each = as_tool(each)
        if missing := lacks(seam, each):
            what = f"returned a {type(each).__name__}, which is no {seam}: {missing}"
            hint = f"see the contract gitu_core.contracts.{SEAMS[seam].protocol.__name__}"
            raise HookError(what, hook=hook, hint=hint)
        found.append(each)
    return found


def name_of(seam: str, value: Any) -> str:
    """The name under which an object is contributed."""
    return str(attrgetter(_NAMES.get(seam, "name"))(value))


def contribution(seam: str, value: Any) -> Contribution:
    """An object as data: its name, what it is for, and the data attributes of its contract as JSON."""
    data = {name: getattr(value, name) for name in _members(seam)[0] if name not in ("name", "path")}
    # A contract with one attribute that is a struct is described by that struct alone, so that it can be read
    # back.
    plain = next(iter(data.values())) if set(data) in ({"spec"}, {"channel"}) else data
    description = getattr(plain, "description", "") or first_line(type(value).__doc__ or "")
    spec = msgspec.json.decode(msgspec.json.encode(plain, order="deterministic"))
    return Contribution(seam=seam, name=name_of(seam, value), description=description, spec=spec)


def first_line(doc: str) -> str:
    """The first line of a docstring."""
    return doc.strip().partition("\n")[0].strip()
