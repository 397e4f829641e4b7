"""Registers hook implementations with pluggy, which keeps the specifications and checks arguments."""

from __future__ import annotations

from typing import Any, cast

import pluggy

from gitu_core import hookspecs
from gitu_core.errors import ManifestError
from gitu_core.registry.hooks import Implementation, function_of, implementations


class Manager(pluggy.PluginManager):
    """A plugin manager in which a function is an implementation when it is named like a hook."""

    def __init__(self) -> None:
        super().__init__("gitu")
        self.add_hookspecs(hookspecs)

    def parse_hookimpl_opts(self, plugin: Any, name: str) -> pluggy.HookimplOpts | None:
        """Every function that is named like a hook is taken; nothing else is even looked at."""
        if not name.startswith("gitu_") or function_of(plugin, name) is None:
            return None
        return cast(pluggy.HookimplOpts, {})  # pluggy fills in the rest

    def add(self, plugin: Any, id: str) -> dict[str, Implementation]:
        """Registers a plugin; gives its implementations by hook. `ManifestError` names what fits no hook."""
        found = implementations(plugin, id)
        try:
            self.register(plugin, name=id)
        except pluggy.PluginValidationError as error:
            raise ManifestError(str(error), hint="see docs/hooks.md", plugin=id) from error
        return found

    def drop(self, id: str) -> None:
        """Forgets a plugin, if it is known."""
        if self.has_plugin(id):
            self.unregister(name=id)
