"""Imports and activates one plugin."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib.metadata import EntryPoint
from typing import Any

from stevedore.extension import ExtensionManager

from gitu_core.contracts import Host
from gitu_core.errors import LoadError, ManifestError, PluginError
from gitu_core.isolation import Overdue, in_thread, in_words, is_cancellation
from gitu_core.manifest import FILE_NAME, Manifest, check_versions
from gitu_core.registry.describe import call_lifecycle, compare, hand_over, summarise
from gitu_core.registry.manager import Implementation, Manager
from gitu_core.registry.objects import as_plugin, name_of
from gitu_core.registry.scan import GROUP, Found

IMPORT_LIMIT = 20.0
"""Seconds that the import of a plugin may take."""


@dataclass(eq=False)
class Active:
    """An activated plugin: its host, its hooks, and what it contributes by seam and name."""

    host: Host
    manifest: Manifest
    implementations: dict[str, Implementation]
    objects: dict[tuple[str, str], Any] = field(default_factory=dict)

    async def lifecycle(self, hook: str, **more: Any) -> None:
        """Calls a lifecycle hook, where the plugin has it."""
        each = self.implementations.get(hook)
        if each is not None:
            await call_lifecycle(each, {"host": self.host, **more})


class _Extensions(ExtensionManager[Any]):
    """Imports the one entry point that it is given: it discovers nothing, and raises failures as they are."""

    def __init__(self, entry: EntryPoint) -> None:
        self._entry = entry
        super().__init__(GROUP, on_load_failure_callback=_raise)

    def list_entry_points(self) -> list[EntryPoint]:
        """The entry point from the index."""
        return [self._entry]


def _raise(manager: Any, entry: EntryPoint, error: BaseException) -> None:
    raise error


def import_entry(name: str, value: str) -> Any:
    """What an entry point names. Raises whatever its import raises."""
    (extension,) = _Extensions(EntryPoint(name, value, GROUP)).extensions
    return extension.plugin


async def load(
    found: Found,
    manifest: Manifest,
    host_for: Callable[[Manifest], Host],
    manager: Manager,
    limit: float = IMPORT_LIMIT,
) -> Active:
    """Imports an installed plugin and takes what it contributes. `PluginError` says what is wrong, where,
    what next.
    """
    check_versions(manifest)
    if found.location not in sys.path:
        # Last, so that it cannot shadow anything.
        sys.path.append(found.location)
    thread = f"gitu-import-{manifest.id}"
    module = found.value.partition(":")[0]
    try:
        plugin = await in_thread(lambda: _import(found), limit, thread)
    except Overdue as error:
        what = f"its import did not end within {limit:g} s; the thread {thread} was given up"
        hint = f"see what it does when it is imported: python -c 'import {module}'"
        raise LoadError(what, hint=hint, plugin=manifest.id) from error
    except PluginError as error:
        raise error.at(plugin=manifest.id) from error
    except BaseException as error:  # whatever its import raised, sys.exit included, is the plugin's failure
        if is_cancellation(error):
            raise
        hint = getattr(error, "hint", "") or f"try: python -c 'import {module}'"
        raise LoadError(f"its import raised {in_words(error)}", hint=hint, plugin=manifest.id) from error
    return await activate(plugin, manifest, host_for, manager, shipped=True)


def _import(found: Found) -> Any:
    return as_plugin(import_entry(found.name, found.value), found.name)


async def activate(
    plugin: Any, manifest: Manifest, host_for: Callable[[Manifest], Host], manager: Manager, *, shipped: bool
) -> Active:
    """Registers a plugin object and calls its provider hooks. With *shipped*, its code must agree with
    *manifest*.
    """
    id = manifest.id
    try:
        host = host_for(manifest)
        implementations = manager.add(plugin, id)
        objects = await hand_over(implementations, host)
        described = summarise(id, implementations, objects, manifest)
        differences = compare(manifest, described) if shipped else []
        if differences:
            raise ManifestError(f"{FILE_NAME} disagrees with the code: {'; '.join(differences)}",
                                hint=f"run: gitu manifest {id} --write", plugin=id)  # fmt: skip
        named = {(seam, name_of(seam, each)): each for seam, found in objects.items() for each in found}
    except BaseException as error:  # also when the host cancels: a plugin that is half taken in must not stay
        manager.drop(id)
        if isinstance(error, PluginError) or is_cancellation(error):
            raise
        hint = getattr(error, "hint", "") or "see the plugin's code"
        raise LoadError(f"what it contributes cannot be used: {in_words(error)}", hint=hint, plugin=id) from error
    return Active(host, manifest if shipped else described, implementations, named)
