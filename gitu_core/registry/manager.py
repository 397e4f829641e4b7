"""Registers hook implementations with pluggy, which keeps the specifications and checks arguments."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from typing import Any, cast

import pluggy

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


class Manager(pluggy.PluginManager):
    """A plugin manager in which a function is an implementation when it is named like a hook."""

    def __init__(self) -> None:
        super().__init__("gitu")
        self.add_hookspecs(hookspecs)

    def parse_hookimpl_opts(self, plugin: Any, name: str) -> pluggy.HookimplOpts | None:
        """Every function that is named like a hook is taken; nothing else is even looked at."""
        if not name.startswith("gitu_") or _function(plugin, name) is None:
            return None
        return cast(pluggy.HookimplOpts, {})  # pluggy fills in the rest

    def add(self, plugin: Any, id: str) -> dict[str, Implementation]:
        """Registers a plugin; gives its implementations by hook. `ManifestError` names what fits no hook."""
        for name in dir(plugin):
            if name.startswith("gitu_"):
                _check_name(plugin, name, id)
        try:
            self.register(plugin, name=id)
        except pluggy.PluginValidationError as error:
            raise _explained(plugin, id, error) from error
        found = {}
        for name, meta in HOOKS.items():
            for each in getattr(self.hook, name).get_hookimpls():
                if each.plugin_name == id:
                    found[name] = _implementation(id, meta, each)
        return found

    def drop(self, id: str) -> None:
        """Forgets a plugin, if it is known."""
        if self.has_plugin(id):
            self.unregister(name=id)


def _function(plugin: Any, name: str) -> Any:
    """The function or method behind an attribute, found without running descriptors; else None."""
    found = inspect.getattr_static(plugin, name, None)
    if isinstance(found, staticmethod | classmethod):
        found = found.__func__
    return found if inspect.isfunction(found) or inspect.ismethod(found) else None


def _check_name(plugin: Any, name: str, id: str) -> None:
    function = _function(plugin, name)
    if name in HOOKS:
        if function is None:
            kind = type(inspect.getattr_static(plugin, name)).__name__
            hint = f"write def {name}(...)"
            raise ManifestError(f"{name} is a {kind}, not a function", hint=hint, plugin=id, hook=name)
    elif function is not None:
        hint = nearest(name, HOOKS, "see docs/hooks.md; other functions must not begin with gitu_")
        raise ManifestError(f"there is no hook {name!r}", hint=hint, plugin=id, hook=name)


def _explained(plugin: Any, id: str, error: pluggy.PluginValidationError) -> ManifestError:
    """Pluggy's complaint with the nearest argument that the hook does have."""
    for name in HOOKS:
        known = tuple(inspect.signature(getattr(hookspecs, name)).parameters)
        for argument in _required(_function(plugin, name)):
            if argument not in known:
                hint = nearest(argument, known, f"it may take: {', '.join(known)}")
                return ManifestError(f"{name} takes no argument {argument!r}", hint=hint, plugin=id, hook=name)
    return ManifestError(str(error), hint="see docs/hooks.md", plugin=id)


def _required(function: Any) -> list[str]:
    parameters = inspect.signature(function).parameters.values() if function else ()
    return [each.name for each in parameters if each.default is each.empty and each.name not in ("self", "cls")]


def _implementation(id: str, meta: HookMeta, found: Any) -> Implementation:
    function = found.function
    options = getattr(function, "gitu_hook", None)
    options = options if isinstance(options, HookOptions) else HookOptions()
    limit = meta.timeout if options.timeout is None else min(meta.timeout, options.timeout)
    awaits = inspect.iscoroutinefunction(function)
    return Implementation(id, meta, function, found.argnames, options.order, limit, options.thread, awaits)
