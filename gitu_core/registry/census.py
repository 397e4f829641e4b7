"""Decides, for every plugin that was found, whether it may run, and if not, why and what to do about it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from gitu_core.contracts.base import SEAMS
from gitu_core.errors import IncompatibleError, PluginError
from gitu_core.hookspecs import HOOKS
from gitu_core.manifest import Contribution, Manifest, check_versions, deprecations
from gitu_core.registry.consent import Consent
from gitu_core.registry.scan import Found
from gitu_core.registry.status import PluginStatus, State

if TYPE_CHECKING:
    from gitu_core.registry.loading import Active

Enabled = Callable[[str, Manifest | None], bool | None]
"""The configuration's word about a plugin: True, False, or None where it says nothing."""

Trusts = Callable[[str, str], bool]
"""True if the plugin of this id, from this distribution, may run inside the host."""

Describe = Callable[[Found], Found]
"""Gives a plugin without a manifest the one that its code amounts to. May block while a child process runs.
"""


@dataclass(eq=False)
class Record:
    """What the registry knows about one plugin, found on disk or handed over by the embedder."""

    id: str
    found: Found
    manifest: Manifest
    state: State = "disabled"
    enabled: bool = False
    reason: str = ""
    hint: str = ""
    local: Any = None
    active: Active | None = None
    notes: list[str] = field(default_factory=list)
    isolation: Literal["host", "process"] = "host"

    @property
    def order(self) -> tuple[bool, int, str]:
        """Who comes first where two plugins contribute the same: the embedder's, then by priority, id."""
        return (self.local is None, self.manifest.priority, self.id)

    @property
    def eager(self) -> bool:
        """True if the plugin is activated at the start: it says so, listens to hooks, or is local."""
        listens = any(HOOKS[hook].mode in ("observe", "filter", "guard") for hook in self.manifest.hooks)
        return listens or self.local is not None or (self.manifest.start == "eager" and not self.speaks)

    @property
    def speaks(self) -> bool:
        """True if the plugin speaks a channel: such a plugin is activated where channels run."""
        return bool(self.manifest.of("adapter"))

    @property
    def version(self) -> str:
        """The version of the distribution; empty for the embedder's own."""
        return self.found.version

    def put(self, state: State, reason: str = "", hint: str = "") -> None:
        """Changes the state, with the reason and the next step."""
        self.state, self.reason, self.hint = state, reason, hint

    def status(self, faults: int) -> PluginStatus:
        """The plugin as it is shown."""
        manifest, found = self.manifest, self.found
        contributions = tuple(f"{each.seam}:{each.name}" for each in manifest.contributes)
        return PluginStatus(
            id=self.id, state=self.state, enabled=self.enabled, active=self.active is not None,
            isolation=self.isolation, title=manifest.title, contributions=contributions,
            hooks=tuple(manifest.hooks), file=found.file, distribution=found.distribution, version=found.version,
            reason=self.reason, hint=self.hint, source=found.source, notes=(*self.notes, *deprecations(manifest)),
            faults=faults, walls=self.active.apart.walls if self.active and self.active.apart else (),
        )  # fmt: skip


class Census:
    """The rules. Installed is not enabled: that takes the configuration's, the operator's or, for *builtin*
    ids, our own word. A built-in id counts only for the distribution that is called after it, so that nobody
    can borrow it.
    """

    def __init__(
        self, consent: Consent, enabled: Enabled | None, builtin: frozenset[str], describe: Describe,
        trusts: Trusts | None,
    ) -> None:  # fmt: skip
        self._consent, self._enabled, self._builtin, self._describe = consent, enabled, builtin, describe
        self._trusts = trusts

    def take(self, found: Iterable[Found], taken: Iterable[str]) -> list[Record]:
        """A record for every plugin, by id. *taken* are ids that installed plugins may not have."""
        records: list[Record] = []
        holders: dict[str, Found | None] = dict.fromkeys(taken)
        for each in sorted(found, key=self._rank):
            record = self.decide(each)
            if record.state != "broken":
                if record.id in holders:
                    record.enabled = False
                    record.put("duplicate", *_held_by(holders[record.id], record.id, each))
                holders.setdefault(record.id, each)
            records.append(record)
        return sorted(records, key=lambda record: (record.id, record.state == "duplicate"))

    def decide(self, found: Found) -> Record:
        """The record of one plugin, as if it were alone."""
        id = found.id
        wanted = self._wanted(id, found)
        if wanted and found.manifest is None and found.trouble is None:
            found = self._describe(found)
        record = Record(id, found, found.manifest or Manifest(id), enabled=wanted)
        trusted = self._trusts is None or self._trusts(id, found.distribution) or self._bundled(id, found)
        record.isolation = "host" if trusted else "process"
        try:
            check_versions(record.manifest)
        except PluginError as error:
            record.put("incompatible" if isinstance(error, IncompatibleError) else "broken", error.message, error.hint)
            return record
        if found.trouble is not None:
            record.put("broken", found.trouble.message, found.trouble.hint)
        elif wanted and not trusted and (inside := _inside_only(record.manifest)):
            hint = f"to trust it with everything, set trusted = true in [plugins.{id}]"
            record.put("incompatible", f"its {inside} can only run inside the host, and it is not trusted", hint)
        else:
            record.put(*(("enabled",) if wanted else ("disabled", *self._why_not(id, found))))
        return record

    def _rank(self, found: Found) -> tuple[bool, bool, bool, str, str]:
        """Of two plugins with one id, the first of this order keeps it."""
        chosen, named = self._consent.enabled_from(found.id) == found.distribution, _named_after(found.id, found)
        return (found.trouble is not None, not chosen, not named, found.distribution, found.name)

    def _wanted(self, id: str, found: Found) -> bool:
        configured = self._enabled(id, found.manifest) if self._enabled else None
        said = self._consent.says(id, found.distribution) if configured is None else configured
        return self._bundled(id, found) if said is None else said

    def _bundled(self, id: str, found: Found) -> bool:
        own = os.path.join(os.path.dirname(os.path.abspath(self._consent.file)), "plugins", "")  # nobody's part of us
        return id in self._builtin and _named_after(id, found) and not found.location.startswith(own)

    def _why_not(self, id: str, found: Found) -> tuple[str, str]:
        if self._enabled and self._enabled(id, found.manifest) is False:
            return ("switched off in the configuration", f"to use it, remove enabled = false of {id} from gitu.toml")
        hint = f"to use it, run: gitu plugins enable {id}"
        if id in self._builtin and not _named_after(id, found):
            return f"it has the id of a built-in plugin, but comes from {found.distribution}", hint
        if found.manifest is None:
            return "not enabled; it has no manifest, so what it contributes is read when it is enabled", hint
        return "not enabled", hint


def _inside_only(manifest: Manifest) -> str:
    """What of a plugin cannot be reached from the host when it runs in another process."""
    return next((each.seam for each in manifest.contributes if not SEAMS[each.seam].crosses), "")


def _held_by(holder: Found | None, id: str, found: Found) -> tuple[str, str]:
    """Why *found* cannot have an id, and what to do: *holder* has it, None being the application itself."""
    if holder is None:
        hint = f"uninstall {found.distribution}, or name the application's own plugin differently"
        return f"this application has the id {id!r} already", hint
    if holder.distribution == found.distribution:
        hint = f"its author must give each plugin of {found.distribution} an id of its own"
        return f"the entry point {holder.name!r} of the same distribution has the id {id!r} already", hint
    hint = f"uninstall {found.distribution} or {holder.distribution}, or ask an author for another id"
    return f"{holder.distribution} has the id {id!r} already", hint


def _named_after(id: str, found: Found) -> bool:
    return found.distribution == f"gitu-{id}".replace("_", "-")


def local_record(id: str, values: list[object]) -> Record:
    """The record of the embedder's own plugin or tools. What stands ready is offered at once, the rest once
    active.
    """
    from gitu_core.registry.objects import Ready, as_plugin, contribution

    plugin = as_plugin(values[0] if len(values) == 1 else values, id)
    contributes: tuple[Contribution, ...] = ()
    if isinstance(plugin, Ready):
        contributes = tuple(contribution(seam, each) for seam, each in plugin.objects)
    hooks = {name: 0 for name in HOOKS if callable(getattr(plugin, name, None))}
    manifest = Manifest(id=id, isolation="host", hooks=hooks, contributes=contributes)
    found = Found("", "", id, "", "", "", manifest=manifest, source="local")
    return Record(id, found, manifest, state="enabled", enabled=True, local=plugin)
