"""``gitu manifest``: describes a package for its author."""

from __future__ import annotations

import argparse
import os
import sys
from contextlib import redirect_stdout, suppress
from pathlib import Path

from gitu_core.errors import LoadError, ManifestError
from gitu_core.manifest import FILE_NAME, Manifest, check, parse, read, render
from gitu_core.registry.scan import scan_folder


def run(options: argparse.Namespace) -> int:
    """Prints the manifest, or writes it into the package."""
    import anyio

    with redirect_stdout(sys.stderr):  # whatever the plugin prints
        folder, manifest = anyio.run(describe_package, options.package)
    text = render(manifest)
    if not options.write:
        print(text, end="")
        return 0
    file = folder / FILE_NAME
    file.write_text(text, "utf-8")
    parse(text, str(file))
    print(f"written: {file}")
    return 0


async def describe_package(package: str) -> tuple[Path, Manifest]:
    """The folder of a package that can be imported, and the manifest that its code amounts to.

    What code cannot tell (title, capabilities, configuration…) is kept from the manifest that is there; one
    that cannot be read is replaced. The package's code runs in this process. `PluginError` says why it cannot
    be done.
    """
    from gitu_core.isolation import blamed
    from gitu_core.registry.describe import RecordingHost, describe
    from gitu_core.registry.loading import import_plugin

    name, value = _entry(package)
    with blamed(LoadError, "its import ", f"try: python -c 'import {package}'"):
        plugin = import_plugin(name, value)
    folder = next(iter(getattr(sys.modules[package], "__path__", ())), None)
    if folder is None:
        hint = "a single module needs none: it is described when it is enabled"
        raise LoadError(f"{package} is no package, so there is no place for a manifest", hint=hint)
    file, base = Path(folder, FILE_NAME), Manifest(id=name)
    with suppress(ManifestError):
        base = read(file)
    manifest = await describe(plugin, RecordingHost(base.id), base)
    check(manifest, file)
    return Path(folder), manifest


def _entry(package: str) -> tuple[str, str]:
    """Name and value of the package's entry point; the package itself where it is not installed."""
    for folder in filter(os.path.isdir, sys.path):
        for found in scan_folder(folder, []):
            if found.value.partition(":")[0].partition(".")[0] == package:
                return found.name, found.value
    return package.removeprefix("gitu_").replace("_", "-"), package
