"""Brings plugins to life, once each, and ends them in the opposite order."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gitu_core.contracts.host import Entry, Host
from gitu_core.contracts.ports import CORE, PluginState
from gitu_core.errors import HookError, LoadError, PluginError, Quarantined
from gitu_core.manifest import Manifest
from gitu_core.registry.aside import aside
from gitu_core.registry.census import Record
from gitu_core.registry.faults import Watchdog

if TYPE_CHECKING:
    import anyio

    from gitu_core.registry.hooks import Implementation
    from gitu_core.registry.loading import Active
    from gitu_core.registry.manager import Manager
    from gitu_core.registry.registry import Registry

MEMORY = 1024
"""Mebibytes of address space that a worker gets, unless the operator says otherwise."""

Report = Callable[[PluginError], None]
"""Told about everything that a plugin did wrong."""


class Activation:
    """The active plugins of one registry. *limit* is how many seconds an import may take."""

    def __init__(
        self, registry: Registry, host_for: Callable[[Manifest], Host], report: Report, limit: float,
        state: PluginState | None, home: Path, workers: Mapping[str, Mapping[str, Any]],
    ) -> None:  # fmt: skip
        self._registry, self._host_for, self._report, self._limit = registry, host_for, report, limit
        self._state, self._home, self._workers = state, home, workers
        self._watchdog: Watchdog | None = None
        self._locks: dict[str, anyio.Lock] = {}
        self._begun: list[Record] = []

    @cached_property
    def _manager(self) -> Manager:
        from gitu_core.registry.manager import Manager

        return Manager()

    async def start(self, records: Sequence[Record]) -> None:
        """Loads all at once, then calls `gitu_start` by its order and plugin id. Who fails is quarantined."""
        await self.check(records, False)
        for record in sorted(records, key=_start_order):
            if record.active is not None:
                await self._try(record, True)
        self._watch()

    async def check(self, records: Sequence[Record], begin: bool) -> None:
        """Activates all at once; who fails is quarantined."""
        import anyio

        async with anyio.create_task_group() as group:
            for record in records:
                group.start_soon(self._try, record, begin)

    async def stop(self, records: Sequence[Record]) -> None:
        """Calls `gitu_stop` of every active plugin, the last begun first; failures are reported."""
        stopping = [each for each in records if each.active and each not in self._begun] + self._begun
        self._begun = []
        for record in reversed(stopping):
            active, record.active = record.active, None
            self._registry.hooks.remove(record.id)
            self._manager.drop(record.id)
            assert active is not None
            try:
                with aside():
                    await active.lifecycle("gitu_stop")
            except PluginError as error:
                error.at(plugin=record.id, version=record.version)
                self._report(error)
            if active.apart is not None:
                active.apart.close()
                await active.apart.ended()
        if self._watchdog is not None:
            self._watchdog.stop()
            self._watchdog = None

    async def activate(self, record: Record, begin: bool = True) -> Active:
        """The plugin, active, and with *begin* started. Once, however many ask. `PluginError` if it fails."""
        import anyio

        # Whoever asked first may give up; what was begun is finished, so that no plugin stays half active.
        with anyio.CancelScope(shield=True), aside():
            async with self._locks.setdefault(record.id, anyio.Lock()):
                try:
                    if record.state != "enabled":
                        raise unusable(record)
                    active = record.active or await self._load(record)
                    if begin and record not in self._begun:
                        await self._begin(record, active)
                except PluginError as error:
                    error.at(plugin=record.id, version=record.version)
                    if record.state == "enabled":
                        self._registry.quarantine(record.id, with_hook(error), error.hint)
                    raise
        return active

    async def _try(self, record: Record, begin: bool) -> None:
        with suppress(PluginError):  # it was quarantined and reported by then; the others start all the same
            await self.activate(record, begin)

    async def _load(self, record: Record) -> Active:
        from gitu_core.registry.loading import activate, imported
        from gitu_core.registry.seal import broken

        shipped, taken = record.local is None, self._registry.hooks.taken
        if record.isolation == "process":
            active = await self._load_apart(record)
        elif wrong := await broken(record.found, self._home):
            raise LoadError(wrong, hint=f"install it again, or run: gitu plugins remove {record.id}")
        else:
            plugin = await imported(record.found, record.id, self._limit) if shipped else record.local
            active = await activate(plugin, record.manifest, self._host_for, self._manager, taken, shipped)
        record.active, record.manifest = active, active.manifest
        if record.state != "enabled":  # it was quarantined for what it did meanwhile
            self._manager.drop(record.id)
            self.drop(record)
            record.active = None
            raise unusable(record)
        self._registry.in_service(record)
        return active

    async def _load_apart(self, record: Record) -> Active:
        from gitu_core.registry.apart import Apart
        from gitu_core.registry.loading import activate_apart

        def blame(why: str, offence: bool) -> None:
            self._registry.fault(record.id, LoadError(why, hint=f"gitu plugins disable {record.id}"), offence)

        host, said = self._host_for(record.manifest), self._workers.get(record.id, {})
        apart = Apart(record.found, record.manifest, self._home, host, blame, seconds=self._limit,
                      debug=said.get("debug") is True, memory=said.get("memory", MEMORY) << 20)  # fmt: skip
        return await activate_apart(apart, host, self._registry.hooks.taken)

    def drop(self, record: Record) -> None:
        """Ends the process of a plugin that is out of service, if it has one of its own."""
        if record.active is not None and record.active.apart is not None:
            record.active.apart.close()
            record.active = None
            if record in self._begun:
                self._begun.remove(record)

    async def _begin(self, record: Record, active: Active) -> None:
        self._begun.append(record)
        try:
            await self._migrate(active)
            await active.lifecycle("gitu_start")
            if active.apart is not None:
                active.apart.begun = True
        except PluginError:
            # Loaded afresh after a reset, so that its next start begins from nothing.
            self._begun.remove(record)
            if active.apart is not None:
                active.apart.close()
            record.active = None
            self._manager.drop(record.id)
            raise

    async def _migrate(self, active: Active) -> None:
        """Lets a plugin bring its stored state up to date, and keeps the version that it then has."""
        now = active.manifest.state_version
        if not now or self._state is None:
            return
        key = f"state-version/{active.manifest.id}"
        entry = await self._state.kv_get(CORE, key)
        before = entry.value if entry is not None and isinstance(entry.value, int) else 0
        if before > now:
            message = f"its stored state has version {before}, this release of it knows {now}"
            raise LoadError(message, hint="install the newer release again")
        if before < now:
            await active.lifecycle("gitu_migrate", before=before, after=now)
            await self._state.kv_put(CORE, Entry(key, now))

    def _watch(self) -> None:
        """Starts the watchdog when there is somebody who could block the event loop."""
        hooks = self._registry.hooks
        if self._watchdog is None and hooks.blocks:
            self._watchdog = Watchdog(lambda: hooks.running, self._blocks)
            self._watchdog.start()

    def _blocks(self, call: Implementation, took: float) -> None:
        what = f"has been blocking the event loop for {took:.1f} s; it may take {call.timeout:g} s"
        hint = f"gitu plugins disable {call.plugin}"
        self._report(HookError(what, hint=hint, plugin=call.plugin, hook=call.meta.name))


def unusable(record: Record) -> PluginError:
    """Why a plugin cannot be used, as an error."""
    kind = Quarantined if record.state == "quarantined" else LoadError
    words = f"{record.state}: {record.reason}"
    return kind(words, hint=record.hint, plugin=record.id, version=record.version)


def with_hook(error: PluginError) -> str:
    """What happened, with the hook where it is known."""
    return f"{error.details['hook']} {error.message}" if "hook" in error.details else error.message


def _start_order(record: Record) -> tuple[int, str]:
    start = record.active.implementations.get("gitu_start") if record.active else None
    return (start.order if start else 0, record.id)
