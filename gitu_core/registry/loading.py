"""Imports and activates one plugin."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib.metadata import EntryPoint
from typing import TYPE_CHECKING, Any

from stevedore.extension import ExtensionManager

from gitu_core.contracts import Host
from gitu_core.errors import LoadError, ManifestError
from gitu_core.isolation import blamed, in_thread
from gitu_core.manifest import FILE_NAME, Manifest
from gitu_core.registry.describe import call_lifecycle, compare, hand_over, summarise
from gitu_core.registry.hooks import Implementation
from gitu_core.registry.manager import Manager
from gitu_core.registry.objects import as_plugin, name_of
from gitu_core.registry.scan import GROUP, Found

if TYPE_CHECKING:
    from gitu_core.registry.apart import Apart

Taken = Callable[[dict[str, Implementation]], dict[str, Implementation]]
"""Makes of a plugin's implementations what is called (`Dispatcher.taken`)."""


@dataclass(eq=False)
class Active:
    """An activated plugin: its host, its hooks, and what it contributes by seam and name."""

    host: Host
    manifest: Manifest
    implementations: dict[str, Implementation]
    objects: dict[tuple[str, str], Any] = field(default_factory=dict)
    apart: Apart | None = None

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


def import_plugin(name: str, value: str) -> Any:
    """What an entry point names, as a plugin object. Raises whatever its import raises."""
    (extension,) = _Extensions(EntryPoint(name, value, GROUP)).extensions
    return as_plugin(extension.plugin, name)


async def imported(found: Found, id: str, limit: float) -> Any:
    """The plugin object of an installed plugin, imported within *limit* seconds. `PluginError` says what is wrong."""
    if found.location not in sys.path:
        # Last, so that it cannot shadow anything.
        sys.path.append(found.location)
    command = f"python -c 'import {found.value.partition(':')[0]}'"
    late = f"see what it does when it is imported: {command}"
    with blamed(LoadError, "its import ", f"try: {command}", late, plugin=id):
        return await in_thread(lambda: import_plugin(found.name, found.value), limit, f"gitu-import-{id}")


async def activate_apart(apart: Apart, host: Host, taken: Taken) -> Active:
    """Starts the worker of an isolated plugin; gives it as the rest of the host holds it."""
    with blamed(LoadError, "its process ", "see the log", plugin=apart.manifest.id):
        try:
            await apart.open()
            objects = await apart.stand_ins()
        except BaseException:  # also when the host cancels: no process stays behind
            apart.close()
            raise
    return Active(host, apart.manifest, taken(apart.implementations()), objects, apart)


async def activate(
    plugin: Any, manifest: Manifest, host_for: Callable[[Manifest], Host], manager: Manager, taken: Taken, shipped: bool
) -> Active:
    """Registers a plugin object and calls its provider hooks. With *shipped*, its code must agree with
    *manifest*.
    """
    id = manifest.id
    try:
        with blamed(LoadError, "what it contributes cannot be used: it ", "see the plugin's code", plugin=id):
            host = host_for(manifest)
            implementations = taken(manager.add(plugin, id))
            objects = await hand_over(implementations, host)
            described = summarise(manifest, implementations, objects)
            if shipped and (differences := compare(manifest, described)):
                raise ManifestError(f"{FILE_NAME} disagrees with the code: {'; '.join(differences)}",
                                    hint=f"run: gitu manifest {id} --write")  # fmt: skip
            named = {(seam, name_of(seam, each)): each for seam, found in objects.items() for each in found}
    except BaseException:  # also when the host cancels: a plugin that is half taken in must not stay
        manager.drop(id)
        raise
    return Active(host, manifest if shipped else described, implementations, named)
