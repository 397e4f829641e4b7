"""What `Gitu(...)` was given, and what follows from it: settings, profiles, which plugins may run."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import msgspec

from gitu_core.config import Profile, Settings, checked, default_home, load
from gitu_core.contracts.ports import Clock
from gitu_core.manifest import Manifest
from gitu_core.tools import as_tool


@dataclass
class Options:
    """What `Gitu(...)` was given; the names mean what they mean there."""

    model: Any = ""
    tools: tuple[Any, ...] = ()
    use: tuple[str, ...] = ()
    plugins: tuple[Any, ...] = ()
    instructions: str = ""
    profiles: tuple[Profile, ...] = ()
    home: Any = None
    database: str | None = None
    engine: Any = None
    prefix: str = ""
    schema: str | None = None
    config: Any = None
    deps: Any = None
    approve: Any = None
    clock: Clock | None = None


def configure(options: Options) -> tuple[Settings, dict[str, Profile]]:
    """The settings and the embedder's own profiles, from what `Gitu(...)` was given."""
    settings = Settings() if options.config is None else options.config
    if not isinstance(settings, Settings):
        settings = load(settings)
    changes: dict[str, Any] = {"home": str(options.home or settings.home or default_home())}
    if options.database:
        changes["database"] = options.database
    if options.model:
        wanted = options.model if isinstance(options.model, str | Sequence) else options.model.name
        changes["model"] = (wanted,) if isinstance(wanted, str) else tuple(wanted)
    settings = checked(msgspec.structs.replace(settings, **changes))
    profiles = {profile.name: profile for profile in options.profiles}
    if options.config is None:
        profiles.setdefault("default", _embedded(options))
    if options.instructions:
        base = profiles.get("default") or settings.profile("default")
        profiles["default"] = msgspec.structs.replace(base, instructions=options.instructions)
    return settings, profiles


def _embedded(options: Options) -> Profile:
    """Without a configuration the assistant has the tools that it was handed, and those asked for with ``use``."""
    own = tuple(f"{id}:*" for id, _ in local_plugins(options))
    return Profile(tools=(*own, *options.use), exact=bool(options.model))


def local_plugins(options: Options) -> list[tuple[str, Any]]:
    """The embedder's own objects as plugins."""
    found: list[tuple[str, Any]] = []
    if options.tools:
        found.append(("local-tools", [as_tool(each) for each in options.tools]))
    if options.model and not isinstance(options.model, str | Sequence):
        found.append(("local-model", options.model))
    for number, each in enumerate(options.plugins):
        found.append((f"local-plugin-{number}", each))
    return found


def enabled_by(settings: Settings) -> Callable[[str, Manifest | None], bool | None]:
    """What ``gitu.toml`` says about plugins: ``enabled = true`` or ``false`` in a plugin's section, or nothing."""

    def word(id: str, manifest: Manifest | None) -> bool | None:
        said = settings.plugins.get(id, {}).get("enabled")
        return said if isinstance(said, bool) else None

    return word


def trusted_by(settings: Settings) -> Callable[[str, str], bool]:
    """What ``gitu.toml`` says about plugins: ``trusted = true`` lets one run inside the host."""
    return lambda id, distribution: settings.plugins.get(id, {}).get("trusted") is True


@lru_cache(1)
def built_in() -> frozenset[str]:
    """The plugins that come with the bundle, by id: those that the extra ``assistant`` of this distribution names."""
    from importlib.metadata import PackageNotFoundError, requires

    try:
        needed = requires("gitu-core") or ()
    except PackageNotFoundError:  # run from a folder that was never installed: nothing comes with it
        return frozenset()
    marked = (line.partition(";") for line in needed)
    names = (name.strip() for name, _, marker in marked if "assistant" in marker)
    return frozenset(re.split(r"[^\w-]", name)[0].removeprefix("gitu-") for name in names)
