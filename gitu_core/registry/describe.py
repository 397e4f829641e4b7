"""Writes a manifest from a plugin's code, and compares it with the one that the plugin was shipped with."""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Collection, Mapping
from functools import partial
from typing import Any

import msgspec

from gitu_core.contracts import SEAMS, Channel, CommandSpec
from gitu_core.contracts.host import FACETS, Missing
from gitu_core.errors import HookError
from gitu_core.isolation import blamed, in_thread, within
from gitu_core.manifest import Contribution, Manifest
from gitu_core.model import ActionSpec, ToolSpec
from gitu_core.registry.hooks import Implementation, implementations
from gitu_core.registry.objects import checked, contribution, first_line

Objects = dict[str, list[Any]]
"""What a plugin contributes, by seam."""

# Words of a JSON Schema that libraries write differently from version to version, and that bind nobody.
_IDLE = frozenset({"title", "default", "examples", "format", "$schema"})

_KINDS: dict[str, type] = {"tool": ToolSpec, "action": ActionSpec, "command": CommandSpec, "adapter": Channel}


class RecordingHost:
    """A host without facets: it notes which of them are asked for and refuses every call."""

    def __init__(self, plugin: str, config: Mapping[str, Any] | None = None) -> None:
        self.plugin = plugin
        self.config = dict(config or {})
        self.used: set[str] = set()

    def __getattr__(self, name: str) -> Any:
        if name not in FACETS:
            raise AttributeError(name)
        self.used.add(name)
        hint = "call the host inside the methods of your objects, not while handing them over"
        return Missing(name, "while the plugin is being described", hint)


async def describe(plugin: Any, host: Any, base: Manifest | None = None) -> Manifest:
    """The manifest that a plugin's code amounts to; what code cannot tell is taken from *base*.

    *host* is handed to its provider hooks, a `RecordingHost` most of the time. `PluginError` says what is
    wrong.
    """
    base = base or Manifest(id=host.plugin, title=first_line(plugin.__doc__ or ""))
    hooks = implementations(plugin, base.id)
    objects = await hand_over(hooks, host)
    return summarise(base, hooks, objects, getattr(host, "used", ()))


async def hand_over(hooks: Mapping[str, Implementation], host: Any) -> Objects:
    """Calls every provider hook once; the objects fulfil their contracts. `HookError` names the hook that
    failed.
    """
    objects: Objects = {}
    for name, each in hooks.items():
        if each.meta.mode == "provide":
            value = await call_lifecycle(each, {"host": host})
            objects[each.meta.seam] = checked(each.meta.seam, value, name)
    return objects


async def call_lifecycle(each: Implementation, arguments: Mapping[str, Any]) -> Any:
    """Calls a hook that is called once a plugin. `HookError` when it raises or takes longer than it may."""
    given = {name: arguments[name] for name in each.arguments}
    with blamed(HookError, "", "see the plugin's code", "let it return at once and do the work later",
                hook=each.meta.name):  # fmt: skip
        if each.awaits:
            return await within(each.timeout, each.function(**given))
        # In a thread: it may block, and it is called only once.
        value = await in_thread(partial(each.function, **given), each.timeout, f"gitu-{each.plugin}")
        return await within(each.timeout, value) if isinstance(value, Awaitable) else value


def summarise(
    base: Manifest, hooks: Mapping[str, Implementation], objects: Objects, facets: Collection[str] = ()
) -> Manifest:
    """The manifest of a plugin that handed over *objects* and asked for *facets*; the rest is as in *base*."""
    used = tuple(facet for facet in FACETS if facet in facets or facet in base.capabilities.facets)
    return msgspec.structs.replace(
        base,
        start="eager" if objects.get("adapter") else base.start,
        isolation="host" if any(objects[seam] and not SEAMS[seam].crosses for seam in objects) else base.isolation,
        contracts={**{seam: SEAMS[seam].version for seam, found in objects.items() if found}, **base.contracts},
        hooks={name: each.order for name, each in hooks.items()},
        contributes=tuple(contribution(seam, each) for seam, found in objects.items() for each in found),
        capabilities=msgspec.structs.replace(base.capabilities, facets=used),
    )


def compare(manifest: Manifest, described: Manifest) -> list[str]:
    """Where a manifest and the code disagree, in words, with both values; what binds nobody is left out."""
    found = _differences("hook", manifest.hooks, described.hooks)
    for seam in {each.seam: None for each in (*manifest.contributes, *described.contributes)}:
        ours, theirs = ({each.name: each for each in side.of(seam)} for side in (manifest, described))
        found += _differences(seam, dict.fromkeys(ours, "there"), dict.fromkeys(theirs, "there"))
        for name in ours.keys() & theirs.keys():
            found += _differences(f"{seam} {name}", _binding(ours[name]), _binding(theirs[name]))
        if theirs and seam not in manifest.contracts:
            found.append(f"contract {seam}: nothing in the manifest, {SEAMS[seam].version} in the code")
    return found


def _binding(each: Contribution) -> dict[str, Any]:
    """The parts of a contribution that somebody relies on, in a form that compares."""
    spec = each.spec
    if each.seam in _KINDS:
        # Read as what it is, so that a default counts the same whether it is written out or left out.
        words = {"name": each.name, "description": each.description}
        with contextlib.suppress(msgspec.ValidationError):
            whole = msgspec.structs.asdict(msgspec.convert({**words, **spec}, _KINDS[each.seam]))
            spec = msgspec.to_builtins(whole, order="deterministic")
    return {key: _tidy(value) for key, value in spec.items()}


def _tidy(value: Any) -> Any:
    if isinstance(value, dict):
        # A property may be called "title": only the words of the schema itself are idle, and those hold no
        # dict.
        return {key: _tidy(item) for key, item in value.items() if key not in _IDLE or isinstance(item, dict)}
    if isinstance(value, list | tuple):
        items = [_tidy(item) for item in value]
        return sorted(items) if all(isinstance(item, str) for item in items) else items
    return " ".join(value.split()) if isinstance(value, str) else value


def _differences(what: str, manifest: Mapping[str, Any], code: Mapping[str, Any]) -> list[str]:
    return [
        f"{what} {name}: {_show(manifest, name)} in the manifest, {_show(code, name)} in the code"
        for name in sorted({*manifest, *code})
        if manifest.get(name) != code.get(name)
    ]


def _show(side: Mapping[str, Any], name: str) -> str:
    if name not in side:
        return "nothing"
    text = side[name] if isinstance(side[name], str) else msgspec.json.encode(side[name]).decode()
    return text if len(text) <= 120 else f"{text[:117]}..."
