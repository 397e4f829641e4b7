"""The registry: what is installed, what of it runs, and how it is reached."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from gitu_core.contracts.host import Host
from gitu_core.contracts.ports import Clock, Offer, PluginState
from gitu_core.errors import LoadError, NotReady, PluginError, Quarantined, StoreError, nearest
from gitu_core.isolation import Overdue
from gitu_core.manifest import Manifest
from gitu_core.model import Event
from gitu_core.registry.activation import Activation, Report, unusable, with_hook
from gitu_core.registry.catalogue import Catalogue
from gitu_core.registry.census import Census, Enabled, Record, Trusts, local_record
from gitu_core.registry.consent import Consent
from gitu_core.registry.dispatch import Dispatcher
from gitu_core.registry.faults import HANG, FaultBudget
from gitu_core.registry.index import Index
from gitu_core.registry.status import PluginStatus


def log_report(error: PluginError) -> None:
    """Writes a plugin's failure to the log ``gitu.plugins``."""
    import logging

    logging.getLogger("gitu.plugins").warning("%s", error)


class Registry:
    """Keeps the promises of the port `Registry`. One event loop uses it; listing plugins needs none.

    *home* is Gitu's folder; *host_for* makes the host that a plugin gets. *enabled* is the configuration's
    word about a plugin, *builtin* the ids that are enabled unless somebody says otherwise. *local* are the
    embedder's own plugin objects and tools by id: always enabled, never moved to another process. *path* are
    the folders to search (None = `sys.path`). A plugin with *fault_limit* faults within *fault_window*
    seconds is quarantined. *import_limit* and *jail_limit* are in seconds. *state* keeps the version of each
    plugin's stored state; without it nothing is migrated. Whom *trusts* does not trust runs in a process of its own
    (None = everybody is); *workers* is the operator's word about that process.
    """

    def __init__(
        self, home: Path, *, host_for: Callable[[Manifest], Host], enabled: Enabled | None = None,
        builtin: frozenset[str] = frozenset(), local: Sequence[tuple[str, object]] = (), clock: Clock | None = None,
        path: Sequence[str] | None = None, report: Report = log_report, fault_limit: int = 5,
        fault_window: float = 60.0, import_limit: float = 20.0, jail_limit: float = 20.0,
        state: PluginState | None = None, trusts: Trusts | None = None,
        workers: Mapping[str, Mapping[str, Any]] | None = None,
    ) -> None:  # fmt: skip
        self._local: dict[str, list[object]] = {}
        for id, value in local:
            self._local.setdefault(id, []).append(value)
        self._now = clock.now if clock else time.time
        self._report = report
        self._index = Index(home, path, jail_limit)
        self._consent = Consent(home)
        self._census = Census(self._consent, enabled, builtin, self._index.describe, trusts)
        self._budget = FaultBudget(fault_limit, fault_window, clock.monotonic if clock else time.monotonic)
        self._records: list[Record] | None = None
        self._by_id: dict[str, Record] = {}
        self._catalogue = Catalogue(())
        self._reading = threading.RLock()
        self._ready: dict[tuple[str, str], Any] = {}
        self.hooks = Dispatcher(self._fault)
        self._activation = Activation(self, host_for, report, import_limit, state, home, workers or {})

    # ---- what there is -----------------------------------------------------------------------

    def plugins(self) -> Sequence[PluginStatus]:
        """Every plugin by id, whatever its state. Imports none of them; one without a manifest is described
        in a child process the first time it is found enabled, which may take seconds.
        """
        return [each.status(self._budget.recent(each.id)) for each in self._all()]

    def offers(self, seam: str) -> Sequence[Offer]:
        """Every contribution to a seam by enabled, healthy plugins."""
        self._all()
        return self._catalogue.offers(seam)

    def manifest(self, id: str) -> Manifest:
        """The manifest of a plugin, empty where there is none. `PluginError` if there is no such plugin."""
        return self._record(id).manifest

    def status(self, id: str) -> PluginStatus:
        """What `plugins` tells of the one that has this id. `PluginError` if there is no such plugin."""
        return self._record(id).status(self._budget.recent(id))

    def inside(self, id: str) -> bool:
        """True if a plugin runs in this process: whom the operator trusts, and what came with the bundle. `PluginError`
        if there is no such plugin."""
        return self._record(id).isolation == "host"

    async def get(self, seam: str, name: str) -> Any:
        """The contributed object; activates its plugin on first use. A `PluginError` says why it cannot be
        had.

        *name* may be ``plugin:name`` where two plugins contribute the same name.
        """
        if (known := self._ready.get((seam, name))) is not None:
            return known
        await self._read()
        holder = self._catalogue.find(seam, name)
        if holder is None:
            raise self._missing(seam, name)
        record, own = holder
        active = await self._activation.activate(record)
        found = self._ready[seam, name] = active.objects[seam, own]
        return found

    # ---- life --------------------------------------------------------------------------------

    async def start(self, *, channels: bool = True) -> None:
        """Activates what must run from the start: eager plugins, whoever listens to hooks, and with *channels* whoever
        speaks one.

        A plugin that fails is quarantined and reported; the rest serves on. Again is harmless, and activates
        what was enabled meanwhile.
        """
        await self._read()
        enabled = [each for each in self._all() if each.state == "enabled"]
        await self._activation.start([each for each in enabled if each.eager or (channels and each.speaks)])

    async def check(self, *, begin: bool) -> None:
        """Loads every enabled plugin, and with *begin* starts it, so that `plugins` tells which of them cannot run."""
        await self._read()
        await self._activation.check([each for each in self._all() if each.state == "enabled"], begin)

    async def stop(self) -> None:
        """Calls `gitu_stop` of every active plugin, the last begun first, each within its time limit."""
        await self._activation.stop(self._records or ())
        self._ready.clear()

    def having(self, hook: str) -> Sequence[str]:
        """The ids of the enabled, healthy plugins that have a hook."""
        return [one.id for one in self._all() if one.state == "enabled" and hook in one.manifest.hooks]

    async def call(self, id: str, hook: str, **arguments: Any) -> None:
        """Calls a lifecycle hook of one plugin, which is activated first: a `PluginError` says why it cannot be. The
        plugin's own `NotReady` comes through; its other failures are counted against it and go no further."""
        active = await self._activation.activate(self._record(id))
        try:
            await active.lifecycle(hook, **arguments)
        except PluginError as error:
            if isinstance(error.__cause__, NotReady | StoreError):
                raise error.__cause__ from None
            self._fault(id, error, HANG if isinstance(error.__cause__, Overdue) else 1)

    # ---- the operator's hand -----------------------------------------------------------------

    def enable(self, id: str) -> None:
        """Switches a plugin on, for good. One that listens to hooks runs from the next `start`."""
        record = self._record(id)
        if record.local is None:
            self._consent.enable(id, record.found.distribution)
            self._decide_again(record)

    def disable(self, id: str) -> None:
        """Switches a plugin off, for good and at once; its `gitu_stop` is called at `stop`."""
        record = self._record(id)
        if record.local is not None:
            hint = "leave it out where the application is made"
            raise PluginError(f"{id} belongs to this application", hint=hint, plugin=id)
        self._consent.disable(id)
        record.enabled = False
        record.put("disabled", "not enabled", f"to use it, run: gitu plugins enable {id}")
        self._out_of_service(record)
        self.hooks.reopen(id)

    def quarantine(self, id: str, reason: str, hint: str = "") -> None:
        """Takes a plugin out of service until `reset`. Its guards refuse meanwhile: a guard that fails must
        not open.
        """
        record = self._record(id)
        hint = hint or f"when the cause is gone, start again; to do without it, run: gitu plugins disable {id}"
        record.put("quarantined", reason, hint)
        self._out_of_service(record)
        self._close_guards(record)
        data = {"plugin": id, "reason": reason, "hint": hint}
        self.hooks.events.append(Event(kind="plugin.quarantined", at=self._now(), data=data))
        self._report(Quarantined(f"quarantined: {reason}", hint=hint, plugin=id, version=record.version))

    def reset(self, id: str) -> None:
        """Lifts a quarantine, forgives faults, and lets a plugin without a manifest be described again."""
        record = self._record(id)
        self._budget.forgive(id)
        self.hooks.reopen(id)
        if record.local is not None:
            record.put("enabled")
            self.in_service(record)
            return
        self._index.forget(record.found)
        self._decide_again(record)

    def describe(self, id: str, anew: bool) -> None:
        """Has a plugin without a manifest described, *anew* also where it was before, so that `enable` and `reset` need
        not wait for that. Blocks while a child process runs: for a thread, where an event loop goes on."""
        record = self._record(id)
        bare = record.found.bare
        if record.local is None and bare.manifest is None and bare.trouble is None:
            if anew:
                self._index.forget(record.found)
                record.found = bare
            self._index.describe(bare)

    # ---- inside ------------------------------------------------------------------------------

    async def _read(self) -> None:
        """Reads the index outside of the event loop, once: it may have to wait for a child process."""
        if self._records is None:
            import anyio.to_thread

            await anyio.to_thread.run_sync(self._all)

    def _all(self) -> list[Record]:
        with self._reading:
            if self._records is None:
                own = [local_record(id, values) for id, values in self._local.items()]
                found = self._census.take(self._index.load(), [each.id for each in own])
                self._records = sorted([*own, *found], key=lambda record: record.id)
                # A duplicate or broken plugin never hides the one that holds the id.
                for each in sorted(self._records, key=lambda record: record.state in ("duplicate", "broken")):
                    self._by_id.setdefault(each.id, each)
                for each in self._records:
                    if each.enabled and each.state != "enabled":
                        self._close_guards(each)
                self._catalogue = Catalogue(self._records)
            return self._records

    def _record(self, id: str) -> Record:
        self._all()
        record = self._by_id.get(id)
        if record is None:
            hint = nearest(id, self._by_id, "see: gitu plugins")
            raise PluginError(f"there is no plugin {id!r}", hint=hint, plugin=id)
        return record

    def _decide_again(self, record: Record) -> None:
        """Applies the operator's word to a plugin whose files are as they were."""
        fresh = self._census.decide(record.found.bare)
        record.found, record.manifest, record.enabled = fresh.found, fresh.manifest, fresh.enabled
        record.isolation = fresh.isolation
        record.put(fresh.state, fresh.reason, fresh.hint)
        if record.state == "enabled":
            self.in_service(record)
        elif record.enabled:
            self._close_guards(record)
            self._out_of_service(record)

    def in_service(self, record: Record) -> None:
        """Lets a plugin's hooks be called and its contributions be found."""
        self.hooks.reopen(record.id)
        if record.active is not None:
            self.hooks.add(record.active.implementations.values())
        self._catalogue = Catalogue(self._all())

    def _out_of_service(self, record: Record) -> None:
        self.hooks.remove(record.id)
        self._activation.drop(record)
        self._ready.clear()
        self._catalogue = Catalogue(self._all())

    def _close_guards(self, record: Record) -> None:
        reason = f"the plugin {record.id} guards this and cannot run: {record.reason} (next: {record.hint})"
        self.hooks.close(record.id, record.manifest.hooks, reason)

    def fault(self, plugin: str, error: PluginError, offence: bool) -> None:
        """A plugin did what it must not, or its process died: with *offence* it is quarantined at once."""
        record = self._by_id[plugin]
        if not offence:
            self._fault(plugin, error, HANG)
        elif record.state == "enabled":
            self.quarantine(plugin, error.message, error.hint)

    def _fault(self, plugin: str, error: PluginError, weight: int) -> None:
        """Counts a failure of a hook, and quarantines a plugin that fails too often."""
        record = self._by_id[plugin]
        error.at(version=record.version)
        self._report(error)
        if self._budget.add(plugin, weight) and record.state == "enabled":
            times = f"{self._budget.limit} faults within {self._budget.window:g} s"
            self.quarantine(plugin, f"{times}, the last: {with_hook(error)}")

    def _missing(self, seam: str, name: str) -> PluginError:
        """Why nobody contributes a name: its plugin cannot run, or there is none."""
        found = [(record, each.name) for record in self._all() for each in record.manifest.of(seam)]
        for record, own in found:
            if name in (own, f"{record.id}:{own}") and record.state != "duplicate":
                return unusable(record)
        names = [own for _, own in found]
        none = f"install and enable a plugin that contributes one; there is {', '.join(names) or 'none'}"
        return LoadError(f"there is no {seam} {name!r}", hint=nearest(name, names, none))
