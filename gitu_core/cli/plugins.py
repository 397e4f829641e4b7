"""``gitu plugins`` and ``gitu manifest``."""

from __future__ import annotations

import argparse
from pathlib import Path

import anyio
import anyio.to_thread

from gitu_core.cli.common import settings_of
from gitu_core.cli.show import as_json, paint, table
from gitu_core.errors import ManifestError
from gitu_core.manifest import FILE_NAME, parse, render
from gitu_core.options import built_in, enabled_by
from gitu_core.registry import PluginStatus, Registry, describe_package


def arguments(name: str, command: argparse.ArgumentParser) -> None:
    """What the command takes."""
    if name == "manifest":
        command.add_argument("package", help="the plugin's package (import name)")
        command.add_argument("--write", action="store_true", help=f"write {FILE_NAME} into the package")
        return
    command.add_argument("action", nargs="?", default="list", choices=("list", "enable", "disable", "reset"))
    command.add_argument("id", nargs="?", default="", help="the plugin to act on")
    command.add_argument("--json", action="store_true", help="print JSON")


def run(options: argparse.Namespace) -> int:
    """Runs the command."""
    if options.command == "manifest":
        return anyio.run(_manifest, options)
    registry = registry_of(options)
    if options.action != "list":
        getattr(registry, options.action)(options.id)
    found = [each for each in registry.plugins() if options.action == "list" or each.id == options.id]
    print(as_json(found) if options.json else listing(found))
    return 0


def registry_of(options: argparse.Namespace) -> Registry:
    """The registry, for looking only: nothing is activated."""
    settings = settings_of(options)

    def refuse(manifest: object) -> object:
        raise ManifestError("no plugin runs while plugins are listed")

    return Registry(
        settings.folder, host_for=refuse, enabled=enabled_by(settings), builtin=built_in()  # type: ignore[arg-type]
    )  # fmt: skip


def listing(found: list[PluginStatus]) -> str:
    """Plugins as a table; what cannot run is followed by its reason and the next step."""
    rows = [(each.id, each.state, each.version, ", ".join(each.contributions) or "-") for each in found]
    lines = [table(("plugin", "state", "version", "contributes"), rows)]
    for each in found:
        if each.reason and each.state != "disabled":
            lines.append(f"\n{paint(each.id, 'bold')}: {each.reason}")
            if each.hint:
                lines.append(f"  next: {each.hint}")
    return "\n".join(lines)


async def _manifest(options: argparse.Namespace) -> int:
    folder, manifest = await describe_package(options.package)
    text = render(manifest)
    if not options.write:
        print(text, end="")
        return 0
    file = Path(folder, FILE_NAME)
    await anyio.to_thread.run_sync(file.write_text, text, "utf-8")
    parse(text, file)
    print(f"written: {file}")
    return 0
