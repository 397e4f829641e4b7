"""Finds the hooks of a plugin, and says what fits none. Needs no pluggy, so that a worker can do it as well."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from typing import Any

from gitu_core import hookspecs
from gitu_core.errors import ManifestError, nearest
from gitu_core.hookspecs import HOOKS, HookMeta, HookOptions


@dataclass(frozen=True, eq=False)
class Implementation:
    """One plugin's function for one hook. `arguments` are those it takes; `timeout` is in seconds."""

    plugin: str
    meta: HookMeta
    function: Any
    arguments: tuple[str, ...]
    order: int
    timeout: float
    thread: bool
    awaits: bool


def implementations(plugin: Any, id: str) -> dict[str, Implementation]:
    """The functions of a plugin that are named like hooks. `ManifestError` names what fits no hook."""
    found = {}
    for name in dir(plugin):
        if name.startswith("gitu_") and _named_like_a_hook(plugin, name, id):
            found[name] = _implementation(plugin, name, id)
    return {name: found[name] for name in HOOKS if name in found}


def function_of(plugin: Any, name: str) -> Any:
    """The function or method behind an attribute, found without running descriptors; else None."""
    found = inspect.getattr_static(plugin, name, None)
    if isinstance(found, staticmethod | classmethod):
        found = found.__func__
    return found if inspect.isfunction(found) or inspect.ismethod(found) else None


def arguments_of(hook: str) -> tuple[str, ...]:
    """What a hook hands over."""
    return tuple(inspect.signature(getattr(hookspecs, hook)).parameters)


def _named_like_a_hook(plugin: Any, name: str, id: str) -> bool:
    function = function_of(plugin, name)
    if name in HOOKS:
        if function is None:
            kind = type(inspect.getattr_static(plugin, name)).__name__
            hint = f"write def {name}(...)"
            raise ManifestError(f"{name} is a {kind}, not a function", hint=hint, plugin=id, hook=name)
        return True
    if function is not None:
        hint = nearest(name, HOOKS, "see docs/hooks.md; other functions must not begin with gitu_")
        raise ManifestError(f"there is no hook {name!r}", hint=hint, plugin=id, hook=name)
    return False


def _implementation(plugin: Any, name: str, id: str) -> Implementation:
    function, meta, known = getattr(plugin, name), HOOKS[name], arguments_of(name)
    taken = []
    for each in inspect.signature(function).parameters.values():
        if each.kind in (each.VAR_POSITIONAL, each.VAR_KEYWORD):
            continue
        if each.default is each.empty:
            if each.name not in known:
                hint = nearest(each.name, known, f"it may take: {', '.join(known)}")
                raise ManifestError(f"{name} takes no argument {each.name!r}", hint=hint, plugin=id, hook=name)
            taken.append(each.name)
    options = getattr(function, "gitu_hook", None)
    options = options if isinstance(options, HookOptions) else HookOptions()
    limit = meta.timeout if options.timeout is None else min(meta.timeout, options.timeout)
    awaits = inspect.iscoroutinefunction(function)
    return Implementation(id, meta, function, tuple(taken), options.order, limit, options.thread, awaits)
