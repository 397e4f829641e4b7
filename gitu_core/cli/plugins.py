"""``gitu plugins``."""

from __future__ import annotations

import argparse
from functools import partial
from typing import cast

import anyio

from gitu_core.cli.common import settings_of
from gitu_core.cli.main import ACTIONS
from gitu_core.cli.show import answers_only, as_json, paint, table
from gitu_core.config import plugin_config
from gitu_core.contracts import Host
from gitu_core.errors import PluginError
from gitu_core.manifest import Manifest
from gitu_core.options import built_in, enabled_by, trusted_by
from gitu_core.registry import PluginStatus, Registry
from gitu_core.registry.describe import RecordingHost


def arguments(name: str, command: argparse.ArgumentParser) -> None:
    """What the command takes."""
    tip = "reset describes it anew where it has no manifest; quarantine elsewhere ends when that one is started again"
    command.add_argument("action", nargs="?", default="list", choices=ACTIONS[name], help=tip)
    command.add_argument("id", nargs="?", default="", help="the plugin to act on")
    command.add_argument("--json", action="store_true", help="print JSON")
    command.add_argument("--fast", action="store_true", help="do not try whether what is enabled can be loaded")


def run(options: argparse.Namespace) -> int:
    """Runs the command."""
    registry = registry_of(options)
    with answers_only():
        if options.action != "list":
            getattr(registry, options.action)(options.id)
        if not options.fast:
            anyio.run(partial(registry.check, begin=False))
    found = [each for each in registry.plugins() if options.action == "list" or each.id == options.id]
    print(as_json(found) if options.json else listing(found))
    return 0


def registry_of(options: argparse.Namespace) -> Registry:
    """The registry, for looking only: a plugin that is loaded gets its configuration and no facet of the host."""
    settings = settings_of(options)

    def host_for(manifest: Manifest) -> Host:
        return cast(Host, RecordingHost(manifest.id, plugin_config(manifest, settings)))

    return Registry(settings.folder, host_for=host_for, enabled=enabled_by(settings), builtin=built_in(),
                    report=_quiet, trusts=trusted_by(settings), workers=settings.plugins)  # fmt: skip


def _quiet(error: PluginError) -> None:
    """What a plugin did wrong stands in the listing."""


def listing(found: list[PluginStatus]) -> str:
    """Plugins as a table; what cannot run is followed by its reason and the next step, smaller troubles by a note."""
    rows = [(each.id, each.state, each.version, ", ".join(each.contributions) or "-") for each in found]
    lines = [table(("plugin", "state", "version", "contributes"), rows)]
    for each in found:
        if each.reason and each.state != "disabled":
            lines.append(f"\n{paint(each.id, 'bold')}: {each.reason}")
            if each.hint:
                lines.append(f"  next: {each.hint}")
        lines += [f"\n{paint(each.id, 'bold')}: {note}" for note in each.notes]
    return "\n".join(lines)
