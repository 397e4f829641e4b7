"""What a plugin wants, read from its manifest and nothing else: what an operator is shown and says yes to."""

from __future__ import annotations

import re
import tomllib
from typing import Any, Literal

import msgspec

from gitu_core.contracts import SEAMS
from gitu_core.errors import IncompatibleError, ManifestError
from gitu_marketplace.text import clean

LARGEST = 1 << 20
"""Bytes that a manifest may have; the core accepts no more."""

ID = re.compile(r"[a-z][a-z0-9_-]{0,63}")


class Secret(msgspec.Struct, frozen=True):
    """A secret that a plugin wants."""

    name: str
    mode: Literal["injected", "revealed"] = "injected"
    optional: bool = False
    audience: tuple[str, ...] = ()


class _Capabilities(msgspec.Struct, frozen=True):
    facets: tuple[str, ...] = ()
    network: tuple[str, ...] = ()
    secrets: tuple[Secret, ...] = ()
    files: tuple[str, ...] = ()
    subprocess: bool = False


class _Contribution(msgspec.Struct, frozen=True):
    seam: str
    name: str = ""


class _Manifest(msgspec.Struct, frozen=True):
    id: str
    title: str = ""
    isolation: Literal["host", "process"] = "process"
    contracts: dict[str, str | int] = {}
    hooks: dict[str, int] = {}
    contributes: tuple[_Contribution, ...] = ()
    capabilities: _Capabilities = _Capabilities()
    config: dict[str, Any] = {}


class Wants(msgspec.Struct, frozen=True, omit_defaults=True):
    """A manifest as far as an operator has to know it. `permissions` are sentences; `described` is False where a plugin
    has no manifest: nothing is declared then, and nothing is allowed."""

    id: str
    title: str = ""
    permissions: tuple[str, ...] = ()
    contracts: dict[str, str | int] = {}
    described: bool = True


def read(text: bytes, file: str) -> Wants:
    """What the manifest in *file* asks for. `ManifestError` says what is wrong with it, `IncompatibleError` that this
    host does not offer a contract that it was written for."""
    if len(text) > LARGEST:
        raise ManifestError(f"{file}: it has more than {LARGEST >> 20} MiB", hint="ask its author for a smaller one")
    try:
        manifest = msgspec.convert(tomllib.loads(text.decode()), _Manifest)
    except (ValueError, msgspec.MsgspecError, RecursionError) as error:
        raise ManifestError(f"{file}: {clean(str(error))}", hint="ask its author for a correct one") from error
    if not ID.fullmatch(manifest.id) or manifest.id == "gitu":
        raise ManifestError(f"{file}: {manifest.id[:80]!r} is not a plugin id", hint="ask its author for another id")
    for each in manifest.contributes:  # whoever speaks for the one who asks could say yes
        if each.seam == "command" and each.name.split()[:1] == ["plugins"] and manifest.id != "marketplace":
            what = f"{file}: its command {clean(each.name)!r} would stand in the place of one that installs plugins"
            raise ManifestError(what, hint="ask its author for another name")
    for name, wanted in manifest.contracts.items():
        _offered(manifest.id, name, str(wanted))
    try:
        permissions = _permissions(manifest)
    except (ValueError, msgspec.MsgspecError, RecursionError) as error:
        raise ManifestError(f"{file}: config: {clean(str(error))}", hint="ask its author for a correct one") from error
    return Wants(manifest.id, clean(manifest.title), permissions, manifest.contracts)


def _offered(id: str, name: str, wanted: str) -> None:
    low, _, high = wanted.partition("-")
    seam = SEAMS.get(name)
    if not low.isdecimal() or not (high or low).isdecimal() or len(wanted) > 20:
        raise ManifestError(f"contract {clean(name)} = {wanted[:40]!r} is no number", hint="ask its author", plugin=id)
    if seam is None or int(low) > seam.version or int(high or low) < seam.oldest:
        offers = f"version {seam.offered}" if seam else "no such contract"
        what = f"it needs contract {clean(name)} {wanted}; this host offers {offers}"
        raise IncompatibleError(what, hint="look for another version of it, or upgrade Gitu", plugin=id)


def _permissions(manifest: _Manifest) -> tuple[str, ...]:
    """Every permission in words. Two releases ask for the same if and only if these are the same."""
    wants = manifest.capabilities
    found = [f"network: {host}" for host in wants.network]
    for secret in wants.secrets:
        to = f" for {', '.join(sorted(secret.audience))}" if secret.audience else ""
        found.append(f"secret: {secret.name} ({secret.mode}{to}{', optional' if secret.optional else ''})")
    found += [f"files: {root}" for root in wants.files]
    found += ["programs: starts other programs"] if wants.subprocess else []
    found += ["host: wants to run inside Gitu itself"] if manifest.isolation == "host" else []
    found += [f"facet: {facet}" for facet in wants.facets]
    found += [f"environment: {name}" for name in sorted(_variables(manifest.config))]
    found += [f"hook: {hook}" for hook in manifest.hooks]
    found += [f"contributes: {each.seam}" for each in manifest.contributes]
    return tuple(sorted({clean(each) for each in found}))


def _variables(config: dict[str, Any]) -> set[str]:
    """The variables of the environment that its configuration may come from."""
    schema = config.get("schema", config)
    schema = msgspec.json.decode(schema) if isinstance(schema, str) else schema
    properties = schema.get("properties") if isinstance(schema, dict) else None
    each = properties.values() if isinstance(properties, dict) else ()
    return {str(one["x-env"]) for one in each if isinstance(one, dict) and one.get("x-env")}


def difference(before: tuple[str, ...], after: tuple[str, ...]) -> tuple[list[str], list[str]]:
    """What is added and what is removed."""
    return sorted(set(after) - set(before)), sorted(set(before) - set(after))


def of_json(value: Any) -> Wants:
    """What was written down as JSON."""
    return msgspec.convert(value, Wants)
