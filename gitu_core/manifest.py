"""What a plugin says about itself in ``gitu-plugin.toml``, read without running its code.

id = "basics"
title = "Clock, calculator, units and notes"
start = "lazy"                       # eager: activated when the host starts (adapters always are)
isolation = "host"                   # or "process"; who is not trusted runs in a process either way

[contracts]                          # the contract versions the plugin was written for, a number or "1-2"
tool = 1

[hooks]                              # every hook it implements, with its order
gitu_tools = 0

[[contributes]]                      # everything it hands over
seam = "tool"
name = "clock"
description = "Tells the time."
spec = '''{...}'''                   # the contract's own data as JSON

[capabilities]
facets = ["kv"]                      # facets of the host it uses
network = ["api.example.org"]
files = ["~/Documents"]
subprocess = false
[[capabilities.secrets]]
name = "EXAMPLE_KEY"
mode = "injected"                    # or "revealed"

[config]
schema = '''{"type": "object", ...}'''   # a property may name an environment variable: "x-env": "NAME"
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import msgspec

from gitu_core.contracts.base import DEPRECATED, SEAMS
from gitu_core.contracts.base import Contribution as Contribution
from gitu_core.contracts.host import FACETS
from gitu_core.errors import IncompatibleError, ManifestError, nearest
from gitu_core.hookspecs import HOOKS
from gitu_core.model import Value

FILE_NAME = "gitu-plugin.toml"
LARGEST = 1 << 20
"""Bytes that a manifest may have: every one of them is read at every change of what is installed."""

LONGEST = 10_000
"""Characters that a title or a description may have: models read descriptions in every request."""

_SEE = "see docs/hooks.md and docs/contracts.md"
_ID = re.compile(r"[a-z][a-z0-9_-]{0,63}")


class SecretNeed(Value, frozen=True):
    """A secret that a plugin wants: ``injected`` by the host into requests to its `audience` (none = every declared
    host), or ``revealed`` to the plugin."""

    name: str
    mode: Literal["injected", "revealed"] = "injected"
    optional: bool = False
    audience: tuple[str, ...] = ()


class Capabilities(Value, frozen=True):
    """Everything a plugin may touch outside of itself."""

    facets: tuple[str, ...] = ()
    network: tuple[str, ...] = ()
    secrets: tuple[SecretNeed, ...] = ()
    files: tuple[str, ...] = ()
    subprocess: bool = False


class Manifest(Value, frozen=True):
    """A plugin's word about itself. `priority` orders model providers: the lowest usable one is the default."""

    id: str
    title: str = ""
    start: Literal["eager", "lazy"] = "lazy"
    isolation: Literal["host", "process"] = "process"
    contracts: dict[str, str | int] = msgspec.field(default_factory=dict)
    hooks: dict[str, int] = msgspec.field(default_factory=dict)
    contributes: tuple[Contribution, ...] = ()
    capabilities: Capabilities = Capabilities()
    config: dict[str, Any] = msgspec.field(default_factory=dict)
    state_version: int = 0
    priority: int = 100

    def of(self, seam: str) -> tuple[Contribution, ...]:
        """The contributions to one seam."""
        return tuple(each for each in self.contributes if each.seam == seam)


def read(file: str | Path) -> Manifest:
    """Reads a manifest from its file. `ManifestError` names the file and the next command."""
    try:
        with open(file, "rb") as stream:
            return parse(stream.read(LARGEST + 1), file)
    except OSError as error:
        raise _unreadable(file, error) from error


def parse(text: str | bytes, file: str | Path = FILE_NAME) -> Manifest:
    """Reads a manifest from TOML, of at most a mebibyte. `ManifestError` names the file and the next command."""
    import tomllib

    if len(text) > LARGEST:
        what = f"{file}: it has more than {LARGEST >> 20} MiB"
        raise ManifestError(what, hint="write shorter descriptions and schemas", file=str(file))
    try:
        raw = tomllib.loads(text if isinstance(text, str) else text.decode())
        for table, kind in _tables(raw):
            _take_in(table, kind)
        manifest = msgspec.convert(raw, Manifest)
    except (ValueError, msgspec.MsgspecError, RecursionError) as error:
        raise _unreadable(file, error) from error
    check(manifest, file)
    return manifest


def _unreadable(file: str | Path, error: Exception) -> ManifestError:
    return ManifestError(f"{file}: {error}", hint="correct it, or rewrite it with: gitu manifest", file=str(file))


def _tables(raw: dict[str, Any]) -> Iterator[tuple[dict[str, Any], type[Value]]]:
    """Every table of a manifest that becomes a value, with its kind."""
    capabilities = raw.get("capabilities")
    secrets = capabilities.get("secrets") if isinstance(capabilities, dict) else ()
    kinds: dict[type[Value], Any] = {
        Manifest: (raw,), Contribution: raw.get("contributes"), Capabilities: (capabilities,), SecretNeed: secrets,
    }  # fmt: skip
    for kind, tables in kinds.items():
        if isinstance(tables, list | tuple):
            yield from ((each, kind) for each in tables if isinstance(each, dict))


def _take_in(table: dict[str, Any], kind: type[Value]) -> None:
    """JSON Schemas and specs stand in the TOML as JSON text, because TOML has no null. What a newer version wrote goes
    into `extra`, so that it is neither in the way nor lost."""
    if kind is Contribution and isinstance(table.get("spec"), str):
        table["spec"] = msgspec.json.decode(table["spec"])
    config = table.get("config")
    if kind is Manifest and isinstance(config, dict) and isinstance(config.get("schema"), str):
        table["config"] = msgspec.json.decode(config["schema"])
    names = kind.__struct_fields__
    table["extra"] = {key: table.pop(key) for key in [*table] if key == "extra" or key not in names}


def check(manifest: Manifest, file: str | Path = FILE_NAME) -> None:
    """Refuses a manifest that says what cannot be: bad ids, unknown hooks, seams or facets."""

    def fail(what: str, hint: str = "write a shorter one") -> None:
        raise ManifestError(f"{file}: {what}", hint=hint, plugin=manifest.id, file=str(file))

    if not _ID.fullmatch(manifest.id) or manifest.id == "gitu":
        fail(f"id {manifest.id!r} is not a plugin id", "use lower-case letters, digits, - and _")
    for kind, said, known in (("hook", manifest.hooks, HOOKS), ("facet", manifest.capabilities.facets, FACETS)):
        for name in said:
            if name not in known:
                fail(f"there is no {kind} {name!r}", nearest(name, known, _SEE))
    told = manifest.config.get("properties", {})
    if not isinstance(told, dict) or not all(isinstance(each, dict) for each in told.values()):
        fail("what its configuration holds is described by no table", "write a JSON Schema for each property, or {}")
    if len(manifest.title) > LONGEST:
        fail(f"its title has more than {LONGEST} characters")
    for each in manifest.contributes:
        if each.seam not in SEAMS:
            fail(f"there is no seam {each.seam!r}", nearest(each.seam, SEAMS, _SEE))
        if not SEAMS[each.seam].crosses and manifest.isolation != "host":
            fail(f"{each.seam} {each.name[:64]!r} can only be offered inside the host", 'set isolation = "host"')
        if max(len(each.description), len(str(each.spec.get("description", "")))) > LONGEST:
            fail(f"{each.seam} {each.name[:64]!r}: its description has more than {LONGEST} characters")


def check_versions(manifest: Manifest) -> None:
    """`IncompatibleError` if the plugin was written for a contract version that this host does not offer."""
    for name, wanted in manifest.contracts.items():
        seam = SEAMS.get(name)
        low, _, high = str(wanted).partition("-")
        try:
            first, last = int(low), int(high or low)
            if first > last:
                raise ValueError
        except ValueError:
            what = f"contract {name} = {wanted!r} is neither a number nor a range"
            raise ManifestError(what, hint='write 1 or "1-2"', plugin=manifest.id) from None
        if seam is None or first > seam.version or last < seam.oldest:
            offered = f"version {seam.offered}" if seam else "no such contract"
            hint = "upgrade gitu-core" if not seam or first > seam.version else f"upgrade the plugin {manifest.id}"
            what = f"needs contract {name} {wanted}; this host offers {offered}"
            raise IncompatibleError(what, hint=hint, plugin=manifest.id)


def deprecations(manifest: Manifest) -> list[str]:
    """What a plugin uses that may be removed one day: from when on, and what to use instead."""
    used = [f"hook {hook}" for hook in manifest.hooks]
    used += [f"facet {facet}" for facet in manifest.capabilities.facets]
    used += [f"contract {name} {str(wanted).rpartition('-')[2]}" for name, wanted in manifest.contracts.items()]
    used += [f"field {each.seam}.{name}" for each in manifest.contributes for name in each.spec]
    used += [f"field manifest.{name}" for name in (msgspec.to_builtins(manifest) if DEPRECATED else ())]
    return [f"it uses {what}, {DEPRECATED[what]}" for what in dict.fromkeys(used) if what in DEPRECATED]


def render(manifest: Manifest) -> str:
    """The manifest as TOML, as `gitu manifest` writes it; `parse` gives the same manifest back."""
    import tomli_w

    raw: dict[str, Any] = msgspec.to_builtins(manifest, order="deterministic")
    for table, kind in _tables(raw):
        table.update(table.pop("extra", {}))
        if kind is Contribution and table.get("spec"):
            table["spec"] = _json_text(table["spec"])
    if raw.get("config"):
        raw["config"] = {"schema": _json_text(raw["config"])}
    return tomli_w.dumps(raw, multiline_strings=True)


def _json_text(value: Any) -> str:
    return "\n" + msgspec.json.format(msgspec.json.encode(value, order="deterministic"), indent=2).decode() + "\n"
